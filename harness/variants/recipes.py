"""The grammar of recipes and the one table of techniques.

A recipe is steps joined with `+` in order of application: `sparse-50+palette-4+int8`. A step is a technique's name,
with a number where the technique takes one. `@` after a step names a method other than the plain post-training one;
no method is built yet, so it is refused as unknown.
"""

import difflib
import re

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.errors import ModelUnreadable, RecipeUnknown
from harness.core.model import Model
from harness.core.variant import OpSetting
from harness.variants.technique import Kind, Recipe, Step, Stored, Technique
from harness.variants.tflite import (
    dynamic_int8,
    float16,
    float32,
    int8,
    int8_float_io,
    int16x8,
    palette,
    sparse,
    uint8,
    weight_int8,
)
from harness.variants.tflite.operators import EDITED

_ANY_CPU = "every CPU; GPU delegates dequantise on load"
_INTEGER = "every CPU, Edge TPU, DSP and NPU delegates"

TECHNIQUES: dict[tuple[str, str], Technique] = {
    ("float32", "tflite"): Technique(
        what="the source as it is",
        kind=Kind.SOURCE,
        build=float32.build,
        runs_on="every CPU and GPU",
        size="100 %",
        cost=0.6,
    ),
    ("float16", "tflite"): Technique(
        what="weights stored as float16, computed as the runtime likes",
        kind=Kind.FINAL,
        build=float16.build,
        runs_on="every CPU (weights widen on load), GPU natively",
        size="50 %",
        stored=Stored(weights="float16"),
        cost=0.8,
    ),
    ("dynamic-int8", "tflite"): Technique(
        what="weights int8, activations quantised as they come, inputs and outputs float32",
        kind=Kind.FINAL,
        build=dynamic_int8.build,
        runs_on="every CPU; hybrid depthwise convolutions are not delegated to XNNPACK",
        size="25 %",
        stored=Stored(weights="int8"),
        cost=1.0,
    ),
    ("weight-int8", "tflite"): Technique(
        what="weights int8, widened before use; activations float32",
        kind=Kind.FINAL,
        build=weight_int8.build,
        runs_on=_ANY_CPU,
        size="25 %",
        stored=Stored(weights="int8"),
        cost=0.8,
    ),
    ("int8", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs int8",
        kind=Kind.FINAL,
        build=int8.build,
        runs_on=_INTEGER,
        size="25 %",
        stored=Stored(weights="int8", activations="int8", interface="int8"),
        calibrated=True,
        cost=1.5,
    ),
    ("int8-float-io", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs float32",
        kind=Kind.FINAL,
        build=int8_float_io.build,
        runs_on=_INTEGER + " (the two conversions stay on the CPU)",
        size="25 %",
        stored=Stored(weights="int8", activations="int8"),
        calibrated=True,
        cost=1.5,
    ),
    ("uint8", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs uint8",
        kind=Kind.FINAL,
        build=uint8.build,
        runs_on=_INTEGER + " (the two conversions stay on the CPU)",
        size="25 %",
        stored=Stored(weights="int8", activations="int8", interface="uint8"),
        calibrated=True,
        cost=1.5,
    ),
    ("int16x8", "tflite"): Technique(
        what="weights int8, activations int16, inputs and outputs int16",
        kind=Kind.FINAL,
        build=int16x8.build,
        runs_on="every CPU, by reference kernels: slower than float32",
        size="25 %",
        stored=Stored(weights="int8", activations="int16", interface="int16"),
        calibrated=True,
        cost=4.0,
    ),
    ("sparse", "tflite"): Technique(
        what="the P % smallest weights of each tensor set to zero",
        kind=Kind.EDIT,
        build=sparse.build,
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 53 % at P = 50, 29 % at 75",
        parameter=range(1, 100),
        cost=0.8,
    ),
    ("palette", "tflite"): Technique(
        what="the weights of each tensor clustered to 2^B values",
        kind=Kind.EDIT,
        build=palette.build,
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 19 % at B = 4, 27 % at 6",
        parameter=range(1, 9),
        cost=1.2,
    ),
}

# What a source may be stored in that nothing here can make: a recipe only for the source itself. A model without
# weights goes by its first output.
AS_STORED = (
    *("int2", "int4", "uint4", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "bool", "string"),
)

_DEFAULTS: dict[str, tuple[str, ...]] = {
    "tflite": (
        "float32",
        "float16",
        "dynamic-int8",
        "weight-int8",
        "int8",
        "int8-float-io",
        "uint8",
        "int16x8",
        "sparse-50",
        "sparse-75",
        "palette-4",
        "palette-6",
        "sparse-50+palette-4",
        "sparse-75+int8",
        "sparse-50+palette-4+int8",
    ),
}

_SHOWN = 60  # characters of a name that is no technique
_STEP = re.compile(r"(?P<name>[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*)(?:-(?P<number>[1-9][0-9]{0,2}))?")


def parse(text: str) -> Recipe:
    """Read a recipe. Raises RecipeUnknown with what is close to it or what is allowed."""
    return Recipe(steps=tuple(_parse_step(text, part) for part in text.split("+")))


def technique(step: Step, format: str) -> Technique | None:
    """The table's row for a step, None where the format has none."""
    return TECHNIQUES.get((step.technique, format))


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
    names = (model.precision, *(_DEFAULTS.get(model.format, ()) if weighted else ()))
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
    rows = [TECHNIQUES[step.technique, format] for step in recipe.steps]
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
        if pruned and step == Step(technique="palette", parameter=1):
            return "after sparse, palette-1 has one value left besides zero; use palette-2 or more"
        pruned = pruned or step.technique == "sparse"
    return None


def _model_refusal(recipe: Recipe, model: Model) -> str | None:
    if model.precision != "float32":
        return f"{model.name} is already {model.precision}; {recipe} starts from float32 weights"
    return None


def _parse_step(text: str, part: str) -> Step:
    name, at, method = part.partition("@")
    if at:
        plain = name[:_SHOWN] or "the technique"
        raise RecipeUnknown(text, f"the method @{method[:_SHOWN]} is not available; write {plain} without it")
    if name in _names(with_number=False) or name in AS_STORED:
        return Step(technique=name)
    match = _STEP.fullmatch(name)
    numbers = _numbers(match["name"]) if match else None
    if match is None or numbers is None:
        raise RecipeUnknown(text, _unknown(name))
    if match["number"] is None or int(match["number"]) not in numbers:
        allowed = f"{match['name']}-{numbers[0]} to {match['name']}-{numbers[-1]}"
        raise RecipeUnknown(text, f"write {allowed}")
    return Step(technique=match["name"], parameter=int(match["number"]))


def _names(*, with_number: bool) -> list[str]:
    rows = TECHNIQUES.items()
    return list(dict.fromkeys(name for (name, _), row in rows if (row.parameter is not None) is with_number))


def _numbers(name: str) -> range | None:
    rows = TECHNIQUES.items()
    return next((row.parameter for (known, _), row in rows if known == name), None)


def _unknown(name: str) -> str:
    name = name if len(name) <= _SHOWN else name[:_SHOWN] + "..."
    number = re.search(r"[0-9]+$", name)
    candidates = _names(with_number=False) + [
        f"{known}-{number[0] if number else numbers[len(numbers) // 2]}"
        for known in _names(with_number=True)
        if (numbers := _numbers(known)) is not None and (not number or int(number[0]) in numbers)
    ]
    close = difflib.get_close_matches(name.lower(), candidates, n=3, cutoff=0.5)
    if close:
        return f"{name!r} is no technique; did you mean {' or '.join(close)}?"
    numbered = [f"{known}-N" for known in _names(with_number=True)]
    return f"{name!r} is no technique; one of {', '.join(_names(with_number=False) + numbered)}"
