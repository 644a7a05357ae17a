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

if TYPE_CHECKING:
    from harness.config import Config
    from harness.config_models import FileModel, SampleModel


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
        asked = config.specs(model.name, common)
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

        return sample_model(entry.sample, places.models)
    from harness.fidelity.evaluation import dataset_of
    from harness.sources.tflite import read_model

    path, notes = _fixed(entry, places)
    model = read_model(path, name=entry.name, data=entry.data, metric=entry.metric, signature=entry.signature)
    if model.data is not None:
        dataset_of(model)  # data that does not fit fails the model here, not each of its variants
    return replace(model, notes=(*notes, *model.notes))


def _fixed(entry: "FileModel", places: Places) -> tuple[Path, tuple[str, ...]]:
    """The file, or its copy with the input shapes that were asked for, and what is to be said of it."""
    if entry.input_shapes is None:
        return entry.path, ()
    from harness.sources.fixed_shapes import fix_shapes

    fixed = fix_shapes(entry.path, entry.input_shapes, places.models, signature=entry.signature)
    return fixed.path, (fixed.note,) if fixed.note is not None else ()


def _with_digest(spec: VariantSpec) -> VariantSpec:
    if spec.prebuilt is None or not spec.prebuilt.is_file():
        return spec  # a file that is missing fails its build, with its path
    return replace(spec, prebuilt_digest=digest.of_file(spec.prebuilt))


def wishes(config: "Config", intake: Intake) -> Wishes:
    return Wishes(specs=intake.specs, units=config.units, settings=config.settings)
