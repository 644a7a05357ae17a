"""Why a recipe cannot work on an ML Program: one sentence with the way out, before any build."""

from collections.abc import Sequence

from harness.core.errors import ModelUnreadable, RecipeUnknown
from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting
from harness.sources.tflite_file import shorten
from harness.variants.coreml.activation_operators import WITH_WEIGHTS, WITHOUT_WEIGHTS
from harness.variants.coreml.operators import Contents, read_contents
from harness.variants.coreml.spared import Spares, always
from harness.variants.coreml.steps import SPARES
from harness.variants.coreml.targets import chosen_target, oldest_target
from harness.variants.coreml.weights import Weight
from harness.variants.grammar import parse
from harness.variants.refusals import recipe_refusal, weightless_refusal
from harness.variants.settings import unknown
from harness.variants.technique import Compression, Recipe, Step, Technique
from harness.variants.techniques import TECHNIQUES

_FLOATS = ("float32", "float16")
_MAIN = "main"


def refusal(recipe: Recipe, model: Model, settings: Sequence[OpSetting], target: Target | None) -> str | None:
    """Why a recipe with its settings cannot be built of a model for a target, None where it may.

    target None is the bench's choice. Each step is one that the format has, in an order that can be
    (`harness.variants.refusals`). Builds nothing.
    """
    reason = _below_refusal(model, target)
    if reason is not None or (str(recipe) == model.precision and not settings and target in (None, model.target)):
        return reason
    reason = _stored_refusal(model)
    if reason is not None or (str(recipe) == model.precision and not settings):
        return reason
    if str(recipe) == "float32" and settings:
        return "settings compress a float16 program; write float16 as the variant's own recipe"
    reason = _recipe_refusal(recipe, model, target) or _settings_refusal(settings, model, target)
    return reason or _contents_refusal(recipe, settings, model)


def _below_refusal(model: Model, target: Target | None) -> str | None:
    if target is None or model.target is None or not target.is_before(model.target):
        return None
    return (
        f"{model.name} is a program for {model.target} and cannot be built for {target}; take {model.target} or newer"
    )


def _stored_refusal(model: Model) -> str | None:
    """What the toolkit cannot write anew: compressed programs, those whose default function is not called main.

    Of a model that is gone the build will say so.
    """
    contents = _contents(model)
    stored = model.precision if model.precision not in _FLOATS else contents and contents.compressed
    if stored:
        target = f" for {model.target}" if model.target is not None else ""
        return f"{model.name} is already {stored}{target}; start from the float model"
    if contents is not None and contents.default != _MAIN:
        return (
            f"the default function of {model.name} is called {shorten(contents.default)}; "
            f"coremltools writes programs whose default is {_MAIN} alone: save it under that name"
        )
    return None


def _contents(model: Model) -> Contents | None:
    try:
        return read_contents(model)
    except ModelUnreadable:
        return None


def _settings_refusal(settings: Sequence[OpSetting], model: Model, target: Target | None) -> str | None:
    for setting in settings:
        reason = _setting_refusal(setting, model, target)
        if reason is not None:
            return f"the setting of {shorten(setting.op or setting.op_type or '')}: {reason}"
    return None


def _setting_refusal(setting: OpSetting, model: Model, target: Target | None) -> str | None:
    if setting.recipe is None:
        return None
    try:
        recipe = parse(setting.recipe)
    except RecipeUnknown as exc:
        return exc.reason
    if str(recipe) == "float32":
        return "beside compressed operators others are float16; write null"
    return recipe_refusal(recipe, model, TECHNIQUES) or _recipe_refusal(recipe, model, target)


def _recipe_refusal(recipe: Recipe, model: Model, target: Target | None) -> str | None:
    rows = [(step, TECHNIQUES[step.row, model.format]) for step in recipe.steps]
    if str(recipe) == "float32":
        return f"{model.name} is {model.precision}, and nothing here widens it; leave float32 out"
    reason = weightless_refusal(model) or _join_refusal(rows)
    return reason or _target_refusal(recipe, model, target) or _calibration_refusal(rows, model)


def _join_refusal(rows: Sequence[tuple[Step, Technique]]) -> str | None:
    """Joins that the order of kinds allows and the toolkit cannot make."""
    pruning = [str(step) for step, row in rows if isinstance(row.does, Compression) and row.does.prunes]
    others = [step for step, _ in rows if str(step) not in pruning]
    if len(pruning) > 1:
        return f"{' and '.join(pruning)} both prune, and a weight is pruned once; keep one of them"
    if len(rows) > 1 and any(step.row == "float16" for step in others):
        return "every compression starts from the float16 program; leave float16 out"
    if pruning and any("vector" in step.row for step in others):
        return f"vectors do not go with {pruning[0]}: zeros are left out one by one; take a palette of single values"
    return None


def _target_refusal(recipe: Recipe, model: Model, target: Target | None) -> str | None:
    chosen, needed = chosen_target(model, target), oldest_target(recipe)
    if not chosen.is_before(needed):
        return None
    if len(recipe.steps) > 1 and needed is Target.IOS18:
        what, instead = "two compressions of one weight need", "one of them alone"
    else:
        what, instead = f"{recipe} needs", _older(recipe, chosen)
    return f"{what} {needed}, asked for {chosen}: raise the target or take {instead}"


def _contents_refusal(recipe: Recipe, settings: Sequence[OpSetting], model: Model) -> str | None:
    """What the model itself has against it. Of one that is gone the build will say so."""
    contents = _contents(model)
    if contents is None:
        return None
    if contents.functions > 1 and str(recipe) != "float16":
        return f"{model.name} has {contents.functions} functions; coremltools compresses programs that have one alone"
    reasons = (reason for setting in settings if (reason := unknown(setting, contents.operators)) is not None)
    reason = next(reasons, None) or _activations_refusal(recipe, settings, contents)
    return reason or (None if settings else _nothing_refusal(recipe, contents.weights, model))


def _activations_refusal(recipe: Recipe, settings: Sequence[OpSetting], contents: Contents) -> str | None:
    """What keeps activations from being quantised, as far as the types of operators tell."""
    used = [recipe, *(parse(setting.recipe) for setting in settings if setting.recipe is not None)]
    calibrated = [step for each in used for step in each.steps if TECHNIQUES[step.row, "mlpackage"].calibrated]
    if not calibrated:
        return None
    if contents.nested:
        return f"activations cannot be quantised in a program with {contents.nested[0]}; take weight-int8"
    if settings or any(each.type in (*WITH_WEIGHTS, *WITHOUT_WEIGHTS) for each in contents.operators):
        return None
    types = ", ".join((*WITH_WEIGHTS, *WITHOUT_WEIGHTS))
    return f"no operator has activations that can be quantised, those of {types} alone; take weight-int8"


def _nothing_refusal(recipe: Recipe, weights: Sequence[Weight], model: Model) -> str | None:
    """Where a step would leave every weight alone, by their shapes."""
    rows = [(step, TECHNIQUES[step.row, model.format].does) for step in recipe.steps if step.row != "float16"]
    for step, does in rows:
        spares = SPARES.get(does, Spares()) if isinstance(does, Compression) else Spares()
        by_size = sorted(weights, key=lambda weight: -weight.elements)
        reasons = [always(each) or spares.by_shape(step, each) for each in by_size]
        if reasons and None not in reasons:
            largest = f"the largest, {shorten(by_size[0].name)}, {reasons[0]}"
            return f"{step} has no weight of {model.name} to compress: {largest}"
    return None


def _older(recipe: Recipe, target: Target) -> str:
    """What is closest to a recipe of one step among what a target has."""
    if target is Target.IOS15:
        return "float16"
    row = recipe.steps[0].row
    if row.startswith("palette-"):
        bits = recipe.steps[0].palette_bits
        return "palette-4" if bits == 3 else f"palette-{bits}"
    return "palette-4" if row.startswith("weight-int4") else "weight-int8"


def _calibration_refusal(rows: Sequence[tuple[Step, Technique]], model: Model) -> str | None:
    calibrated = [str(step) for step, row in rows if row.calibrated]
    if not calibrated or model.data is not None or model.random_weights:
        return None
    return f"{calibrated[0]} needs samples to calibrate activations on: give `data`, an .npz"
