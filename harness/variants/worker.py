"""One build: the format's builder makes the artefact, then it is scored. Runs in a build process; the cache's entries
are the parent's."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from harness.core.errors import RecipeError, ReferenceUnable
from harness.core.model import TensorSpec
from harness.core.variant import Variant
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import Dataset, dataset_of
from harness.fidelity.inputs import match_inputs
from harness.sources.reading import signature_in
from harness.variants.builder import Build
from harness.variants.job import BuildJob
from harness.variants.one_thread import one_thread

_BUILDERS = {"tflite": "harness.variants.tflite.build", "mlpackage": "harness.variants.coreml.build"}

_OF_A_BUILD = 0.25  # for the run of the source or of the variant: what is slow is unknown then, and not failed


def build_one(job: BuildJob) -> Variant:
    """Build, check and score one variant; its artefact lies in the job's scratch.

    Raises RecipeError, ModelUnreadable, DataUnreadable, or whatever the format's tools raise; may end the process.
    """
    model, spec = job.model, job.spec
    dataset = dataset_of(model)
    with one_thread():
        built = builder_of(model.format)(job)
    variant = built.variant
    match_inputs(variant.path, variant.inputs, dataset)  # launches will be fed with them
    _check_numbers(spec.recipe, (*model.inputs, *model.outputs), (*variant.inputs, *variant.outputs))
    if built.unscored:
        return _unscored(variant, f"{built.unscored}, which the host cannot run")
    try:
        return _scored(variant, job, dataset)
    except ReferenceUnable as exc:
        return _unscored(variant, str(exc))


def builder_of(format: str) -> Build:
    """What builds variants of a format; imported where it is used, as its tools take a second or two."""
    build: Build = import_module(_BUILDERS[format]).build
    return build


def _scored(variant: Variant, job: BuildJob, dataset: Dataset) -> Variant:
    model = job.model
    fidelity, accuracy = evaluate(
        variant.path,
        model.path,
        dataset,
        metric=model.metric,
        meaningful=not model.random_weights,
        variant_signature=signature_in(variant.path, model),
        source_signature=model.signature,
        limit_s=_OF_A_BUILD * job.timeout_s,
    )
    return replace(variant, fidelity=fidelity, accuracy=accuracy)


def _unscored(variant: Variant, why: str) -> Variant:
    return replace(variant, notes=(*variant.notes, f"{why}: fidelity is unknown"))


def _check_numbers(recipe: str, wanted: Sequence[TensorSpec], given: Sequence[TensorSpec]) -> None:
    """Raises RecipeError where the source has real numbers and the artefact integers without a scale: they would be
    cut off to whole ones, and the loss be taken for the compression's."""
    by_name = {spec.name: spec for spec in given}
    ordered = [by_name[spec.name] for spec in wanted] if by_name.keys() == {spec.name for spec in wanted} else given
    for old, new in zip(wanted, ordered, strict=False):  # another number of outputs has an error of its own
        if "float" in old.dtype and "float" not in new.dtype and new.scale is None:
            raise RecipeError(recipe, f"{new.name!r} is {new.dtype} without a scale; the source's is {old.dtype}")
