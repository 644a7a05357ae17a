"""Why a recipe, or the settings of some operators, cannot work: one sentence with the way out, before any build."""

import difflib
from collections.abc import Mapping, Sequence

from harness.core.errors import RecipeUnknown
from harness.core.model import Model
from harness.core.variant import OpSetting
from harness.sources.tflite_file import shorten
from harness.variants.grammar import allowed_text, is_allowed, parse
from harness.variants.settings import Operator, assign, unknown
from harness.variants.technique import Encoding, Kind, Quantization, Recipe, Step, Technique
from harness.variants.techniques import AS_STORED

# What compression starts from.
_FLOATS = {"tflite": ("float32",), "mlpackage": ("float32", "float16")}
Table = Mapping[tuple[str, str], Technique]


def recipe_refusal(recipe: Recipe, model: Model, table: Table) -> str | None:
    """Why a recipe cannot work on a model, whatever its operators; the source as it is always can."""
    if str(recipe) == model.precision:
        return None
    missing = [step for step in recipe.steps if (step.row, model.format) not in table]
    if missing and str(missing[0]) in AS_STORED:
        return f"{missing[0]} does not exist for {model.format}; it can only name a source that is stored so"
    if missing:
        return f"{missing[0]} does not exist for {model.format}; it has {_rows_text(missing[0], model.format, table)}"
    wrong = [step for step in recipe.steps if not is_allowed(step, model.format)]
    if wrong:
        return f"{wrong[0]} does not exist for {model.format}; write {allowed_text(wrong[0].row, model.format)}"
    if model.precision not in _FLOATS[model.format] and _order_refusal(recipe, model.format, table) is None:
        if model.parameters == 0:
            return f"{model.name} has no weights to compress; its own variant is called {model.precision}"
        floats = " or ".join(_FLOATS[model.format])
        return f"{model.name} is already {model.precision}; {recipe} starts from {floats} weights"
    return _order_refusal(recipe, model.format, table)


def _rows_text(step: Step, format: str, table: Table) -> str:
    """What a format has instead: everything of the same family, else what is called alike."""
    names = [name for name, its in table if its == format]
    family = step.row.partition("-")[0]
    alike = [name for name in names if name.partition("-")[0] == family]
    return ", ".join(alike or difflib.get_close_matches(step.row, names, n=4, cutoff=0.4) or names)


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
        reason = recipe_refusal(parse(setting.recipe), model, table)
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


def _order_refusal(recipe: Recipe, format: str, table: Table) -> str | None:
    rows = [table[step.row, format] for step in recipe.steps]
    if len(rows) > 1 and any(row.kind is Kind.SOURCE for row in rows):
        return "float32 is the source itself and joins with nothing; leave it out"
    finals = [str(step) for step, row in zip(recipe.steps, rows, strict=True) if row.kind is Kind.FINAL]
    if len(finals) > 1:
        return f"{' and '.join(finals)} each store the weights their own way; keep one, at the end"
    if finals and rows[-1].kind is not Kind.FINAL:
        edits = [str(step) for step, row in zip(recipe.steps, rows, strict=True) if row.kind is Kind.EDIT]
        return f"{edits[-1]} needs float32 weights, {finals[0]} leaves none; write {'+'.join((*edits, *finals))}"
    return _two_values_refusal(recipe.steps)


def _two_values_refusal(steps: Sequence[Step]) -> str | None:
    """palette-1 after sparse: one of its two values is zero, so every other weight would be one number."""
    pruned = False
    for step in steps:
        if pruned and step.palette_bits == 1:
            return f"after sparse, {step} has one value left besides zero; use palette-2 or more"
        pruned = pruned or step.is_sparse
    return None
