"""What is known of a recipe before anything is built: whether it can work, where it cannot run, what to expect."""

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.core.variant import OpSetting
from harness.variants.grammar import parse
from harness.variants.technique import Kind, Recipe, Step, Technique
from harness.variants.techniques import DEFAULTS, TECHNIQUES
from harness.variants.tflite.operators import EDITED

__all__ = ["TECHNIQUES", "cost", "default_variants", "is_source", "lacking", "parse", "refusal", "technique", "warning"]


def technique(step: Step, format: str) -> Technique | None:
    """The table's row for a step, None where the format has none."""
    return TECHNIQUES.get((step.row, format))


def is_source(recipe: Recipe, model: Model) -> bool:
    """Whether the recipe means the model at its own precision."""
    return str(recipe) == model.precision


def refusal(recipe: Recipe, model: Model, settings: tuple[OpSetting, ...] = ()) -> str | None:  # noqa: ARG001
    """Why the recipe cannot work on this model, None where it may. Looks at the plan alone, builds nothing."""
    if is_source(recipe, model):
        return None
    missing = [str(step) for step in recipe.steps if technique(step, model.format) is None]
    if missing:
        return f"{missing[0]} does not exist for {model.format}; it can only name a source that is stored so"
    return _order_refusal(recipe, model.format) or _model_refusal(recipe, model)


def lacking(recipe: Recipe, model: Model, device: DeviceFacts) -> str | None:  # noqa: ARG001
    """Why the runtime of a device cannot run what the recipe makes, None where it may."""
    return None


def warning(recipe: Recipe, model: Model, unit: ComputeUnit) -> str | None:  # noqa: ARG001
    """What to expect of the recipe on a unit, where that is a surprise."""
    return None


def default_variants(model: Model) -> tuple[str, ...]:
    """The default set of the model's format, less what is bound to fail on this model; the source comes first.

    Reads the model's graph: without convolutions or fully connected layers there is nothing to compress, and static
    quantisation calibrates one graph only.
    """
    weighted, graphs = _look_into(model)
    names = (model.precision, *(DEFAULTS.get(model.format, ()) if weighted else ()))
    allowed = {name: parse(name) for name in names if graphs == 1 or not _is_calibrated(parse(name), model.format)}
    return tuple(name for name, recipe in allowed.items() if refusal(recipe, model) is None)


def _look_into(model: Model) -> tuple[bool, int]:
    """Whether the model has weights to compress, and how many graphs its signatures run."""
    from harness.sources.tflite import read_graph, read_signatures

    try:
        nodes = read_graph(model.path).nodes
        graphs = {signature.graph for signature in read_signatures(model.path)}
    except ModelUnreadable:
        return model.parameters > 0, 1  # not there any more: the build will say so
    return any(node.type in EDITED and node.weight_bytes for node in nodes), len(graphs)


def _is_calibrated(recipe: Recipe, format: str) -> bool:
    rows = [technique(step, format) for step in recipe.steps]
    return any(row.calibrated for row in rows if row is not None)


def cost(recipe: Recipe, model: Model) -> float:
    """Rough build time, only to start the longest first. Seconds of one core."""
    rows = [technique(step, model.format) for step in recipe.steps]
    return sum(row.cost for row in rows if row is not None) * model.size_bytes / 10e6


def _order_refusal(recipe: Recipe, format: str) -> str | None:
    rows = [TECHNIQUES[step.row, format] for step in recipe.steps]
    if len(rows) > 1 and any(row.kind is Kind.SOURCE for row in rows):
        return "float32 is the source itself and joins with nothing; leave it out"
    finals = [str(step) for step, row in zip(recipe.steps, rows, strict=True) if row.kind is Kind.FINAL]
    if len(finals) > 1:
        return f"{' and '.join(finals)} each store the weights their own way; keep one, at the end"
    if finals and rows[-1].kind is not Kind.FINAL:
        edits = [str(step) for step, row in zip(recipe.steps, rows, strict=True) if row.kind is Kind.EDIT]
        return f"{edits[-1]} needs float32 weights, {finals[0]} leaves none; write {'+'.join((*edits, *finals))}"
    return _two_values_refusal(recipe)


def _two_values_refusal(recipe: Recipe) -> str | None:
    """palette-1 after sparse: one of its two values is zero, so every other weight would be one number."""
    pruned = False
    for step in recipe.steps:
        if pruned and step.technique == "palette" and step.parameter == 1:
            return f"after sparse, {step} has one value left besides zero; use palette-2 or more"
        pruned = pruned or step.technique == "sparse"
    return None


def _model_refusal(recipe: Recipe, model: Model) -> str | None:
    if model.precision != "float32":
        return f"{model.name} is already {model.precision}; {recipe} starts from float32 weights"
    return None
