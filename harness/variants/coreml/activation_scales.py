"""Scales of quantised activations as they lie in an ML Program."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.variants.coreml.activation_operators import name_of, operations_of
from harness.variants.technique import CoreMLProgram

_STEPS = 128  # of int8 from zero on
_LARGEST = 65504  # in float16


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationScale:
    """One `quantize` of a program, per tensor. value is what it reads.

    An addition and what quantises it come divided by the scale of the addition's second operand
    (distributive_quantized_binary_op_scale_normalization), the `dequantize` behind them does not.
    """

    value: str
    scale: float
    zero_point: int


def scales_of(program: CoreMLProgram) -> tuple[ActivationScale, ...]:
    """Every `quantize` of a program's main block, in order."""
    operations = operations_of(program)
    values = _constants(operations)
    return tuple(
        ActivationScale(
            value=each.inputs["input"].arguments[0].name,
            scale=_number(_constant(each, "scale", values)),
            zero_point=int(_number(_constant(each, "zero_point", values))),
        )
        for each in operations
        if each.type == "quantize"
    )


def additions_beyond_float16(program: CoreMLProgram) -> set[str]:
    """Names of additions whose first operand overflows in units of the second, as coremltools writes it."""
    operations = operations_of(program)
    values = _constants(operations)
    endless = {
        each.outputs[0].name
        for each in operations
        if each.type == "dequantize" and _STEPS * _number(_constant(each, "scale", values)) > _LARGEST
    }
    additions = [each for each in operations if each.type == "add"]
    return {name_of(each) for each in additions if endless & {each.inputs[key].arguments[0].name for key in "xy"}}


def _constants(operations: Iterable[Any]) -> dict[str, Any]:
    return {each.outputs[0].name: each.attributes["val"] for each in operations if each.type == "const"}


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
