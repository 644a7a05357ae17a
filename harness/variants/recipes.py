"""What is known of a recipe before anything is built: whether it can work, where it cannot run, what to expect."""

from collections.abc import Sequence

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting, VariantSpec
from harness.variants import expectations
from harness.variants.coreml import refusals as coreml
from harness.variants.grammar import parse
from harness.variants.refusals import recipe_refusal, split_compiler
from harness.variants.settings import Operator, assign, read_operators
from harness.variants.technique import Recipe, Step, Technique
from harness.variants.techniques import DEFAULTS, TECHNIQUES
from harness.variants.tflite import refusals as tflite
from harness.variants.tflite.edgetpu_compiler import why_absent
from harness.variants.tflite.operators import EDITED

__all__ = [
    "TECHNIQUES",
    "compiles",
    "cost",
    "default_variants",
    "is_source",
    "lacking",
    "parse",
    "refusal",
    "refusal_here",
    "technique",
    "warning",
]

Settings = Sequence[OpSetting]
_REFUSALS = {"tflite": tflite.refusal, "mlpackage": coreml.refusal}


def technique(step: Step, format: str) -> Technique | None:
    """The table's row for a step, None where the format has none."""
    return TECHNIQUES.get((step.row, format))


def is_source(recipe: Recipe, model: Model) -> bool:
    """Whether the recipe means the model at its own precision."""
    return str(recipe) == model.precision


def refusal(recipe: Recipe, model: Model, settings: Settings = (), target: Target | None = None) -> str | None:
    """Why the recipe with its settings cannot work on this model, None where it may. Builds nothing.

    target is what a Core ML program is to be built for. Reads the model's graphs where they matter; of a file that is
    gone the build will say so.
    """
    return recipe_refusal(recipe, model, TECHNIQUES) or _REFUSALS[model.format](recipe, model, settings, target)


def refusal_here(spec: VariantSpec, model: Model) -> str | None:
    """The same of a variant that is built on this host, which may lack the compiler that its recipe ends with.

    Raises RecipeUnknown.
    """
    refused = refusal(parse(spec.recipe), model, spec.settings, spec.target)
    return refused or (why_absent(spec.compiler, model.name) if compiles(spec, model.format) else None)


def compiles(spec: VariantSpec, format: str) -> bool:
    """Whether a vendor's compiler is its recipe's last step; a file from elsewhere has none. Raises RecipeUnknown."""
    return spec.prebuilt is None and split_compiler(parse(spec.recipe), format, TECHNIQUES)[1] is not None


def lacking(recipe: Recipe, model: Model, device: DeviceFacts, settings: Settings = ()) -> str | None:
    """Why the runtime that a device measures with cannot run what the recipe makes, None where it may."""
    operators = _operators(model)
    return expectations.lacking(assign(recipe, settings, operators), operators, device)


def warning(recipe: Recipe, model: Model, unit: ComputeUnit, settings: Settings = ()) -> str | None:
    """What to expect of the recipe on a unit, where that is a surprise."""
    operators = _operators(model)
    return expectations.warning(assign(recipe, settings, operators), operators, unit)


def default_variants(model: Model) -> tuple[str, ...]:
    """The default set of the model's format, less what is bound to fail on this model; the source comes first.

    Reads the model's graphs: without convolutions or fully connected layers there is nothing to compress.
    """
    names = (model.precision, *(DEFAULTS.get(model.format, ()) if _is_weighted(model) else ()))
    return tuple(name for name in dict.fromkeys(names) if refusal(parse(name), model) is None)


def cost(recipe: Recipe, model: Model) -> float:
    """Rough build time, only to start the longest first. Seconds of one core."""
    rows = [(step, row) for step in recipe.steps if (row := technique(step, model.format)) is not None]
    return sum(row.cost_of(step) if row.cost_of else row.cost for step, row in rows) * model.size_bytes / 10e6


def _operators(model: Model) -> tuple[Operator, ...]:
    """None of a file that cannot be read, and of other formats, whose expectations are their own."""
    if model.format != "tflite":
        return ()
    try:
        return read_operators(model)
    except ModelUnreadable:
        return ()


def _is_weighted(model: Model) -> bool:
    """Whether the model has weights to compress."""
    operators = _operators(model)
    if not operators:
        return model.parameters > 0
    return any(operator.type in EDITED and operator.weight_bytes for operator in operators)
