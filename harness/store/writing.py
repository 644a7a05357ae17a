"""Nouns into rows. Each function is one step inside a transaction of the caller's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from harness.core.campaign import Campaign, ModelFailed
from harness.core.cell import Cell
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.errors import StoreError
from harness.core.launch import LaunchOutcome, LaunchRecord, OpTable
from harness.core.model import Model
from harness.core.trouble import Trouble
from harness.core.variant import BuildOutcome, Variant
from harness.store import blobs
from harness.store.codec import dumps
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch
from harness.store.schema import BLOCK, BUILD, CAMPAIGN, CELL, DEVICE, EXCLUSION, LAUNCH, MODEL, TROUBLE

Row = Mapping[str, object]


def insert_campaign(connection: Connection, stored: StoredCampaign) -> None:
    """A campaign with all that is known before the first build; its builds, blocks and launches come later."""
    campaign = stored.campaign
    unknown = stored.skipped.keys() - {cell.id for cell in stored.cells}
    if unknown:
        raise StoreError(f"campaign {campaign.id}: skipped cells that are not among its cells: {', '.join(unknown)}")
    if connection.execute(select(CAMPAIGN.c.id).where(CAMPAIGN.c.id == campaign.id)).first():
        raise StoreError(f"campaign {campaign.id} is there already; a new run needs a new id")
    _insert(connection, CAMPAIGN, [_campaign_row(campaign, stored.environment)])
    _insert(connection, DEVICE, [_device_row(campaign.id, *item) for item in enumerate(stored.devices)])
    models: tuple[Model | ModelFailed, ...] = stored.models + stored.models_failed
    _insert(connection, MODEL, [_model_row(campaign.id, *item) for item in enumerate(models)])
    _insert(connection, EXCLUSION, [_exclusion_row(campaign.id, *item) for item in enumerate(stored.exclusions)])
    _insert(connection, CELL, [_cell_row(campaign.id, *item, stored.skipped) for item in enumerate(stored.cells)])


def end_campaign(connection: Connection, identity: str, ended_at: float) -> None:
    changed = connection.execute(update(CAMPAIGN).where(CAMPAIGN.c.id == identity).values(ended_at=ended_at))
    if not changed.rowcount:
        raise _no_campaign(identity)


def replace_build(connection: Connection, campaign: str, outcome: BuildOutcome) -> None:
    """The outcome of a build; an earlier one of the same variant (before a resume) gives way."""
    _require_campaign(connection, campaign)
    mine = (BUILD.c.campaign == campaign) & (BUILD.c.model == _plain(outcome.model))
    connection.execute(delete(BUILD).where(mine & (BUILD.c.name == _plain(outcome.name))))
    position = _next(connection, BUILD, campaign)
    built = outcome if isinstance(outcome, Variant) else None
    row = {
        "campaign": campaign,
        "position": position,
        "model": _plain(outcome.model),
        "name": _plain(outcome.name),
        "recipe": _plain(outcome.recipe),
        "digest": _plain(built.digest) if built else None,
        "size_bytes": built.size_bytes if built else None,
        "zip_bytes": built.zip_bytes if built else None,
        "error": None if isinstance(outcome, Variant) else _plain(outcome.error),
        "codec": blobs.CODEC,
        "content": blobs.pack(outcome, BuildOutcome),
    }
    _insert(connection, BUILD, [row])


def insert_block(connection: Connection, block: BlockRecord) -> None:
    if block.state is not BlockState.BEGUN or block.canary_after is not None:
        raise StoreError(f"block {block.id} begins as {block.state} or with its last canary; begin it, then end it")
    _require_campaign(connection, block.campaign)
    if connection.execute(select(BLOCK.c.id).where(BLOCK.c.id == block.id)).first():
        raise StoreError(f"block {block.id} is there already; a block that is run again needs a new id")
    row = {
        "id": block.id,
        "campaign": block.campaign,
        "position": _next(connection, BLOCK, block.campaign),
        "device": _plain(block.device),
        "grouping": _plain(block.group),
        "pass": block.pass_.value,
        "number": block.index,
        "state": block.state.value,
        "content": dumps(block, BlockRecord),
    }
    _insert(connection, BLOCK, [row])


def complete_block(connection: Connection, identity: str, canary_after: Canary | None) -> None:
    _require_begun(connection, identity)
    values = {"state": BlockState.COMPLETE.value, "canary_after": dumps(canary_after, Canary | None)}
    connection.execute(update(BLOCK).where(BLOCK.c.id == identity).values(values))


def tear_block(connection: Connection, identity: str, why: str) -> None:
    """A block whose launches came to nothing while the campaign goes on."""
    _require_begun(connection, identity)
    values = {"state": BlockState.TORN.value, "why": _plain(why)}
    connection.execute(update(BLOCK).where(BLOCK.c.id == identity).values(values))


def insert_trouble(connection: Connection, trouble: Trouble) -> None:
    if trouble.campaign is not None:
        _require_campaign(connection, trouble.campaign)
    row = {
        "device": _plain(trouble.device),
        "name": _plain(trouble.name),
        "at": trouble.at,
        "campaign": trouble.campaign,
        "kind": trouble.kind.value,
        "content": dumps(trouble, Trouble),
    }
    _insert(connection, TROUBLE, [row])


def tear_blocks(connection: Connection, campaign: str) -> int:
    """Marks the blocks that were begun and never ended; gives their number."""
    _require_campaign(connection, campaign)
    begun = (BLOCK.c.campaign == campaign) & (BLOCK.c.state == BlockState.BEGUN.value)
    return connection.execute(update(BLOCK).where(begun).values(state=BlockState.TORN.value)).rowcount


def insert_launch(connection: Connection, launch: StoredLaunch) -> None:
    campaign = _require_begun(connection, launch.block)
    known = select(CELL.c.id).where((CELL.c.campaign == campaign) & (CELL.c.id == launch.cell))
    if not connection.execute(known).first():
        raise StoreError(f"campaign {campaign} has no cell {launch.cell}; only planned cells can be measured")
    here = (LAUNCH.c.block == launch.block) & (LAUNCH.c.position == launch.position)
    attempt = launch.outcome.attempt
    if connection.execute(select(LAUNCH.c.block).where(here)).first():
        raise StoreError(f"block {launch.block} has a launch at position {launch.position} already; it counts once")
    if connection.execute(select(LAUNCH.c.block).where(LAUNCH.c.attempt == attempt)).first():
        raise StoreError(f"attempt {attempt} is saved already; each launch needs an attempt of its own")
    place = {"block": launch.block, "position": launch.position, "campaign": campaign, "cell": launch.cell}
    _insert(connection, LAUNCH, [place | dict(_launch_row(launch.outcome))])


def _launch_row(outcome: LaunchOutcome) -> Row:
    row = {"attempt": outcome.attempt, "pass": outcome.pass_.value, "codec": blobs.CODEC}
    if not isinstance(outcome, LaunchRecord):
        failure = {"failure": outcome.kind.value, "exit_code": outcome.exit_code}
        return row | failure | {"content": blobs.pack(outcome, LaunchOutcome)}
    rest = replace(outcome, samples_ns=(), cpu_ns=(), starts_ns=(), warmup_ns=(), ops=None)
    return row | {
        "started_at": outcome.started_at,
        "wall_s": outcome.wall_s,
        "median_ns": None if outcome.median_ns is None else float(outcome.median_ns),
        "content": blobs.pack(rest, LaunchOutcome),
        "samples": blobs.pack_samples(blobs.Samples.of(outcome)),
        "ops": blobs.pack(outcome.ops, OpTable) if outcome.ops is not None else None,
    }


def _campaign_row(campaign: Campaign, environment: Mapping[str, str]) -> Row:
    return {
        "id": campaign.id,
        "name": _plain(campaign.name),
        "started_at": campaign.started_at,
        "ended_at": campaign.ended_at,
        "version": campaign.version,
        "content": dumps(campaign, Campaign),
        "environment": dumps(environment, Mapping[str, str]),
    }


def _device_row(campaign: str, position: int, device: DeviceFacts) -> Row:
    return {
        "campaign": campaign,
        "position": position,
        "name": _plain(device.name),
        "family": _plain(device.family),
        "simulated": int(device.simulated),
        "content": dumps(device, DeviceFacts),
    }


def _model_row(campaign: str, position: int, model: Model | ModelFailed) -> Row:
    return {
        "campaign": campaign,
        "position": position,
        "name": _plain(model.name),
        "digest": _plain(model.digest) if isinstance(model, Model) else None,
        "error": None if isinstance(model, Model) else _plain(model.error),
        "content": dumps(model, Model | ModelFailed),
    }


def _exclusion_row(campaign: str, position: int, exclusion: Exclusion) -> Row:
    return {
        "campaign": campaign,
        "position": position,
        "what": _plain(exclusion.what),
        "reason": _plain(exclusion.reason),
        "content": dumps(exclusion, Exclusion),
    }


def _cell_row(campaign: str, position: int, cell: Cell, skipped: Mapping[str, str]) -> Row:
    return {
        "campaign": campaign,
        "id": cell.id,
        "position": position,
        "model": _plain(cell.model),
        "variant": _plain(cell.variant),
        "recipe": _plain(cell.recipe),
        "device": _plain(cell.device),
        "unit": str(cell.unit),
        "is_source": int(cell.is_source),
        "skipped": dumps(skipped.get(cell.id), str | None),
        "content": dumps(cell, Cell),
    }


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:  # no rows would be read as one row of defaults
        connection.execute(insert(table), list(rows))


def _next(connection: Connection, table: Table, campaign: str) -> int:
    """The position after the last; nobody else writes within this transaction."""
    last = connection.execute(select(func.max(table.c.position)).where(table.c.campaign == campaign)).scalar()
    return 0 if last is None else last + 1


def _require_campaign(connection: Connection, identity: str) -> None:
    if not connection.execute(select(CAMPAIGN.c.id).where(CAMPAIGN.c.id == identity)).first():
        raise _no_campaign(identity)


def _require_begun(connection: Connection, block: str) -> str:
    """The campaign of a block that takes launches."""
    row = connection.execute(select(BLOCK.c.state, BLOCK.c.campaign).where(BLOCK.c.id == block)).first()
    if row is None:
        raise StoreError(f"there is no block {block}; begin it first")
    if row.state != BlockState.BEGUN.value:
        raise StoreError(f"block {block} is {row.state} and takes nothing more; begin another")
    return str(row.campaign)


def _no_campaign(identity: str) -> StoreError:
    return StoreError(f"there is no campaign {identity}; begin it first")


def _plain(text: str) -> str:
    """Text as a column takes it: a lone surrogate, as a file's name may hold, is escaped. The content has it whole."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
