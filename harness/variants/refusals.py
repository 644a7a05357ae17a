"""Why a recipe cannot work on any model of a format: one sentence with the way out, before any build."""

import difflib
from collections.abc import Mapping, Sequence

from harness.core.model import Model
from harness.variants.grammar import allowed_text, is_allowed
from harness.variants.technique import Compilation, Kind, Recipe, Step, Technique
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
    if any(table[step.row, model.format].kind is Kind.COMPILED for step in recipe.steps):
        return _compiled_refusal(recipe, model, table)
    if model.precision not in _FLOATS[model.format] and _order_refusal(recipe, model.format, table) is None:
        floats = " or ".join(_FLOATS[model.format])
        already = f"{model.name} is already {model.precision}; {recipe} starts from {floats} weights"
        return weightless_refusal(model) or already
    return _order_refusal(recipe, model.format, table)


def split_compiler(recipe: Recipe, format: str, table: Table) -> tuple[Recipe, Step | None]:
    """What a recipe makes on its own, and the step of a vendor's compiler behind it, None where there is none."""
    row = table.get((recipe.steps[-1].row, format)) if recipe.steps else None
    if row is None or row.kind is not Kind.COMPILED:
        return recipe, None
    return Recipe(steps=recipe.steps[:-1]), recipe.steps[-1]


def weightless_refusal(model: Model) -> str | None:
    """Why nothing can be compressed in a model that has learned no numbers."""
    if model.parameters > 0:
        return None
    return f"{model.name} has no weights to compress; its own variant is called {model.precision}"


def _rows_text(step: Step, format: str, table: Table) -> str:
    """What a format has instead: everything of the same family, else what is called alike."""
    names = [name for name, its in table if its == format]
    family = step.row.partition("-")[0]
    alike = [name for name in names if name.partition("-")[0] == family]
    return ", ".join(alike or difflib.get_close_matches(step.row, names, n=4, cutoff=0.4) or names)


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


def _compiled_refusal(recipe: Recipe, model: Model, table: Table) -> str | None:
    """Why a vendor's compiler cannot take what the steps before it leave."""
    *before, last = recipe.steps
    others = [step for step in before if table[step.row, model.format].kind is Kind.COMPILED]
    does = table[last.row, model.format].does
    if others or not isinstance(does, Compilation):
        step = next(iter(others), last)
        return f"{step} compiles the finished file; write it once, at the end"
    rest = Recipe(steps=tuple(before))
    if before:
        edits = "".join(f"{step}+" for step in before if table[step.row, model.format].kind is Kind.EDIT)
        wrong = f"{last} compiles fully quantised files alone; write {edits}{does.usual}+{last}"
        return recipe_refusal(rest, model, table) or (None if before[-1].row in does.takes else wrong)
    if model.precision in does.stored:
        return None
    if model.precision in _FLOATS[model.format]:
        return f"{last} compiles fully quantised files alone; write {does.usual}+{last}"
    return f"{last} compiles {' or '.join(does.stored)} alone, and {model.name} is {model.precision}"


def _two_values_refusal(steps: Sequence[Step]) -> str | None:
    """palette-1 after sparse: one of its two values is zero, so every other weight would be one number."""
    pruned = False
    for step in steps:
        if pruned and step.palette_bits == 1:
            return f"after sparse, {step} has one value left besides zero; use palette-2 or more"
        pruned = pruned or step.is_sparse
    return None
