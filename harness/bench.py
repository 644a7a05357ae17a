"""The steps of a run, each one call: begin, build, measure, resume, read.

Knows no kind of device and draws no report: devices come in through their port, results go out through the store.
"""

import os
import platform
import secrets
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.building import Step, build
from harness.campaign import run_campaign
from harness.core import digest
from harness.core.campaign import Campaign, CampaignResult
from harness.core.cell import Cell
from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError
from harness.core.interruption import Check, never
from harness.core.model import Model
from harness.core.outcome import Failed, Skipped
from harness.core.ports import Device
from harness.core.units import Seconds
from harness.core.variant import BuildOutcome, Variant, VariantSpec
from harness.countdown import Progress
from harness.intake import Intake
from harness.journal import Journal
from harness.launching import Loadable
from harness.places import Places
from harness.plan import Plan, estimate, schedule
from harness.quarantine import Quarantine, is_quarantine

if TYPE_CHECKING:
    from harness.config import Config
    from harness.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a campaign comes from: its configuration's file, and whether simulated devices stand in."""

    path: Path
    dry_run: bool = False


def begin(
    store: "Store", config: "Config", origin: Origin, intake: Intake, plan: Plan, devices: Sequence[DeviceFacts]
) -> str:
    """Write a new campaign with all its cells to the store; the answer is its id."""
    started = time.time()
    campaign = Campaign(
        id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(started))}-{secrets.token_hex(3)}",
        name=config.name,
        started_at=started,
        ended_at=None,
        config=config.text,
        command=shlex.join(("python", *sys.argv)),
        seed=config.seed,
        version=__version__,
        bands=config.bands,
        config_path=str(origin.path.absolute()),
        dry_run=origin.dry_run,
        specs=plan.specs,
        limits=dict(zip([device.name for device in devices], config.device_limits, strict=True)),
    )
    store.begin_campaign(
        campaign,
        environment=environment(),
        devices=devices,
        models=intake.models,
        models_failed=intake.failed,
        exclusions=plan.exclusions,
        cells=plan.cells,
        skipped=plan.skipped,
    )
    return campaign.id


def environment() -> Mapping[str, str]:
    """Facts of the host that drives the campaign, never of a device."""
    from importlib import metadata

    packages = ("ai-edge-litert", "ai-edge-quantizer", "numpy", "coremltools")
    versions = {name: metadata.version(name) for name in packages}
    host = {"weighbridge": __version__, "python": platform.python_version(), "host": platform.platform()}
    return {**host, **versions, "processors": str(os.cpu_count())}


def loadables(
    models: Sequence[Model], builds: Sequence[BuildOutcome], directory: Path
) -> dict[tuple[str, str], Loadable]:
    """What launches need of each variant: the model's first sample in the variant's own dtypes, and its graph."""
    found: dict[tuple[str, str], Loadable] = {}
    for model in models:  # one at a time: data may be large
        variants = [built for built in builds if isinstance(built, Variant) and built.model == model.name]
        found |= {(model.name, each.variant.name): each for each in _loadables_of(model, variants, directory)}
    return found


def _measured(builds: Sequence[BuildOutcome], cells: Sequence[Cell]) -> list[BuildOutcome]:
    """The builds that some cell runs; the others are for their sizes and scores."""
    wanted = {(cell.model, cell.variant) for cell in cells}
    return [built for built in builds if (built.model, built.name) in wanted]


def _loadables_of(model: Model, variants: Sequence[Variant], directory: Path) -> tuple[Loadable, ...]:
    from harness.fidelity.evaluation import dataset_of
    from harness.fidelity.inputs import write_input_files
    from harness.sources.reading import read_graph, signature_in

    if not variants:
        return ()
    dataset = dataset_of(model)
    signatures = [signature_in(variant.path, model) for variant in variants]
    return tuple(
        Loadable(
            variant=variant,
            inputs=write_input_files(variant.inputs, dataset, directory),
            graph=read_graph(variant.path, signature),
            signature=signature,
        )
        for variant, signature in zip(variants, signatures, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchers:
    """Who is told of each build and each launch: (done, total, what, seconds left or None).

    check is called at safe points, several times a second; it raises KeyboardInterrupt where somebody asked to end.
    """

    built: Step
    launched: Step
    check: Check = never


def carry_out(
    store: "Store",
    campaign: str,
    devices: Mapping[str, Device],
    places: Places,
    watchers: Watchers,
    quarantined: Mapping[str, Quarantine],
) -> tuple[str, ...]:
    """Build and measure all that a campaign does not have yet, then close it.

    Used by a new run and by a resume alike. Returns why devices were given up; the campaign then stays open. A device
    that is another than when the campaign began is one of them, as is one that came into quarantine since.
    Raises ConfigError where a model file is no longer the one that was planned, or no device is, StoreError, and
    KeyboardInterrupt.
    """
    store.tear_open_blocks(campaign)
    stored = store.load(campaign)
    check_models_unchanged(stored.models, stored.campaign.specs)
    changed = changed_devices(stored.devices, [device.facts for device in devices.values()])
    if len(changed) == len(stored.devices):
        raise ConfigError(*_sentences(changed))
    journal, limits = Journal(store, stored), stored.campaign.limits
    planned = [cell for cell in stored.cells if cell.id not in stored.skipped]
    blocks = schedule(planned, stored.campaign.seed)
    waiting = {block.device for block in blocks if not journal.is_done(block)}
    left_out = {**{name: kept.reason for name, kept in quarantined.items() if name in waiting}, **changed}
    builds = build(store, stored, places.variants, watchers.built, watchers.check)
    watchers.check()
    ready = loadables(stored.models, _measured(builds, planned), places.inputs)
    left = [block for block in blocks if block.device not in left_out]

    def tell(step: Progress) -> None:
        watchers.launched(step.done, step.total, step.text, step.left_s)

    given_up = _sentences(left_out) + run_campaign(left, ready, devices, journal, tell, watchers.check, limits)
    if not given_up:
        store.end_campaign(campaign, time.time())
    return given_up


def _sentences(reasons: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}: {why}" for name, why in reasons.items())


def estimate_s(plan: Plan, models: Sequence[Model]) -> Seconds:
    """About how long measuring a plan takes, from the multiply-accumulates of its models."""
    from harness.sources.reading import read_macs

    macs = {model.name: read_macs(model.path, model.signature) for model in models}
    return estimate(plan.runnable(), macs)


def read(places: Places, campaign: str | None) -> CampaignResult:
    """A campaign by its id or the start of it, the latest without. Raises ConfigError where there is none."""
    from harness.results import assemble
    from harness.store import Store

    none_yet = ConfigError(f"{places.store}: no campaign yet; measure one with `run_bench.py run`")
    if not places.store.exists():
        raise none_yet
    with Store.open(places.store) as store:
        latest = store.latest()
        if latest is None:
            raise none_yet
        return assemble(store.load(campaign or latest.id))


def is_complete(result: CampaignResult) -> bool:
    """Whether everything that was asked for came about. Skipped and invalid cells are fine, but for quarantine."""
    failed = any(isinstance(cell.outcome, Failed) for cell in result.cells)
    failed |= any(isinstance(cell.outcome, Skipped) and is_quarantine(cell.outcome.reason) for cell in result.cells)
    unbuilt = any(not build.refused for build in result.builds_failed)
    absent = any(not device.units for device in result.devices)
    return not (failed or unbuilt or absent or result.models_failed or result.campaign.ended_at is None)


def prune(places: Places) -> tuple[int, int]:
    """Remove what this version would build anew, and what is left over; the number of files and bytes that went."""
    from harness.variants.cache import prune as prune_cache

    gone = prune_cache(places.variants, now=time.time())
    return gone.entries + gone.files, gone.freed_bytes


def unfinished(store: "Store", text: str | None) -> Campaign | None:
    """The campaign to resume: the latest unfinished one, of this configuration's text if given.

    Where all are finished it is the latest of them, so that a resume says again what came of it.
    """
    candidates = [c for c in store.campaigns() if text is None or c.config == text]
    return next((c for c in candidates if c.ended_at is None), next(iter(candidates), None))


def check_models_unchanged(models: Sequence[Model], specs: Sequence[VariantSpec] = ()) -> None:
    """Raises ConfigError where a model's file, its data or a variant built elsewhere is no longer what was planned.

    A variant's file that was missing from the start has no digest, and may have come since.
    """
    files = [("model", model.path, model.digest) for model in models]
    files += [("data", model.data, model.data_digest or "") for model in models if model.data is not None]
    files += [("variant", s.prebuilt, s.prebuilt_digest) for s in specs if s.prebuilt and s.prebuilt_digest]
    for what, path, planned in files:
        if not (path.exists() and digest.of_path(path) == planned):
            raise ConfigError(f"{path}: is no longer the {what} that was planned; start a new run")


def changed_devices(planned: Sequence[DeviceFacts], found: Sequence[DeviceFacts]) -> dict[str, str]:
    """Devices that are others, or run something else, than when the campaign began: by name, in what.

    One that does not answer now is not judged, nor is one that did not answer then.
    """
    now = {facts.name: facts for facts in found}
    whys = {before.name: _change(before, now.get(before.name)) for before in planned if not before.is_absent}
    return {name: f"{why}; start a new run" for name, why in whys.items() if why}


def _change(before: DeviceFacts, after: DeviceFacts | None) -> str | None:
    if after is None:
        return "is no longer among the devices"
    if after.is_absent:
        return None
    named = () if before.runtime is None else ("runtime",)  # older campaigns did not say
    itself = () if before.serial is None else ("serial",)
    for key in (*itself, "family", "simulated", "os", "arch", "processor", "cores", "runtimes", *named):
        old, new = getattr(before, key), getattr(after, key)
        if old != new:
            return f"{key} was {old} when the campaign began and is {new}"
    return None
