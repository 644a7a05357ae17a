"""Which operators XNNPACK can run in the channels-first layout that its sparse kernels need, each by itself.

Source: LiteRT, tflite/delegates/xnnpack/README.md, "Sparse Inference"; XNNPACK, src/subgraph.c,
xnn_check_nchw_compatibility.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

Sides = tuple[int, int, int, int]  # top, bottom, left, right
Shape = tuple[int, ...]

_CLAMPS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")  # what a kernel can do to its results on the way out
_ELEMENTWISE = (
    *("ABS", "CEIL", "ELU", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "NEG"),
    *("RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "SQUARE"),
)
_SPATIAL = {1, 2}  # axes of (batch, height, width, channels)
_ACTIVATIONS = {code: name for name, code in vars(schema.ActivationFunctionType).items() if isinstance(code, int)}


class Role(StrEnum):
    """Where in a cluster of channels-first operators one may stand."""

    HEAD = "head"  # first: its input is channels-last
    INSIDE = "inside"
    TAIL = "tail"  # last: its output is channels-last
    EITHER = "either"  # inside or last


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What the rules look at. padding is what a PAD before it adds; constants its constant inputs, by position.

    options is the schema's object for its kind, None where the file has none. shapes are of its inputs.
    """

    type: str
    name: str
    shapes: tuple[Shape, ...]
    constants: Mapping[int, "np.ndarray[Any, np.dtype[Any]] | None"]
    options: Any
    padding: Sides = (0, 0, 0, 0)

    @property
    def is_pointwise(self) -> bool:
        return self.type == "CONV_2D" and self.shapes[1][1:3] == (1, 1)

    def __str__(self) -> str:
        return f"{self.type} {self.name if len(self.name) <= 60 else self.name[:57] + '...'!r}"


def role(operator: Operator) -> Role | str:
    """Where the operator may stand, or what it would need to stand anywhere."""
    rule = _RULES.get(operator.type)
    if rule is None:
        return "has no sparse kernel beside it"
    if operator.options is None and operator.type in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return "has no options in the file"
    return rule(operator)


def _unfit(operator: Operator) -> str | None:
    """What keeps a convolution of either kind from standing anywhere."""
    if 1 not in operator.constants or len(operator.shapes[1]) != 4:
        return "has computed weights"
    if _is_dilated(operator.options):
        return "is dilated"
    if _activation(operator.options) not in _CLAMPS:
        return "ends in an activation that XNNPACK does not fuse"
    return None


def _convolution(operator: Operator) -> Role | str:
    if unfit := _unfit(operator):
        return unfit
    filters = operator.shapes[1]
    if filters[3] != operator.shapes[0][-1]:
        return "is grouped"
    strides = operator.options.strideH, operator.options.strideW
    sides = _sides(operator, filters[1:3])
    if filters[1:3] == (1, 1):
        return Role.INSIDE if strides == (1, 1) and sides == (0, 0, 0, 0) else "is strided or padded"
    if filters[1:3] == (3, 3) and strides == (2, 2) and filters[3] == 3:
        return Role.HEAD if sides == (1, 1, 1, 1) else f"needs a PAD of 1 on each side and has {_said(sides)}"
    return "is neither 1x1 nor 3x3 with stride 2 on 3 channels"


def _depthwise(operator: Operator) -> Role | str:
    if unfit := _unfit(operator):
        return unfit
    size = operator.shapes[1][1:3]
    if operator.shapes[1][3] != operator.shapes[0][-1]:
        return "makes several channels of one"
    if size not in ((3, 3), (5, 5)) or (operator.options.strideH, operator.options.strideW) not in ((1, 1), (2, 2)):
        return "is neither 3x3 nor 5x5 with stride 1 or 2"
    half = size[0] // 2
    sides = _sides(operator, size)
    if sides != (half, half, half, half):
        return f"needs a PAD of {half} on each side and has {_said(sides)}"
    return Role.INSIDE


def _binary(operator: Operator) -> Role | str:
    if any(len(shape) != 4 for shape in operator.shapes[:2]):
        return "has an input that is not 4-D"
    if any(sum(size != 1 for size in operator.shapes[place]) > 1 for place in operator.constants):
        return "has a constant that is neither a scalar nor a vector"
    return Role.INSIDE


def _mean(operator: Operator) -> Role | str:
    axes = operator.constants.get(1)
    if len(operator.shapes[0]) != 4 or axes is None:
        return "does not average over height and width"
    is_spatial = {int(axis) % 4 for axis in axes.reshape(-1)} == _SPATIAL
    return Role.EITHER if is_spatial else "does not average over height and width"


def _unary(operator: Operator) -> Role | str:
    return Role.INSIDE if len(operator.shapes[0]) == 4 else "has an input that is not 4-D"


def _resize(operator: Operator) -> Role | str:
    fits = len(operator.shapes[0]) == 4 and min(operator.shapes[0][1:3]) > 1
    return Role.INSIDE if fits else "resizes a single row or column"


def _depth_to_space(_operator: Operator) -> Role | str:
    return Role.TAIL


def _sides(operator: Operator, size: Shape) -> Sides | None:
    """Rows and columns of zeros around its input; None for SAME at a stride, which depends on the input's size."""
    if operator.options.padding == schema.Padding.VALID:
        return operator.padding
    if (operator.options.strideH, operator.options.strideW) != (1, 1):
        return None
    top, left = (size[0] - 1) // 2, (size[1] - 1) // 2
    same = (top, size[0] - 1 - top, left, size[1] - 1 - left)
    above, below, before, behind = (mine + added for mine, added in zip(same, operator.padding, strict=True))
    return above, below, before, behind


def _said(sides: Sides | None) -> str:
    return "SAME padding" if sides is None else f"{sides} at top, bottom, left and right"


def _is_dilated(options: Any) -> bool:  # noqa: ANN401 (generated code)
    return (options.dilationHFactor, options.dilationWFactor) != (1, 1)


def _activation(options: Any) -> str:  # noqa: ANN401 (generated code)
    return str(_ACTIVATIONS.get(options.fusedActivationFunction, "?"))


_RULES: dict[str, Callable[[Operator], Role | str]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "ADD": _binary,
    "MUL": _binary,
    "MEAN": _mean,
    "RESIZE_BILINEAR": _resize,
    "DEPTH_TO_SPACE": _depth_to_space,
    **dict.fromkeys(_ELEMENTWISE, _unary),
}
