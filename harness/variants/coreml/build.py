"""Builds one variant of an ML Program: open it for its target, compress, write, read back, check."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable, RecipeRefused
from harness.core.model import Model
from harness.core.target import Target
from harness.core.units import Seconds
from harness.core.variant import Variant, VariantSpec, WeightTensor
from harness.fidelity.evaluation import calibration_of
from harness.sources.mil_package import write_package
from harness.sources.reading import read_model
from harness.variants import recipes
from harness.variants.builder import Built, check_prebuilt
from harness.variants.calibration import RANDOM_INPUTS
from harness.variants.coreml import inspect
from harness.variants.coreml.activation_check import check_activations
from harness.variants.coreml.names import CAST
from harness.variants.coreml.operators import read_contents
from harness.variants.coreml.package import copy, load, open_program, temporaries_in
from harness.variants.coreml.steps import apply_all, divide
from harness.variants.coreml.table import TECHNIQUES
from harness.variants.coreml.targets import chosen_target
from harness.variants.coreml.weights import Weight, read_weights
from harness.variants.coreml.widened import widened
from harness.variants.job import CHANGED, BuildJob
from harness.variants.settings import assign
from harness.variants.technique import Calibration, Recipe
from harness.variants.zip_size import zip_size

_HALF = "float16"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """An artefact on disk and what must be said of it. seconds are the recipe's steps alone."""

    path: Path
    target: Target | None
    tensors: tuple[WeightTensor, ...]
    seconds: Seconds = 0.0
    notes: tuple[str, ...] = ()
    calibration: str | None = None


def build(job: BuildJob) -> Built:
    """The artefact in the job's scratch.

    Raises RecipeError, ModelUnreadable, DataUnreadable, or what coremltools raises; may end the process.
    """
    if digest.of_path(job.model.path) != job.model.digest:
        raise ModelUnreadable(job.model.path, CHANGED)
    with temporaries_in(job.scratch / "temporary"):
        return Built(variant=_describe(job.model, job.spec, _made(job)))


def _made(job: BuildJob) -> _Made:
    model, spec = job.model, job.spec
    if spec.prebuilt is not None:
        return _taken(job, spec.prebuilt)
    recipe = recipes.parse(spec.recipe)
    reason = recipes.refusal(recipe, model, spec.settings, spec.target)
    if reason is not None:
        raise RecipeRefused(spec.recipe, reason)
    if str(recipe) == model.precision and not spec.settings:
        return _source(job)
    return _compressed(job, recipe)


def _taken(job: BuildJob, path: Path) -> _Made:
    """A package that somebody else built, as it is."""
    spec = job.spec
    check_prebuilt(spec, path, digest.of_path(path), job.model)
    artefact = _artefact(job, path.suffix)
    copy(path, artefact)
    target = read_model(artefact, name=spec.name).target
    notes = ("built elsewhere and taken as it is",)
    return _Made(path=artefact, target=target, tensors=_unchanged(artefact, job.model), notes=notes)


def _source(job: BuildJob) -> _Made:
    """The source as it is, or for a newer target than its own."""
    model, target = job.model, job.spec.target or job.model.target
    artefact = _artefact(job, model.path.suffix)
    if target is None or target is model.target:
        copy(model.path, artefact)
    else:
        write_package(open_program(model.path, target, cast=False), artefact)
    return _Made(path=artefact, target=target, tensors=_unchanged(artefact, model))


def _unchanged(path: Path, model: Model) -> tuple[WeightTensor, ...]:
    """The weights of an artefact that no recipe here made."""
    before, after = _weights(model.path), _weights(path)
    return inspect.tensors(inspect.look_at(after, before), model.precision)


def _weights(path: Path) -> tuple[Weight, ...]:
    return read_weights(load(path))


def _compressed(job: BuildJob, recipe: Recipe) -> _Made:
    model, spec = job.model, job.spec
    target, artefact = chosen_target(model, spec.target), _artefact(job, ".mlpackage")
    given = _given(recipe, job)
    started = time.monotonic()
    program = open_program(model.path, target, cast=model.precision != _HALF)
    before = read_weights(program)
    wide = widened(spec.recipe, before, cast=model.precision != _HALF)
    works = divide(recipe, given, before, TECHNIQUES)
    meant = frozenset(name for work in works if work.is_calibrated for name in work.weights)
    _check_calibrated(spec.recipe, meant, wide)
    calibration, notes = _calibrate(model) if any(work.is_calibrated for work in works) else (None, ())
    applied = apply_all(spec.recipe, works, program, calibration)
    seconds = time.monotonic() - started
    write_package(applied.program, artefact)
    read = load(artefact)
    found = inspect.look_at(read_weights(read), before)
    inspect.check(spec.recipe, found, applied.done)
    left = check_activations(spec.recipe, meant, program, read)
    return _Made(
        path=artefact,
        target=target,
        tensors=inspect.tensors(found, model.precision),
        seconds=seconds,
        notes=(*applied.notes, *wide.values(), *left, *notes),
        calibration=calibration.described if calibration is not None else None,
    )


def _check_calibrated(recipe: str, meant: frozenset[str], wide: Mapping[str, str]) -> None:
    """Activations are quantised from float16. Raises RecipeRefused."""
    beyond = sorted(meant & wide.keys())
    if beyond:
        raise RecipeRefused(recipe, f"{wide[beyond[0]]}; leave it out with a setting, or take weight-int8")


def _given(recipe: Recipe, job: BuildJob) -> Mapping[str, Recipe | None]:
    """Recipes of operators that have another than the variant's own, by the names that the program opened has."""
    if not job.spec.settings:
        return {}
    operators = {each.place: each.name for each in read_contents(job.model).operators}
    parts = assign(recipe, job.spec.settings, read_contents(job.model).operators)
    named = {operators[place]: part.recipe for part in parts[1:] for place in part.operators}
    return named | {f"{name}{CAST}": each for name, each in named.items()}


def _calibrate(model: Model) -> tuple[Calibration, tuple[str, ...]]:
    """Samples by input position, and a note where nobody gave any. Raises DataUnreadable."""
    dataset = calibration_of(model)
    samples = tuple(dict(enumerate(dataset.sample(index))) for index in range(dataset.samples))
    described = f"{dataset.samples} samples of {dataset.source}"
    notes = (RANDOM_INPUTS,) if model.data is None else ()
    return Calibration(samples={model.signature: samples}, described=described), notes


def _artefact(job: BuildJob, suffix: str) -> Path:
    return job.scratch / f"artefact{suffix}"


def _describe(model: Model, spec: VariantSpec, made: _Made) -> Variant:
    read = read_model(made.path, name=spec.name)
    return Variant(
        model=model.name,
        name=spec.name,
        recipe=spec.recipe,
        format=model.format,
        digest=read.digest,
        path=made.path,
        size_bytes=read.size_bytes,
        zip_bytes=zip_size(made.path),
        weights_compressed=sum(tensor.compressed for tensor in made.tensors),
        weights_total=len(made.tensors),
        parameters=read.parameters,
        tensors=made.tensors,
        inputs=read.inputs,
        outputs=read.outputs,
        build_s=made.seconds,
        calibration=made.calibration,
        notes=made.notes,
        target=made.target,
    )
