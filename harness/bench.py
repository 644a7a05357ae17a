"""The steps of a run, each one call: take models in, plan, build, measure, resume.

Knows no kind of device and draws no report: devices come in through their port, results go out through the store.
"""

import os
import platform
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.campaign import Loadable, Progress, run_campaign
from harness.core.campaign import Campaign, CampaignResult, ModelFailed
from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError, DataUnreadable, ModelUnreadable
from harness.core.model import Model
from harness.core.outcome import Failed
from harness.core.ports import Device
from harness.core.units import Seconds
from harness.core.variant import BuildFailed, BuildOutcome, Variant, VariantSpec
from harness.journal import Journal
from harness.plan import Plan, Wishes, estimate, schedule, with_source

if TYPE_CHECKING:
    from harness.config import Config, FileModel, SampleModel
    from harness.store import Store
    from harness.store.records import StoredCampaign

Step = Callable[[int, int, str, Seconds | None], None]

# A build that has not ended by then hangs: ResNet-sized models take seconds.
_BUILD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a bench keeps its files, below one directory."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "bench.db"

    @property
    def variants(self) -> Path:
        return self.root / "variants"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def reports(self) -> Path:
        return self.root / "reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The models of a configuration: those that can be used with their variants, and those that cannot."""

    models: tuple[Model, ...]
    failed: tuple[ModelFailed, ...]
    specs: Mapping[str, tuple[VariantSpec, ...]]


def take_in(config: "Config", places: Places) -> Intake:
    """Read every model of a configuration; one that cannot be read does not stop the others."""
    from harness.variants.recipes import default_variants

    models: list[Model] = []
    failed: list[ModelFailed] = []
    specs: dict[str, tuple[VariantSpec, ...]] = {}
    for entry in config.sources:
        try:
            model = _open(entry, places)
        except (ModelUnreadable, DataUnreadable) as error:
            failed.append(ModelFailed(name=entry.name, path=error.path, error=str(error)))
            continue
        models.append(model)
        specs[model.name] = config.specs(model.name, default_variants(model))
    return Intake(models=tuple(models), failed=tuple(failed), specs=specs)


def _open(entry: "FileModel | SampleModel", places: Places) -> Model:
    from harness.config import SampleModel

    if isinstance(entry, SampleModel):
        from harness.sources.samples import sample_model

        return sample_model(entry.sample, places.models)
    from harness.fidelity.evaluation import dataset_of
    from harness.sources.tflite import read_model

    model = read_model(entry.path, name=entry.name, data=entry.data, metric=entry.metric)
    if model.data is not None:
        dataset_of(model)  # data that does not fit fails the model here, not each of its variants
    return model


def wishes(config: "Config", intake: Intake) -> Wishes:
    return Wishes(specs=intake.specs, units=config.units, settings=config.settings)


def begin(
    store: "Store", config: "Config", path: Path, intake: Intake, plan: Plan, devices: Sequence[DeviceFacts]
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
        config_path=str(path.absolute()),
        specs=plan.specs,
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


def build(store: "Store", stored: "StoredCampaign", places: Places, step: Step) -> tuple[BuildOutcome, ...]:
    """Build what a campaign needs and save each result once. What was built before comes from the cache."""
    from harness.variants.build import build_variants

    models = {model.name: model for model in stored.models}
    known = {(b.model, b.name): b for b in stored.builds}
    due = [spec for spec in stored.campaign.specs if not _is_there(known.get((spec.model, spec.name)))]

    def save(outcome: BuildOutcome) -> None:
        store.save_build(stored.campaign.id, outcome)
        count(outcome)

    count = Counter(len(due), step)
    orders = [(models[spec.model], spec) for spec in due]
    built = build_variants(orders, cache=places.variants, timeout_s=_BUILD_TIMEOUT_S, progress=save)
    kept = [outcome for outcome in known.values() if _is_there(outcome)]
    return (*kept, *built)


def _is_there(outcome: BuildOutcome | None) -> bool:
    """What failed is tried again: on a resume the reason may be gone."""
    return isinstance(outcome, Variant) and outcome.path.is_file()


def loadables(
    models: Sequence[Model], builds: Sequence[BuildOutcome], directory: Path
) -> dict[tuple[str, str], Loadable]:
    """What launches need of each variant: the model's first sample in the variant's own dtypes, and its graph."""
    from harness.fidelity.evaluation import dataset_of
    from harness.fidelity.host import write_input_files
    from harness.sources.tflite import read_graph

    datasets = {model.name: dataset_of(model) for model in models}
    return {
        (variant.model, variant.name): Loadable(
            variant=variant,
            inputs=write_input_files(variant.inputs, datasets[variant.model], directory),
            graph=read_graph(variant.path),
        )
        for variant in builds
        if isinstance(variant, Variant)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchers:
    """Who is told of each build and each launch: (done, total, what, seconds left or None)."""

    built: Step
    launched: Step


def carry_out(
    store: "Store", campaign: str, devices: Mapping[str, Device], places: Places, watchers: Watchers
) -> tuple[str, ...]:
    """Build and measure all that a campaign does not have yet, then close it.

    Used by a new run and by a resume alike. Returns why devices were given up; the campaign then stays open.
    Raises ConfigError where a model file is no longer the one that was planned, StoreError, and KeyboardInterrupt.
    """
    store.tear_open_blocks(campaign)
    stored = store.load(campaign)
    check_unchanged(stored.models)
    builds = build(store, stored, places, watchers.built)
    ready = loadables(stored.models, builds, places.inputs)
    blocks = schedule([cell for cell in stored.cells if cell.id not in stored.skipped], stored.campaign.seed)

    def tell(step: Progress) -> None:
        watchers.launched(step.done, step.total, step.text, step.left_s)

    given_up = run_campaign(blocks, ready, devices, Journal(store, stored), tell)
    if not given_up:
        store.end_campaign(campaign, time.time())
    return given_up


def refusal_of(recipe: str, model: Model) -> str | None:
    """Why a recipe cannot work on a model, None where it may. Raises RecipeUnknown."""
    from harness.variants.recipes import parse, refusal

    return refusal(parse(recipe), model)


def build_only(intake: Intake, format_: str, places: Places, step: Step) -> tuple[BuildOutcome, ...]:
    """The variants of every model of a format, source first, without a campaign. Refused recipes are BuildFailed."""
    from harness.variants.build import build_variants

    orders: list[tuple[Model, VariantSpec]] = []
    refused: list[BuildOutcome] = []
    for model in (model for model in intake.models if model.format == format_):
        for spec in with_source(model, intake.specs[model.name]):
            if reason := None if spec.prebuilt else refusal_of(spec.recipe, model):
                refused.append(
                    BuildFailed(model=model.name, name=spec.name, recipe=spec.recipe, error=reason, refused=True)
                )
            else:
                orders.append((model, spec))
    count = Counter(len(orders), step)
    return (*build_variants(orders, cache=places.variants, timeout_s=_BUILD_TIMEOUT_S, progress=count), *refused)


class Counter:
    """Turns finished builds into steps of progress."""

    def __init__(self, total: int, step: Step) -> None:
        self._done, self._total, self._step = 0, total, step

    def __call__(self, outcome: BuildOutcome) -> None:
        self._done += 1
        self._step(self._done, self._total, f"{outcome.model} {outcome.name}", None)


def estimate_s(plan: Plan, models: Sequence[Model]) -> Seconds:
    """About how long measuring a plan takes, from the multiply-accumulates of its models."""
    from harness.sources.tflite import read_graph

    macs = {model.name: sum(node.macs or 0 for node in read_graph(model.path).nodes) for model in models}
    return estimate(plan.runnable(), macs)


def read(places: Places, campaign: str | None) -> CampaignResult:
    """A campaign by its id or the start of it, the latest without. Raises ConfigError where there is none."""
    from harness.results import assemble
    from harness.store import Store

    if not places.store.exists():
        raise ConfigError(f"{places.store}: no campaign yet; measure one with `run_bench.py run`")
    with Store.open(places.store) as store:
        if campaign is None:
            latest = store.latest()
            if latest is None:
                raise ConfigError(f"{places.store}: no campaign yet; measure one with `run_bench.py run`")
            campaign = latest.id
        return assemble(store.load(campaign))


def is_complete(result: CampaignResult) -> bool:
    """Whether everything that was asked for came about. Skipped and invalid cells are fine."""
    failed = any(isinstance(cell.outcome, Failed) for cell in result.cells)
    unbuilt = any(not build.refused for build in result.builds_failed)
    return not (failed or unbuilt or result.models_failed or result.campaign.ended_at is None)


def prune(places: Places) -> tuple[int, int]:
    """Remove built variants of no use to any campaign; the number of files and bytes that went."""
    from harness.variants.cache import prune as prune_cache

    gone = prune_cache(places.variants, now=time.time())
    return gone.entries + gone.files, gone.freed_bytes


def unfinished(store: "Store", text: str | None, identity: str | None) -> Campaign | None:
    """The campaign to resume: the one named, else the latest unfinished one, of this configuration's text if given.

    Where all are finished it is the latest of them, so that a resume says again what came of it.
    """
    candidates = [c for c in store.campaigns() if text is None or c.config == text]
    if identity is not None:
        candidates = [c for c in candidates if c.id.startswith(identity)]
    return next((c for c in candidates if c.ended_at is None), next(iter(candidates), None))


def check_unchanged(models: Sequence[Model]) -> None:
    from harness.core import digest

    for model in models:
        if not model.path.is_file() or digest.of_file(model.path) != model.digest:
            raise ConfigError(f"{model.path}: is no longer the model that was planned; start a new run")
