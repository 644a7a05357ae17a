"""One build: apply the recipe, check, load, score. Runs in a build process; the cache's entries are the parent's.

Everything heavy is imported at the top on purpose: the fork server imports this module once for all builds.
"""

import io
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import digest
from harness.core.errors import ChangedNothing, ModelUnreadable, RecipeRefused
from harness.core.model import Model
from harness.core.variant import Variant, VariantSpec
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import calibration_of, dataset_of
from harness.sources.tflite import read_model, read_signatures
from harness.variants import recipes
from harness.variants.job import BuildJob
from harness.variants.technique import Calibration, Kind, Recipe, Technique
from harness.variants.tflite import chain, inspect
from harness.variants.tflite.load_check import check_loads
from harness.variants.tflite.steps import apply_step

RANDOM_INPUTS = "calibrated on random inputs"
_SUFFIX = {"tflite": ".tflite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Content of an artefact, and what must be said of it. seconds are the recipe's steps alone."""

    content: bytes
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    calibration: str | None = None


def build_one(job: BuildJob) -> Variant:
    """Build, check and score one variant; its file lies in the job's scratch.

    Raises RecipeError, ModelUnreadable, DataUnreadable, or whatever the quantizer raises; may end the process.
    """
    model, spec = job.model, job.spec
    source = _read_source(model)
    dataset = dataset_of(model)
    made = _made(model, spec, source)
    path = job.scratch / f"artefact{_SUFFIX[model.format]}"
    path.write_bytes(made.content)
    variant = _describe(model, spec, source, made, path)
    check_loads(spec.recipe, path)
    fidelity, accuracy = evaluate(path, model.path, dataset, metric=model.metric, meaningful=not model.random_weights)
    return replace(variant, fidelity=fidelity, accuracy=accuracy)


def apply(recipe: Recipe, source: bytes, rows: Sequence[Technique], calibration: Calibration | None) -> _Made:
    """Run the steps in order, each checked for having changed something, the whole for what later steps lost.

    rows are the steps' rows of the table. Raises ChangedNothing, RecipeRefused, or what the tools raise.
    """
    content, promises = source, chain.source_promises(source)
    started = time.monotonic()
    for step, row in zip(recipe.steps, rows, strict=True):
        before, content = content, apply_step(content, step, row, calibration)
        inspect.check_changed(str(recipe), before, content)
        if step is not recipe.steps[-1]:
            promises += chain.promises(step, content)
    return _Made(
        content=content,
        seconds=time.monotonic() - started,
        notes=chain.losses(promises, content),
        calibration=calibration.described if calibration is not None else None,
    )


def _read_source(model: Model) -> bytes:
    content = model.path.read_bytes()
    if digest.of_bytes(content) != model.digest:
        raise ModelUnreadable(model.path, "changed since it was read; start again")
    return content


def _made(model: Model, spec: VariantSpec, source: bytes) -> _Made:
    if spec.prebuilt is not None:
        return _taken(spec, spec.prebuilt, source)
    recipe = recipes.parse(spec.recipe)
    if recipes.is_source(recipe, model):
        return _Made(content=source)
    reason = recipes.refusal(recipe, model)
    if reason is not None:
        raise RecipeRefused(spec.recipe, reason)
    rows = [recipes.TECHNIQUES[step.row, model.format] for step in recipe.steps]
    if not any(row.calibrated for row in rows):
        return apply(recipe, source, rows, None)
    graphs = {signature.graph for signature in read_signatures(model.path)}
    if len(graphs) > 1:
        reason = f"its signatures run {len(graphs)} graphs and there are samples for the first alone; export it alone"
        raise RecipeRefused(spec.recipe, reason)
    made = apply(recipe, source, rows, _calibration(model))
    return replace(made, notes=(*made.notes, RANDOM_INPUTS)) if model.data is None else made


def _calibration(model: Model) -> Calibration:
    dataset = calibration_of(model)
    count = dataset.samples
    samples = tuple(dict(enumerate(dataset.sample(index))) for index in range(count))
    return Calibration(samples=samples, described=f"{count} samples of {dataset.source}")


def _taken(spec: VariantSpec, path: Path, source: bytes) -> _Made:
    """A file that somebody else built, as it is."""
    content = path.read_bytes()
    if content == source:
        raise ChangedNothing(spec.recipe, f"{path} is the source itself, byte for byte")
    return _Made(content=content, notes=("built elsewhere and taken as it is",))


def _describe(model: Model, spec: VariantSpec, source: bytes, made: _Made, path: Path) -> Variant:
    """The artefact as it lies at path, checked against its technique's row."""
    read = read_model(path, name=spec.name)
    row = None if spec.prebuilt else recipes.technique(recipes.parse(spec.recipe).steps[-1], model.format)
    if row is not None and row.kind is Kind.FINAL and made.content is not source:
        ends = [*zip(model.inputs, read.inputs, strict=True), *zip(model.outputs, read.outputs, strict=True)]
        inspect.check_stored(spec.recipe, row.stored, source, made.content, ends)
    tensors = inspect.weight_tensors(source, made.content)
    return Variant(
        model=model.name,
        name=spec.name,
        recipe=spec.recipe,
        format=model.format,
        digest=read.digest,
        path=path,
        size_bytes=read.size_bytes,
        zip_bytes=zip_size(made.content),
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


def zip_size(content: bytes) -> int:
    """Bytes of a zip archive that holds content as its one file, deflated at level 6, as app stores do."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as writer:
        writer.writestr(zipfile.ZipInfo("model.tflite"), content, zipfile.ZIP_DEFLATED, 6)
    return len(archive.getvalue())
