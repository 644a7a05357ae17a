"""Builds one variant of a .tflite: apply the recipe, check what came out, load it once.

Everything heavy is imported at the top on purpose: the fork server imports this module once for all builds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable, RecipeRefused
from harness.core.model import Model
from harness.core.variant import EdgeTpuCompilation, Variant, VariantSpec
from harness.sources.tflite import read_model, signature_in
from harness.variants import recipes
from harness.variants.builder import Built, check_prebuilt
from harness.variants.calibration import calibrate
from harness.variants.job import CHANGED, BuildJob
from harness.variants.refusals import split_compiler
from harness.variants.settings import Place, assign, operators_in
from harness.variants.tflite import inspect, quantizer  # noqa: F401 (quantizer: imported once for all builds)
from harness.variants.tflite.compiled import EDGETPU, compiled_for
from harness.variants.tflite.edgetpu_compiler import compile_file, read_log_beside
from harness.variants.tflite.edgetpu_notes import notes_of
from harness.variants.tflite.edgetpu_transfers import transfers_in
from harness.variants.tflite.load_check import check_loads
from harness.variants.tflite.steps import Work, apply_all, static_inside, work_of
from harness.variants.zip_size import zip_size

_INNER_GRAPHS = ("WHILE", "IF")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Content of an artefact, and what must be said of it. seconds are the recipe's steps alone.

    works are what was done to its operators, none where it was taken as it is.
    """

    content: bytes
    works: tuple[Work, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    calibration: str | None = None


def build(job: BuildJob) -> Built:
    """The artefact in the job's scratch. Raises RecipeError, ModelUnreadable, DataUnreadable, or what the quantizer
    raises; may end the process."""
    model, spec = job.model, job.spec
    source = _read_source(model)
    made = _made(model, spec, source)
    path = job.scratch / "artefact.tflite"
    path.write_bytes(made.content)
    variant = _describe(model, spec, source, made, path)
    if elsewhere := compiled_for(made.content):
        known = _with_log(variant, spec.prebuilt, made.content) if EDGETPU in elsewhere else variant
        return Built(variant=known, unscored=f"compiled for {elsewhere}")
    if recipes.compiles(spec, model.format):
        return _compiled(variant, job)
    check_loads(spec.recipe, path, signature_in(path, model))
    elsewhere = compiled_for(source)
    return Built(variant=variant, unscored=f"the source is compiled for {elsewhere}" if elsewhere else None)


def _compiled(variant: Variant, job: BuildJob) -> Built:
    """The variant compiled; of its weights is told what was compiled, since a program does not show them."""
    check_loads(job.spec.recipe, variant.path, signature_in(variant.path, job.model))
    made = compile_file(job.spec.recipe, variant.path, job.scratch, job.spec.compiler)
    content = made.path.read_bytes()
    told = replace(made.told, transfers=transfers_in(content))
    read = read_model(made.path, name=variant.name, signature=signature_in(made.path, job.model))
    done = replace(
        variant,
        path=made.path,
        digest=read.digest,
        size_bytes=read.size_bytes,
        zip_bytes=zip_size(made.path),
        inputs=read.inputs,
        outputs=read.outputs,
        build_s=variant.build_s + made.seconds,
        notes=(*variant.notes, "weights are counted before the compilation", *notes_of(told)),
        compiled=told,
    )
    return Built(variant=done, unscored=f"compiled for {compiled_for(content)}")


def _with_log(variant: Variant, prebuilt: Path | None, content: bytes) -> Variant:
    """With what the compiler's log beside the file says, where there is one, and what the file shows."""
    log = read_log_beside(prebuilt) if prebuilt else None
    told = replace(log or EdgeTpuCompilation(), transfers=transfers_in(content))
    notes = (*variant.notes, "weights inside the program are not counted", *notes_of(told))
    return replace(variant, compiled=told, notes=notes)


def _read_source(model: Model) -> bytes:
    content = model.path.read_bytes()
    if digest.of_bytes(content) != model.digest:
        raise ModelUnreadable(model.path, CHANGED)
    return content


def _made(model: Model, spec: VariantSpec, source: bytes) -> _Made:
    if spec.prebuilt is not None:
        return _taken(spec, spec.prebuilt, model)
    recipe = recipes.parse(spec.recipe)
    if recipes.is_source(recipe, model) and not spec.settings:
        return _Made(content=source)
    reason = recipes.refusal(recipe, model, spec.settings)
    if reason is not None:
        raise RecipeRefused(spec.recipe, reason)
    recipe, _ = split_compiler(recipe, model.format, recipes.TECHNIQUES)
    if not recipe.steps:  # a source that is quantised already is compiled as it is
        return _Made(content=source)
    parts = assign(recipe, spec.settings, operators_in(source))
    return _apply(model, spec, source, [work_of(part, recipes.TECHNIQUES) for part in parts])


def _apply(model: Model, spec: VariantSpec, source: bytes, works: Sequence[Work]) -> _Made:
    left = static_inside(source, works)
    own, *others = works
    needed = own.is_static or any(work.is_static and work.operators - left for work in others)
    calibration, notes = calibrate(model) if needed else (None, ())
    started = time.monotonic()
    content, losses = apply_all(spec.recipe, works, source, calibration)
    seconds = time.monotonic() - started
    return _Made(
        content=content,
        works=tuple(works),
        seconds=seconds,
        notes=(*losses, *notes, *_left_inside(left, source), *_told(works, content)),
        calibration=calibration.described if calibration is not None else None,
    )


def _left_inside(left: frozenset[Place], source: bytes) -> tuple[str, ...]:
    looped = left and any(operator.type in _INNER_GRAPHS for operator in operators_in(source))
    return ("operators inside loops and branches stay as they are: nothing calibrates them",) if looped else ()


def _told(works: Sequence[Work], content: bytes) -> tuple[str, ...]:
    """What the techniques have to say of the finished content."""
    told = dict.fromkeys(row.notes for work in works for _, row in work.steps if row.notes is not None)
    return tuple(note for notes in told for note in notes(content))


def _taken(spec: VariantSpec, path: Path, model: Model) -> _Made:
    """A file that somebody else built, as it is."""
    content = path.read_bytes()
    check_prebuilt(spec, path, digest.of_bytes(content), model)
    return _Made(content=content, notes=("built elsewhere and taken as it is",))


def _check(model: Model, spec: VariantSpec, source: bytes, made: _Made, read: Model) -> None:
    """Whether every operator has what its recipe says, and inputs and outputs what the variant's says."""
    for work in made.works:
        if not work.steps:
            inspect.check_untouched(spec.recipe, source, made.content, work.applies)
        inspect.check_stored(spec.recipe, work.quantization, source, made.content, work.applies)
    if made.works:
        own = made.works[0].quantization
        ends = [*zip(model.inputs, read.inputs, strict=True), *zip(model.outputs, read.outputs, strict=True)]
        inspect.check_ends(spec.recipe, own.ends if own else "float32", ends)


def _describe(model: Model, spec: VariantSpec, source: bytes, made: _Made, path: Path) -> Variant:
    """The artefact as it lies at path, checked against what its recipe says."""
    read = read_model(path, name=spec.name, signature=signature_in(path, model))
    _check(model, spec, source, made, read)
    tensors = inspect.weight_tensors(source, made.content)
    return Variant(
        model=model.name,
        name=spec.name,
        recipe=spec.recipe,
        format=model.format,
        digest=read.digest,
        path=path,
        size_bytes=read.size_bytes,
        zip_bytes=zip_size(path),
        weights_compressed=sum(tensor.compressed for tensor in tensors),
        weights_total=len(tensors),
        parameters=read.parameters,
        tensors=tensors,
        inputs=read.inputs,
        outputs=read.outputs,
        build_s=made.seconds,
        calibration=made.calibration,
        notes=made.notes,
    )
