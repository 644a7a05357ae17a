"""Rows into nouns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from harness.core.campaign import Campaign, ModelFailed
from harness.core.cell import Cell
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.errors import CampaignUnknown
from harness.core.launch import LaunchOutcome, LaunchRecord, OpTable
from harness.core.model import Model
from harness.core.trouble import Trouble, identity_of
from harness.core.variant import BuildOutcome
from harness.store import blobs
from harness.store.codec import loads
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch
from harness.store.schema import BLOCK, BUILD, CAMPAIGN, CELL, DEVICE, EXCLUSION, LAUNCH, MODEL, TROUBLE

Rows = Sequence[Row[Any]]
_SHOWN = 8
_LOOKED_AT = 500  # devices of campaigns: a year of nights in a small lab


def campaigns(connection: Connection, *, limit: int | None = None) -> tuple[Campaign, ...]:
    """Newest first."""
    newest = select(CAMPAIGN).order_by(CAMPAIGN.c.started_at.desc(), CAMPAIGN.c.id.desc()).limit(limit)
    return tuple(_campaign(row) for row in connection.execute(newest))


def find(connection: Connection, start: str) -> str:
    """The id of the one campaign whose id begins with `start`. Raises CampaignUnknown with what there is."""
    ids = [campaign.id for campaign in campaigns(connection)]
    matches = [start] if start in ids else [identity for identity in ids if start and identity.startswith(start)]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join((matches or ids)[:_SHOWN]) + (", ..." if len(matches or ids) > _SHOWN else "")
    if matches:
        raise CampaignUnknown(f"{len(matches)} campaigns begin with {start}: {listed}; give more of the id")
    raise CampaignUnknown(
        f"no campaign {start!r:.80}; " + (f"there are {listed}" if ids else "there is none yet, run one")
    )


def load(connection: Connection, identity: str) -> StoredCampaign:
    """A whole campaign. Launches of blocks that are not complete stay behind."""
    row = connection.execute(select(CAMPAIGN).where(CAMPAIGN.c.id == identity)).one()
    models = [loads(item.content, Model | ModelFailed) for item in _rows(connection, MODEL, identity)]
    cells = _rows(connection, CELL, identity)
    builds = _rows(connection, BUILD, identity)
    return StoredCampaign(
        campaign=_campaign(row),
        environment=loads(row.environment, Mapping[str, str]),
        devices=tuple(loads(item.content, DeviceFacts) for item in _rows(connection, DEVICE, identity)),
        models=tuple(model for model in models if isinstance(model, Model)),
        models_failed=tuple(model for model in models if isinstance(model, ModelFailed)),
        exclusions=tuple(loads(item.content, Exclusion) for item in _rows(connection, EXCLUSION, identity)),
        cells=tuple(loads(item.content, Cell) for item in cells),
        skipped={item.id: reason for item in cells if (reason := loads(item.skipped, str | None)) is not None},
        builds=tuple(blobs.unpack(item.codec, item.content, BuildOutcome) for item in builds),
        blocks=tuple(_block(item) for item in _rows(connection, BLOCK, identity)),
        launches=tuple(_launch(item) for item in _launches(connection, identity)),
        troubles=_troubles(connection.execute(_TROUBLES.where(TROUBLE.c.campaign == identity)).all()),
    )


_TROUBLES = select(TROUBLE.c.content).order_by(TROUBLE.c.id)


def troubles(connection: Connection) -> tuple[Trouble, ...]:
    """Those of all devices, oldest first."""
    return _troubles(connection.execute(_TROUBLES).all())


def _troubles(rows: Rows) -> tuple[Trouble, ...]:
    return tuple(loads(row.content, Trouble) for row in rows)


def campaigns_with(connection: Connection, device: str, limit: int) -> tuple[str, ...]:
    """The newest campaigns that a device took part in, by what it is known by."""
    joined = DEVICE.join(CAMPAIGN, DEVICE.c.campaign == CAMPAIGN.c.id)
    newest = select(DEVICE.c.campaign, DEVICE.c.content).select_from(joined).order_by(CAMPAIGN.c.started_at.desc())
    found: list[str] = []
    for row in connection.execute(newest.limit(_LOOKED_AT)):
        if len(found) < limit and identity_of(loads(row.content, DeviceFacts)) == device:
            found.append(row.campaign)
    return tuple(found)


def _rows(connection: Connection, table: Table, campaign: str) -> Rows:
    return connection.execute(select(table).where(table.c.campaign == campaign).order_by(table.c.position)).all()


def _launches(connection: Connection, campaign: str) -> Rows:
    complete = (BLOCK.c.campaign == campaign) & (BLOCK.c.state == BlockState.COMPLETE.value)
    joined = LAUNCH.join(BLOCK, LAUNCH.c.block == BLOCK.c.id)
    in_order = select(LAUNCH).select_from(joined).where(complete).order_by(BLOCK.c.position, LAUNCH.c.position)
    return connection.execute(in_order).all()


def _campaign(row: Row[Any]) -> Campaign:
    campaign: Campaign = loads(row.content, Campaign)
    return replace(campaign, ended_at=row.ended_at)


def _block(row: Row[Any]) -> BlockRecord:
    begun: BlockRecord = loads(row.content, BlockRecord)
    after = loads(row.canary_after, Canary | None) if row.canary_after is not None else None
    return replace(begun, state=BlockState(row.state), canary_after=after, why=row.why)


def _launch(row: Row[Any]) -> StoredLaunch:
    return StoredLaunch(block=row.block, cell=row.cell, position=row.position, outcome=_outcome(row))


def _outcome(row: Row[Any]) -> LaunchOutcome:
    outcome: LaunchOutcome = blobs.unpack(row.codec, row.content, LaunchOutcome)
    if not isinstance(outcome, LaunchRecord):
        return outcome
    samples = blobs.unpack_samples(row.codec, row.samples)
    return replace(
        outcome,
        samples_ns=samples.samples_ns,
        cpu_ns=samples.cpu_ns,
        starts_ns=samples.starts_ns,
        warmup_ns=samples.warmup_ns,
        ops=blobs.unpack(row.codec, row.ops, OpTable) if row.ops is not None else None,
    )
