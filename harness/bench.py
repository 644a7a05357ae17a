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
from harness.campaign import Loadable, Report, run_campaign
from harness.core.campaign import Campaign, ModelFailed
from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError, DataUnreadable, ModelUnreadable
from harness.core.launch import MeasureSettings
from harness.core.model import Model
from harness.core.ports import Device
from harness.core.variant import BuildFailed, BuildOutcome, Variant, VariantSpec
from harness.journal import Journal
from harness.plan import Plan, Wishes, schedule

if TYPE_CHECKING:
    from harness.config import Config, FileModel, SampleModel
    from harness.store import Store
    from harness.store.records import StoredCampaign

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
    from harness.config import PrebuiltVariant

    models: list[Model] = []
    failed: list[ModelFailed] = []
    specs: dict[str, tuple[VariantSpec, ...]] = {}
    for entry in config.models:
        if isinstance(entry, PrebuiltVariant):
            continue
        try:
            model = _open(entry, places)
        except (ModelUnreadable, DataUnreadable) as error:
            failed.append(ModelFailed(name=entry.name, path=error.path, error=str(error)))
            continue
        models.append(model)
        specs[model.name] = _specs(config, entry, model)
    return Intake(models=tuple(models), failed=tuple(failed), specs=specs)


def _open(entry: "FileModel | SampleModel", places: Places) -> Model:
    from harness.config import SampleModel

    if isinstance(entry, SampleModel):
        from harness.sources.samples import sample_model

        return sample_model(entry.sample, places.models)
    from harness.fidelity.evaluation import load_dataset
    from harness.sources.tflite import read_model

    model = read_model(entry.path, name=entry.name, data=entry.data, metric=entry.metric)
    if entry.data is not None:
        load_dataset(entry.data, model.inputs)
    return model


def _specs(config: "Config", entry: "FileModel | SampleModel", model: Model) -> tuple[VariantSpec, ...]:
    from harness.config import PrebuiltVariant
    from harness.variants.recipes import default_variants

    forms = entry.variants if entry.variants is not None else config.variants
    wanted = [(f.name, f.recipe) for f in forms] if forms else [(r, r) for r in default_variants(model)]
    built = [VariantSpec(model=model.name, name=name, recipe=recipe) for name, recipe in wanted]
    given = [
        VariantSpec(model=model.name, name=other.name, recipe="prebuilt", prebuilt=other.path)
        for other in config.models
        if isinstance(other, PrebuiltVariant) and other.of == model.name
    ]
    return (*built, *given)


def wishes(config: "Config", intake: Intake) -> Wishes:
    settings = MeasureSettings(**config.measure.model_dump())
    return Wishes(specs=intake.specs, units=config.units, settings=settings)


def begin(store: "Store", config: "Config", intake: Intake, plan: Plan, devices: Sequence[DeviceFacts]) -> str:
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
        specs=plan.specs,
    )
    return campaign.id


def environment() -> Mapping[str, str]:
    """Facts of the host that drives the campaign, never of a device."""
    from importlib import metadata

    packages = ("ai-edge-litert", "ai-edge-quantizer", "numpy", "coremltools")
    versions = {name: metadata.version(name) for name in packages}
    host = {"weighbridge": __version__, "python": platform.python_version(), "host": platform.platform()}
    return {**host, **versions, "processors": str(os.cpu_count())}


def build(
    store: "Store", stored: "StoredCampaign", places: Places, progress: Callable[[BuildOutcome], None]
) -> tuple[BuildOutcome, ...]:
    """Build what a campaign needs and save each result once. What was built before comes from the cache."""
    from harness.variants.build import build_variants

    models = {model.name: model for model in stored.models}
    known = {(b.model, b.name): b for b in stored.builds}
    due = [spec for spec in stored.specs if not _is_there(known.get((spec.model, spec.name)))]

    def save(outcome: BuildOutcome) -> None:
        if (outcome.model, outcome.name) not in known:
            store.save_build(stored.campaign.id, outcome)
        progress(outcome)

    orders = [(models[spec.model], spec) for spec in due]
    built = build_variants(orders, cache=places.variants, timeout_s=_BUILD_TIMEOUT_S, progress=save)
    kept = [outcome for outcome in known.values() if _is_there(outcome)]
    return (*kept, *built)


def _is_there(outcome: BuildOutcome | None) -> bool:
    return isinstance(outcome, BuildFailed) or (isinstance(outcome, Variant) and outcome.path.is_file())


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
    """Who is told of each build and each launch."""

    built: Callable[[BuildOutcome], None]
    launched: Report


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
    given_up = run_campaign(blocks, ready, devices, Journal(store, stored), watchers.launched)
    if not given_up:
        store.end_campaign(campaign, time.time())
    return given_up


def check_unchanged(models: Sequence[Model]) -> None:
    from harness.core import digest

    for model in models:
        if not model.path.is_file() or digest.of_file(model.path) != model.digest:
            raise ConfigError(f"{model.path}: is no longer the model that was planned; start a new run")
