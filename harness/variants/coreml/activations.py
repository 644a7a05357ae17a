"""Activations of chosen operators as int8: ranges from samples, by coremltools' own calibration.

The toolkit asks a model with every intermediate value as an output to predict each sample, and keeps for every value
the range of the *last* sample alone (ModelDebugger.record_intermediate_output of coremltools 9.0 sets before it
compares). So it is given one sample that is all of them, and a model that answers the extremes over all of them
(extremes.extremes_over_samples): its ranges are those of all samples, and the program is read once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from harness.core.errors import RecipeRefused
from harness.core.units import Bytes
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.activation_operators import (
    WITH_WEIGHTS,
    WITHOUT_WEIGHTS,
    Operator,
    chosen,
    joined,
    name_of,
    operations_in,
    read_operators,
)
from harness.variants.coreml.activation_scales import additions_beyond_float16, scales_of
from harness.variants.technique import Calibration, CoreMLProgram

_WIDEST = 32752  # the toolkit takes the width of a symmetric range in float16
_AT_ONCE: Bytes = 1 << 29


def quantize_activations(
    recipe: str,
    program: CoreMLProgram,
    weights: Collection[str],
    calibration: Calibration,
    at_once: Bytes = _AT_ONCE,
) -> CoreMLProgram:
    """Quantise what goes into and comes out of the operators that read the weights, and of additions and poolings
    that only they feed.

    at_once bounds the values inside that are watched together; more of them take more passes over the samples. Raises
    RecipeRefused where there is no such operator, or where a range cannot be quantised.
    """
    from harness.fidelity.extremes import extremes_over_samples

    operators = read_operators(recipe, program)
    outputs = [each.name for each in program.get_spec().description.output]
    named = chosen(operators, weights, outputs)
    if not named:
        types = ", ".join((*WITH_WEIGHTS, *WITHOUT_WEIGHTS))
        raise RecipeRefused(recipe, f"no operator with activations to quantise; the toolkit has {types}")
    plain = _with_arrays(program)
    with quietly(), extremes_over_samples(joined(operators, outputs)) as seen:
        samples, group = _stack(plain, calibration), _group(operators, at_once)
        quantised = _calibrate(recipe, plain, named, samples, group, seen)
        if beyond := additions_beyond_float16(quantised):
            quantised = _calibrate(recipe, _turned(plain, beyond), named, samples, group, seen)
    _check_scales(recipe, quantised, seen)
    return _with_inputs_of(program, quantised) if plain is not program else quantised


def _calibrate(
    recipe: str,
    program: CoreMLProgram,
    named: Sequence[str],
    samples: Mapping[str, Any],
    group: int,
    seen: Mapping[str, tuple[Any, Any]],
) -> CoreMLProgram:
    import numpy as np

    coreml = import_coremltools().optimize.coreml
    config = coreml.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8")
    configs = coreml.OptimizationConfig(op_name_configs=dict.fromkeys(named, config))
    try:
        with np.errstate(all="ignore"):
            return coreml.linear_quantize_activations(program, configs, [dict(samples)], group)
    except ValueError as exc:  # "quantize op: scale cannot be 0", of what it does not say
        least = 127 * float(np.finfo(np.float16).smallest_subnormal) / 2  # less is a scale of zero in float16
        nothing = [name for name, range_ in sorted(seen.items()) if np.abs(range_).max() <= least]
        if not nothing:
            raise
        raise RecipeRefused(recipe, _without_scale(nothing[0], "is zero or next to it")) from exc


def _stack(program: CoreMLProgram, calibration: Calibration) -> dict[str, Any]:
    """All samples by input name, along a new first dimension."""
    import numpy as np

    (samples,) = calibration.samples.values()
    names = [each.name for each in program.get_spec().description.input]
    return {name: np.stack([sample[position] for sample in samples]) for position, name in enumerate(names)}


def _group(operators: Iterable[Operator], at_once: Bytes) -> int:
    """How many values are watched together; -1 is all of them."""
    computed = [each for each in operators if not each.is_stored]
    total = sum(each.bytes for each in computed)
    return -1 if total <= at_once else max(1, len(computed) * at_once // total)


def _check_scales(recipe: str, program: CoreMLProgram, seen: Mapping[str, tuple[Any, Any]]) -> None:
    import numpy as np

    no_numbers = [name for name, range_ in sorted(seen.items()) if np.isnan(range_).any()]
    endless = [each.value for each in scales_of(program) if not np.isfinite(each.scale)]
    for value in endless:
        why = "is not a number" if value in no_numbers else f"goes beyond {_WIDEST}"
        raise RecipeRefused(recipe, _without_scale(value, why))


def _without_scale(value: str, why: str) -> str:
    return f"{value} {why} on the calibration samples and has no scale; leave its operator out with a setting"


def _with_arrays(program: CoreMLProgram) -> CoreMLProgram:
    """The program with arrays for images as inputs: MLModel.predict takes images from files alone."""
    from coremltools.proto.FeatureTypes_pb2 import ArrayFeatureType

    specification = program.get_spec()
    images = [each for each in specification.description.input if each.type.WhichOneof("Type") == "imageType"]
    for each in images:
        each.type.multiArrayType.dataType = ArrayFeatureType.FLOAT32
    return _model(specification, program) if images else program


def _with_inputs_of(program: CoreMLProgram, quantised: CoreMLProgram) -> CoreMLProgram:
    """The quantised program with inputs described as they were."""
    specification = quantised.get_spec()
    described = {each.name: each for each in program.get_spec().description.input}
    for each in specification.description.input:
        each.CopyFrom(described[each.name])
    return _model(specification, quantised)


def _turned(program: CoreMLProgram, additions: Collection[str]) -> CoreMLProgram:
    """The program with the operands of additions exchanged, so that the wide one is second and divides the other."""
    specification = program.get_spec()
    for each in operations_in(specification):
        if each.type == "add" and name_of(each) in additions:
            first, second = each.inputs["x"].arguments[0].name, each.inputs["y"].arguments[0].name
            each.inputs["x"].arguments[0].name, each.inputs["y"].arguments[0].name = second, first
    return _model(specification, program)


def _model(specification: Any, program: CoreMLProgram) -> CoreMLProgram:  # noqa: ANN401 (coremltools has no types)
    models = import_coremltools().models
    return models.MLModel(specification, weights_dir=program.weights_dir, skip_model_load=True)
