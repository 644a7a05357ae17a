"""Which variants to build, in which order, and what their failures mean for one another."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError, DataUnreadable
from harness.core.interruption import Check, never
from harness.core.model import Model
from harness.core.units import Seconds
from harness.core.variant import BuildFailed, BuildOutcome, Variant, VariantSpec
from harness.plan import Rules, is_source, with_source

if TYPE_CHECKING:
    from pathlib import Path

    from harness.store import Store
    from harness.store.records import StoredCampaign

Step = Callable[[int, int, str, Seconds | None], None]
Order = tuple[Model, VariantSpec]
Saver = Callable[[BuildOutcome], None]

# A build that takes longer hangs. The reference kernels of int16x8 do about 1 G multiply-accumulates in 2 s; scoring
# and calibration run a model once for each sample.
_TIMEOUT_S = 60.0
_TIMEOUT_S_PER_GIGA_MAC = 3.0
_TIMEOUT_S_PER_MEGA_PARAMETER = 20.0  # an optimal palette of 8 bits takes 2 s of one core
_TIMEOUT_S_AT_MOST = 3600.0
# No network for a device has more in an inference; a damaged file may claim any number, and gets no time for them.
_MOST_MACS = 10**12


def build(
    store: "Store", stored: "StoredCampaign", cache: "Path", step: Step, check: Check = never
) -> tuple[BuildOutcome, ...]:
    """Build what a campaign needs and save each outcome. What was built before comes from the cache.

    check is called several times a second and may raise.
    """
    models = {model.name: model for model in stored.models}
    known = {(b.model, b.name): b for b in stored.builds}
    kept = [outcome for outcome in known.values() if _is_there(outcome)]
    there = {(outcome.model, outcome.name) for outcome in kept}
    orders = [(models[s.model], s) for s in stored.campaign.specs if (s.model, s.name) not in there]

    def save(outcome: BuildOutcome) -> None:
        _check_same(known.get((outcome.model, outcome.name)), outcome)
        store.save_build(stored.campaign.id, outcome)

    return (*kept, *_build(orders, cache, step, save, check))


def _check_same(before: BuildOutcome | None, now: BuildOutcome) -> None:
    """On a resume the artefact may be gone; another one must not take its place among its measurements."""
    if isinstance(before, Variant) and isinstance(now, Variant) and before.digest != now.digest:
        reason = "the artefact that was measured is gone, and building it now gives another"
        raise ConfigError(f"{now.model} {now.name}: {reason}; start a new run")


def build_only(
    specs: Mapping[str, Sequence[VariantSpec]], models: Sequence[Model], cache: "Path", step: Step, check: Check = never
) -> tuple[BuildOutcome, ...]:
    """The variants of models, source first, without a campaign. specs by model; refused recipes are BuildFailed."""
    orders: list[Order] = []
    refused: list[BuildOutcome] = []
    for model in models:
        for spec in with_source(model, specs[model.name]):
            if reason := None if spec.prebuilt else RULES.refusal(spec, model):
                refused.append(_failed(spec, reason, refused=True))
            else:
                orders.append((model, spec))
    return (*_build(orders, cache, step, lambda _: None, check), *refused)


def _refusal(spec: VariantSpec, model: Model) -> str | None:
    """Raises RecipeUnknown."""
    from harness.variants.recipes import refusal_here

    return refusal_here(spec, model)


def _unable(model: Model, device: DeviceFacts) -> str | None:
    from harness.variants.expectations import unable

    return None if device.simulated else unable(model.format, device)


def _lacking(spec: VariantSpec, model: Model, device: DeviceFacts) -> str | None:
    from harness.variants.recipes import lacking, parse

    return None if spec.prebuilt or device.simulated else lacking(parse(spec.recipe), model, device, spec.settings)


def _warning(spec: VariantSpec, model: Model, unit: ComputeUnit) -> str | None:
    from harness.variants.recipes import parse, warning

    return None if spec.prebuilt else warning(parse(spec.recipe), model, unit, spec.settings)


def _unfit(spec: VariantSpec, model: Model, unit: ComputeUnit, device: DeviceFacts) -> str | None:
    from harness.variants.expectations import unfit

    return None if device.simulated else unfit(spec, model, unit)


# What the techniques have to say to a plan.
RULES = Rules(refusal=_refusal, unable=_unable, lacking=_lacking, warning=_warning, unfit=_unfit)


def _build(orders: Sequence[Order], cache: "Path", step: Step, save: Saver, check: Check) -> tuple[BuildOutcome, ...]:
    """Sources first: a model that does not run itself, or hangs, costs one build and not one for each recipe."""
    from harness.variants.build import build_variants

    count = _Counter(len(orders), step)

    def ended(outcome: BuildOutcome) -> None:
        save(outcome)
        count(outcome)

    def run(chosen: Sequence[Order]) -> tuple[BuildOutcome, ...]:
        return build_variants(chosen, cache=cache, timeout_of=deadline_s, progress=ended, check=check)

    sources = run([order for order in orders if is_source(order[1], order[0])])
    broken = {failed.model: failed.error for failed in sources if isinstance(failed, BuildFailed)}
    rest = [order for order in orders if not is_source(order[1], order[0])]
    hopeless = [
        _failed(spec, f"the model itself does not run: {broken[m.name]}") for m, spec in rest if m.name in broken
    ]
    for failed in hopeless:
        ended(failed)
    outcomes = (*sources, *hopeless, *run([order for order in rest if order[0].name not in broken]))
    by_name = {(outcome.model, outcome.name): outcome for outcome in outcomes}
    return tuple(by_name[model.name, spec.name] for model, spec in orders)


@functools.cache
def deadline_s(model: Model) -> Seconds:
    """How long a build of a model may take."""
    macs = _macs(model)
    work = _inferences(model) * macs if macs <= _MOST_MACS else 0
    clustering = _TIMEOUT_S_PER_MEGA_PARAMETER * model.parameters / 1e6 if model.format == "mlpackage" else 0
    return round(min(_TIMEOUT_S + _TIMEOUT_S_PER_GIGA_MAC * work / 1e9 + clustering, _TIMEOUT_S_AT_MOST))


def _macs(model: Model) -> int:
    from harness.sources.reading import read_macs

    return read_macs(model.path, model.signature)


def _inferences(model: Model) -> int:
    """How often a build runs the model at most: once for each sample that it is scored or calibrated on."""
    from harness.fidelity.evaluation import CALIBRATION_SAMPLES, SEEDED_CALIBRATION_SAMPLES, SEEDED_SAMPLES, dataset_of

    if model.data is None:
        return SEEDED_SAMPLES + SEEDED_CALIBRATION_SAMPLES
    try:
        return dataset_of(model).samples + CALIBRATION_SAMPLES
    except DataUnreadable:
        return 0  # the build will say so


def _is_there(outcome: BuildOutcome) -> bool:
    """Built, and still what was built. What failed is tried again: on a resume the reason may be gone."""
    if not isinstance(outcome, Variant) or not outcome.path.exists():
        return False
    return digest.of_path(outcome.path) == outcome.digest


def _failed(spec: VariantSpec, error: str, *, refused: bool = False) -> BuildFailed:
    return BuildFailed(model=spec.model, name=spec.name, recipe=spec.recipe, error=error, refused=refused)


class _Counter:
    """Turns finished builds into steps of progress."""

    def __init__(self, total: int, step: Step) -> None:
        self._done, self._total, self._step = 0, total, step

    def __call__(self, outcome: BuildOutcome) -> None:
        self._done += 1
        self._step(self._done, self._total, f"{outcome.model} {outcome.name}", None)
