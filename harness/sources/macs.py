"""Multiply-accumulate operations of an operator, from the shapes in the file.

Counts every position of the output, padding included, as papers and `thop` do: MobileNetV2 1.0 224 has 300.8 million.
"""

from collections.abc import Callable
from math import prod

from harness.sources.tflite_file import OperatorRecord, TensorRecord

Shape = tuple[int, ...]
_MOST = 1 << 60  # a year's work of a thousand fast machines: such a shape is damage


def macs(operator: OperatorRecord, tensors: tuple[TensorRecord, ...]) -> int | None:
    """None where the operator has no formula here, or a shape is open, absurd or not as the operator needs it."""
    formula = _FORMULAS.get(operator.type)
    if formula is None or not operator.outputs:
        return None
    inputs = [tensors[i].shape if i >= 0 else () for i in operator.inputs]
    shapes = [*inputs, tensors[operator.outputs[0]].shape]
    if any(size < 1 for shape in shapes for size in shape):
        return None
    try:
        count = formula(inputs, shapes[-1], operator)
    except IndexError:
        return None
    return count if count <= _MOST else None


def _convolution(inputs: list[Shape], out: Shape, _: OperatorRecord) -> int:
    """Weights (out, height, width, in / groups)."""
    return prod(out) * prod(inputs[1][1:])


def _depthwise(inputs: list[Shape], out: Shape, _: OperatorRecord) -> int:
    """Weights (1, height, width, channels)."""
    return prod(out) * inputs[1][1] * inputs[1][2]


def _convolution_3d(inputs: list[Shape], out: Shape, _: OperatorRecord) -> int:
    """Weights (depth, height, width, in, out)."""
    return prod(out) * prod(inputs[1][:4])


def _fully_connected(inputs: list[Shape], out: Shape, _: OperatorRecord) -> int:
    """Weights (out, in)."""
    return prod(out) * inputs[1][1]


def _transpose_conv(inputs: list[Shape], _: Shape, __: OperatorRecord) -> int:
    """Inputs: output shape, weights (out, height, width, in), x."""
    return prod(inputs[2]) * inputs[1][0] * inputs[1][1] * inputs[1][2]


def _batch_matmul(inputs: list[Shape], out: Shape, operator: OperatorRecord) -> int:
    return prod(out) * inputs[0][-2 if operator.adj_x else -1]


_FORMULAS: dict[str, Callable[[list[Shape], Shape, OperatorRecord], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
    "BATCH_MATMUL": _batch_matmul,
}
