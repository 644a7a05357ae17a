"""Activations of chosen operators as int8: ranges from samples, by coremltools' own calibration.

The toolkit asks a model with every intermediate value as an output to predict each sample, and keeps for every value
the range of the *last* sample alone (ModelDebugger.record_intermediate_output of coremltools 9.0 sets before it
compares). So it is given one sample that is all of them, and a model that answers the extremes over all of them
(native_bridge.extremes_over_samples): its ranges are those of all samples, and the program is read once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from harness.core.errors import RecipeRefused
from harness.core.units import Bytes
from harness.fidelity.native_bridge import extremes_over_samples
from harness.toolkit import import_coremltools, quietly
from harness.variants.technique import Calibration, CoreMLProgram

_WITH_WEIGHTS = ("conv", "linear")
_WITHOUT_WEIGHTS = ("add", "avg_pool", "max_pool")
# Of coremltools' insert_suffix_quantize_dequantize_pair: what it keeps together with the operator before.
_TOGETHER = ("leaky_relu", "tanh", "scaled_tanh", "sigmoid", "hard_sigmoid", "relu", "relu6")
_WIDEST = 32752  # the toolkit takes the width of a symmetric range in float16
_OUTPUTS_AT_ONCE: Bytes = 1 << 29  # of a model under calibration, as float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operation of a program's main block. inputs and outputs are names of values; bytes are of its outputs as
    float32, open dimensions as 1."""

    type: str
    name: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    is_float: bool
    bytes: Bytes

    @property
    def is_stored(self) -> bool:
        return self.type == "const" or self.type.startswith("constexpr_")

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(value for values in self.inputs.values() for value in values)


def quantize_activations(
    recipe: str, program: CoreMLProgram, weights: Collection[str], calibration: Calibration
) -> CoreMLProgram:
    """Quantise what goes into and comes out of the operators that read the weights, and of additions and poolings
    that only they feed. Raises RecipeRefused where there are none, or where a range is not finite."""
    operators = read_operators(recipe, program)
    named = chosen(operators, weights, [each.name for each in program.get_spec().description.output])
    if not named:
        types = ", ".join((*_WITH_WEIGHTS, *_WITHOUT_WEIGHTS))
        raise RecipeRefused(recipe, f"no operator with activations to quantise; the toolkit has {types}")
    quantised = _calibrate(program, named, _stack(program, calibration), _group(operators))
    _check_scales(recipe, quantised)
    return quantised


def _calibrate(program: CoreMLProgram, named: Sequence[str], samples: Mapping[str, Any], group: int) -> CoreMLProgram:
    coreml = import_coremltools().optimize.coreml
    config = coreml.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8")
    configs = coreml.OptimizationConfig(op_name_configs=dict.fromkeys(named, config))
    with quietly(), extremes_over_samples():
        return coreml.linear_quantize_activations(program, configs, [dict(samples)], group)


def _stack(program: CoreMLProgram, calibration: Calibration) -> dict[str, Any]:
    """All samples by input name, along a new first dimension."""
    import numpy as np

    (samples,) = calibration.samples.values()
    names = [each.name for each in program.get_spec().description.input]
    return {name: np.stack([sample[position] for sample in samples]) for position, name in enumerate(names)}


def _group(operators: Iterable[Operator]) -> int:
    """How many values are outputs at once; -1, all of them, where they fit into memory."""
    computed = [each for each in operators if not each.is_stored]
    total = sum(each.bytes for each in computed)
    return -1 if total <= _OUTPUTS_AT_ONCE else max(1, len(computed) * _OUTPUTS_AT_ONCE // total)


def read_operators(recipe: str, program: CoreMLProgram) -> tuple[Operator, ...]:
    """The operations of a program's only function. Raises RecipeRefused where one has blocks of its own."""
    operations = _operations(program)
    nested = [each.type for each in operations if each.blocks]
    if nested:
        raise RecipeRefused(recipe, f"activations cannot be quantised in a program with {nested[0]}; take weight-int8")
    return tuple(_operator(each) for each in operations)


def _operations(program: CoreMLProgram) -> Sequence[Any]:
    (function,) = program.get_spec().mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    operations: Sequence[Any] = block.operations
    return operations


def _operator(operation: Any) -> Operator:  # noqa: ANN401 (coremltools has no types)
    from coremltools.proto.MIL_pb2 import FLOAT16, FLOAT32

    inputs = operation.inputs.items()
    types = [each.type.tensorType for each in operation.outputs]
    sizes = [prod(max(1, each.constant.size) for each in kind.dimensions) for kind in types]
    return Operator(
        type=operation.type,
        name="".join(operation.attributes["name"].immediateValue.tensor.strings.values),
        inputs={key: tuple(each.name for each in value.arguments if each.name) for key, value in inputs},
        outputs=tuple(each.name for each in operation.outputs),
        is_float=all(kind.dataType in (FLOAT16, FLOAT32) for kind in types),
        bytes=4 * sum(sizes),
    )


def chosen(operators: Sequence[Operator], weights: Collection[str], outputs: Collection[str]) -> list[str]:
    """Names of the operators whose activations are quantised, in order.

    An addition or a pooling follows the nearest operators with weights before it: all of them chosen. Where there are
    none it is as if all operators with weights stood before it. outputs are the program's.
    """
    makers = {value: each for each in operators for value in each.outputs}
    own = {each.name: set(weights) & _stored_behind(each, makers) for each in operators if _has_weights(each, makers)}
    follows: dict[str, bool | None] = {}
    named = []
    for each in operators:
        known = [follows.get(value) for value in each.reads if value in follows]
        before = [one for one in known if one is not None]
        its = bool(own[each.name]) if each.name in own else all(before) if before else None
        follows |= dict.fromkeys(() if each.is_stored else each.outputs, its)
        takes = its if its is not None else all(own.values())
        if takes and _is_possible(each, operators, outputs):
            named.append(each.name)
    return named


def _has_weights(operator: Operator, makers: Mapping[str, Operator]) -> bool:
    return operator.type in _WITH_WEIGHTS and bool(_stored_behind(operator, makers))


def _stored_behind(operator: Operator, makers: Mapping[str, Operator]) -> set[str]:
    """Constants that an operator's weights are, or are made of by operators that only reorder them."""
    found: set[str] = set()
    waiting = list(operator.inputs.get("weight", ()))
    while waiting:
        value = waiting.pop()
        maker = makers.get(value)
        if maker is None:
            return set()  # an input of the program
        if maker.is_stored:
            found.add(value)
        else:
            waiting += maker.reads
    return found


def _is_possible(operator: Operator, operators: Sequence[Operator], outputs: Collection[str]) -> bool:
    """Whether the toolkit can: it has no ranges of the program's outputs, so that an operator around one that is also
    read inside has to stay as it is."""
    if operator.type not in (*_WITH_WEIGHTS, *_WITHOUT_WEIGHTS) or not operator.is_float or not operator.name:
        return False
    after = [each for each in operators if set(each.reads) & set(operator.outputs)]
    ends = {*operator.outputs, *(value for each in after if each.type in _TOGETHER for value in each.outputs)}
    return not set(operator.reads) & set(outputs) and not (after and ends & set(outputs))


def _check_scales(recipe: str, program: CoreMLProgram) -> None:
    import numpy as np

    endless = [each.value for each in scales_of(program) if not np.isfinite(each.scale)]
    if endless:
        raise RecipeRefused(
            recipe, f"{endless[0]} goes beyond {_WIDEST} on calibration samples; leave its operator out with a setting"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationScale:
    """One `quantize` of a program, per tensor. value is what it reads."""

    value: str
    scale: float
    zero_point: int


def scales_of(program: CoreMLProgram) -> tuple[ActivationScale, ...]:
    """Every `quantize` of a program's main block, in order."""
    operations = _operations(program)
    values = {each.outputs[0].name: each.attributes["val"] for each in operations if each.type == "const"}
    return tuple(
        ActivationScale(
            value=each.inputs["input"].arguments[0].name,
            scale=_number(_constant(each, "scale", values)),
            zero_point=int(_number(_constant(each, "zero_point", values))),
        )
        for each in operations
        if each.type == "quantize"
    )


def _constant(operation: Any, name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 (coremltools has no types)
    """A parameter that is a constant of its own or stands with the operation; None where it was not given."""
    arguments = operation.inputs[name].arguments if name in operation.inputs else ()
    return next((values[each.name] if each.name else each.value for each in arguments), None)


def _number(value: Any) -> float:  # noqa: ANN401 (coremltools has no types)
    """A scalar of the format: small types lie in it as bytes. 0 where there is none."""
    import numpy as np
    from coremltools.proto.MIL_pb2 import FLOAT16, INT8

    if value is None:
        return 0.0
    kind, tensor = value.type.tensorType.dataType, value.immediateValue.tensor
    small = {FLOAT16: "<f2", INT8: "i1"}
    if kind in small:
        return float(np.frombuffer(tensor.bytes.values, small[kind])[0])
    return float((tensor.floats.values or tensor.ints.values)[0])
