"""Models in: every entry of a configuration read, or the reason why it cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core import digest
from harness.core.campaign import ModelFailed
from harness.core.errors import DataUnreadable, ModelUnreadable, RecipeError
from harness.core.model import Model
from harness.core.variant import VariantSpec
from harness.places import Places
from harness.plan import Wishes
from harness.sources.reading import is_torch

if TYPE_CHECKING:
    from harness.config import Config
    from harness.config_models import FileModel, SampleModel


_CONVERSION_TIMEOUT_S = 900.0  # of a torch module


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The models of a configuration: those that can be used with their variants, and those that cannot."""

    models: tuple[Model, ...]
    failed: tuple[ModelFailed, ...]
    specs: Mapping[str, tuple[VariantSpec, ...]]


def take_in(config: "Config", places: Places) -> Intake:
    """Read every model of a configuration; one that cannot be read does not stop the others."""
    models: list[Model] = []
    failed: list[ModelFailed] = []
    specs: dict[str, tuple[VariantSpec, ...]] = {}
    for entry in config.sources:
        try:
            model = _open(entry, places)
            common = _common_recipes(model)
        except (ModelUnreadable, DataUnreadable) as error:
            failed.append(ModelFailed(name=entry.name, path=error.path, error=str(error)))
            continue
        model = replace(model, data_digest=digest.of_file(model.data) if model.data else None)
        models.append(model)
        asked = config.specs(model.name, model.format, common)
        specs[model.name] = tuple(_with_digest(spec) for spec in asked)
    return Intake(models=tuple(models), failed=tuple(failed), specs=specs)


def _common_recipes(model: Model) -> tuple[str, ...]:
    """What is built of a model that has no variants of its own. Raises ModelUnreadable where no recipe can name it."""
    from harness.variants.recipes import default_variants

    try:
        return default_variants(model)
    except RecipeError as error:  # the recipes are the model's own precision and the table's: no user wrote them
        raise ModelUnreadable(model.path, error.reason) from error


def _open(entry: "FileModel | SampleModel", places: Places) -> Model:
    from harness.config_models import SampleModel

    if isinstance(entry, SampleModel):
        from harness.sources.samples import sample_model

        return replace(sample_model(entry.sample, places.models, entry.format), name=entry.name)
    from harness.fidelity.evaluation import dataset_of
    from harness.sources.reading import read_model

    path, notes = _fixed(entry, places)
    model = read_model(path, name=entry.name, data=entry.data, metric=entry.metric, signature=entry.signature)
    if model.format == "mlpackage":
        _check_operators(model)
    if model.data is not None:
        dataset_of(model)  # data that does not fit fails the model here, not each of its variants
    return replace(model, notes=(*notes, *model.notes))


def _check_operators(model: Model) -> None:
    """Raises ModelUnreadable where a program has operators that no tool here knows: one error, not one a variant."""
    from harness.fidelity.mil.known import unknown_operators

    unknown = unknown_operators(model.path)
    if unknown:
        named = ", ".join(map(repr, unknown))
        reason = f"has operators that Core ML's tools do not know: {named}; convert it again without them"
        raise ModelUnreadable(model.path, reason)


def _fixed(entry: "FileModel", places: Places) -> tuple[Path, tuple[str, ...]]:
    """The file, what a torch module was converted to, or a copy with the input shapes that were asked for; and what is
    to be said of it."""
    if is_torch(entry.path):
        return _converted(entry, places)
    if entry.input_shapes is None:
        return entry.path, ()
    from harness.sources.fixed_shapes import fix_shapes

    fixed = fix_shapes(entry.path, entry.input_shapes, places.models, signature=entry.signature)
    return fixed.path, (fixed.note,) if fixed.note is not None else ()


def _converted(entry: "FileModel", places: Places) -> tuple[Path, tuple[str, ...]]:
    from harness.sources.torch_module import convert_torch

    format = entry.format or "tflite"
    path = convert_torch(
        entry.path, format, places.models, input_shapes=entry.input_shapes, timeout_s=_CONVERSION_TIMEOUT_S
    )
    return path, (f"converted from {entry.path.name} to {format}",)


def _with_digest(spec: VariantSpec) -> VariantSpec:
    if spec.prebuilt is None or not spec.prebuilt.exists():
        return spec  # a file that is missing fails its build, with its path
    return replace(spec, prebuilt_digest=digest.of_path(spec.prebuilt))


def wishes(config: "Config", intake: Intake) -> Wishes:
    return Wishes(specs=intake.specs, units=config.units, settings=config.settings)
