"""Why a recipe, or the settings of some operators, cannot work on a .tflite: one sentence with the way out."""

from collections.abc import Sequence

from harness.core.errors import ModelUnreadable, RecipeUnknown
from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting
from harness.sources.tflite_file import shorten
from harness.variants.grammar import parse
from harness.variants.refusals import Table, recipe_refusal, split_compiler
from harness.variants.settings import Operator, assign, read_operators, unknown
from harness.variants.signatures import calibration_refusal
from harness.variants.technique import Encoding, Quantization, Recipe
from harness.variants.techniques import TECHNIQUES


def refusal(recipe: Recipe, model: Model, settings: Sequence[OpSetting], _target: Target | None) -> str | None:
    """Why a recipe with its settings cannot be built of a model, None where it may.

    Each step is one that the format has, in an order that can be (`harness.variants.refusals`). Builds nothing.
    """
    if str(recipe) == model.precision:
        refused = settings and model.precision != "float32"
        return f"{model.name} is already {model.precision}; settings need a float32 source" if refused else None
    recipe, compiler = split_compiler(recipe, model.format, TECHNIQUES)
    if compiler is not None and not recipe.steps:
        return f"{model.name} is already {model.precision}; settings need a float32 source" if settings else None
    try:
        operators = read_operators(model)
    except ModelUnreadable:
        return None  # gone: the build will say so
    reason = weights_refusal(recipe, operators, model, TECHNIQUES)
    reason = reason or settings_refusal(recipe, settings, operators, model, TECHNIQUES)
    if reason is None and any(_is_calibrated(each) for each in _used(recipe, settings, operators)):
        reason = calibration_refusal(model)
    return reason


def _used(recipe: Recipe, settings: Sequence[OpSetting], operators: Sequence[Operator]) -> tuple[Recipe, ...]:
    """The recipes that some operator gets, the variant's own in any case."""
    parts = assign(recipe, settings, operators)
    return (recipe, *(part.recipe for part in parts[1:] if part.recipe is not None))


def _is_calibrated(recipe: Recipe) -> bool:
    rows = [TECHNIQUES.get((step.row, "tflite")) for step in recipe.steps]
    return any(row.calibrated for row in rows if row is not None)


def weights_refusal(recipe: Recipe, operators: Sequence[Operator], model: Model, table: Table) -> str | None:
    """Why a recipe for the weights of some operator types has nothing to do on a model."""
    for step in recipe.steps:
        row = table.get((step.row, model.format))
        types = row.does.operators if row and isinstance(row.does, Quantization) else None
        if types is not None and not any(each.type in types and each.weight_bytes for each in operators):
            return f"{step} is for weights of {', '.join(types)}, and {model.name} has none"
    return None


def settings_refusal(
    recipe: Recipe, settings: Sequence[OpSetting], operators: Sequence[Operator], model: Model, table: Table
) -> str | None:
    """Why settings cannot work: about no operator, a recipe that cannot, or recipes that do not go together."""
    for setting in settings:
        reason = _one_setting(setting, operators, model, table)
        if reason is not None:
            return reason
    recipes = [part.recipe for part in assign(recipe, settings, operators) if part.recipe and part.operators]
    return _finals_refusal(recipes, model.format, table)


def _one_setting(setting: OpSetting, operators: Sequence[Operator], model: Model, table: Table) -> str | None:
    reason = unknown(setting, operators)
    if reason is not None or setting.recipe is None:
        return reason
    try:
        own = parse(setting.recipe)
        reason = recipe_refusal(own, model, table)
        if reason is None and split_compiler(own, model.format, table)[1] is not None:
            reason = f"{own.steps[-1]} compiles whole files; write it in the variant's own recipe"
    except RecipeUnknown as exc:
        reason = exc.reason
    return f"the setting of {shorten(setting.op or setting.op_type or '')}: {reason}" if reason else None


def _finals_refusal(recipes: Sequence[Recipe], format: str, table: Table) -> str | None:
    """The quantizer and a sparse encoding each write the whole file anew, and neither reads what the other wrote."""
    rows = {str(each.steps[-1]): table.get((each.steps[-1].row, format)) for each in recipes}
    quantised = [name for name, row in rows.items() if row and isinstance(row.does, Quantization)]
    encoded = [name for name, row in rows.items() if row and isinstance(row.does, Encoding)]
    if quantised and encoded:
        return f"{encoded[0]} and {quantised[0]} do not go into one file; keep one of them, or edit without encoding"
    return None
