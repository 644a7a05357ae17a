"""Operators that work on each element alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.mil_tflite.canvas import (
    Array,
    Canvas,
    Shape,
    Step,
    Untranslatable,
    Value,
    known,
    last_order,
    like,
    of,
)
from harness.sources.tflite_writer import Tensor

_BINARY: Mapping[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "add": ("ADD", np.add),
    "sub": ("SUB", np.subtract),
    "mul": ("MUL", np.multiply),
    "real_div": ("DIV", np.divide),
    "floor_div": ("FLOOR_DIV", np.floor_divide),
    "mod": ("FLOOR_MOD", np.mod),
    "pow": ("POW", np.power),
    "maximum": ("MAXIMUM", np.maximum),
    "minimum": ("MINIMUM", np.minimum),
    "equal": ("EQUAL", np.equal),
    "not_equal": ("NOT_EQUAL", np.not_equal),
    "less": ("LESS", np.less),
    "less_equal": ("LESS_EQUAL", np.less_equal),
    "greater": ("GREATER", np.greater),
    "greater_equal": ("GREATER_EQUAL", np.greater_equal),
    "logical_and": ("LOGICAL_AND", np.logical_and),
    "logical_or": ("LOGICAL_OR", np.logical_or),
}
_UNARY: Mapping[str, str] = {
    "tanh": "TANH",
    "sigmoid": "LOGISTIC",
    "exp": "EXP",
    "sqrt": "SQRT",
    "abs": "ABS",
    "ceil": "CEIL",
    "floor": "FLOOR",
    "round": "ROUND",
    "sin": "SIN",
    "cos": "COS",
    "sign": "SIGN",
    "logical_not": "LOGICAL_NOT",
}
_POSITIVE = frozenset(("sigmoid", "exp", "sqrt", "abs"))
_CLAMPS = {(0.0, 6.0): "RELU6", (0.0, 1.0): "RELU_0_TO_1", (-1.0, 1.0): "RELU_N1_TO_1"}
_FUSED = ("RELU", "RELU6", "RELU_N1_TO_1")  # what an operator's options can hold
_SMALLEST = 1e-30  # an epsilon below it does nothing in float32


def together(canvas: Canvas, values: Sequence[Value], shape: Shape) -> tuple[list[Tensor], bool]:
    """Values as tensors of one layout that broadcast to shape, and whether channels are last in it."""
    moving = [value for value in values if value.constant is None and value.rank == len(shape)]
    last_only = sum(value.is_last for value in moving)
    plain_only = sum(value.last is None for value in moving)
    last = len(shape) > 2 and any(value.last is not None for value in moving) and last_only >= plain_only
    return [_bring(canvas, value, len(shape), last) for value in values], last


def _bring(canvas: Canvas, value: Value, rank: int, last: bool) -> Tensor:
    if not last:
        return canvas.plain(value)
    if value.constant is not None:
        if value.constant.size == 1:
            return canvas.constant(value.constant.reshape(()))
        wide = value.constant.reshape((1,) * (rank - value.rank) + value.shape)
        return canvas.constant(wide.transpose(last_order(rank)))
    if value.rank < rank:
        wide_shape = (1,) * (rank - value.rank) + value.shape
        return canvas.last(of(wide_shape, canvas.reshape(canvas.plain(value), wide_shape)))
    return canvas.last(value)


def either(canvas: Canvas, value: Value) -> tuple[Tensor, bool]:
    """A value as it stands, and whether channels are last in it."""
    return (canvas.last(value), True) if value.is_last else (canvas.plain(value), False)


def combine(canvas: Canvas, step: Step) -> Value:
    code, compute = _BINARY[step.type]
    left, right = step["x"], step["y"]
    if left.constant is not None and right.constant is not None:
        return known(compute(left.constant, right.constant))
    tensors, last = together(canvas, (left, right), step.shapes[0])
    positive = step.type in ("add", "mul", "real_div", "maximum") and _is_positive(left) and _is_positive(right)
    return of(step.shapes[0], canvas.binary(code, *tensors), last=last, positive=positive)


def _is_positive(value: Value) -> bool:
    return value.positive or (value.constant is not None and bool((value.constant >= 0).all()))


def apply(canvas: Canvas, step: Step) -> Value:
    x, last = either(canvas, step["x"])
    made = canvas.unary(_UNARY[step.type], x)
    return like(step["x"], made, last=last, positive=step.type in _POSITIVE)


def rectify(canvas: Canvas, step: Step) -> Value:
    return _clamp(canvas, step["x"], step.type.upper())


def _clamp(canvas: Canvas, value: Value, code: str) -> Value:
    """A clamp, by the operator before it where that can."""
    positive = code != "RELU_N1_TO_1"
    if code in _FUSED and canvas.fuse(value, code):
        kept = value.last if value.is_last else value.plain
        assert kept is not None
        return like(value, kept, last=value.is_last, positive=positive)
    x, last = either(canvas, value)
    return like(value, canvas.unary(code, x), last=last, positive=positive)


def clip(canvas: Canvas, step: Step) -> Value:
    low, high = float(step.scalar("alpha", 0.0)), float(step.scalar("beta", 1.0))
    if (low, high) in _CLAMPS:
        return _clamp(canvas, step["x"], _CLAMPS[low, high])
    x, last = either(canvas, step["x"])
    raised = canvas.binary("MAXIMUM", x, canvas.number(low))
    return like(step["x"], canvas.binary("MINIMUM", raised, canvas.number(high)), last=last, positive=low >= 0)


def shifted(canvas: Canvas, step: Step) -> Value:
    """log, rsqrt, inverse: of x + epsilon."""
    x, last = either(canvas, step["x"])
    epsilon = float(step.scalar("epsilon", 0.0))
    if abs(epsilon) > _SMALLEST:
        x = canvas.binary("ADD", x, canvas.number(epsilon))
    if step.type == "inverse":
        made = canvas.binary("DIV", canvas.number(1.0), x)
    else:
        made = canvas.unary("LOG" if step.type == "log" else "RSQRT", x)
    return like(step["x"], made, last=last)


def square(canvas: Canvas, step: Step) -> Value:
    """SQUARE has no integers."""
    x, last = either(canvas, step["x"])
    return like(step["x"], canvas.binary("MUL", x, x), last=last, positive=True)


def silu(canvas: Canvas, step: Step) -> Value:
    x, last = either(canvas, step["x"])
    return like(step["x"], canvas.binary("MUL", x, canvas.unary("LOGISTIC", x)), last=last)


def gelu(canvas: Canvas, step: Step) -> Value:
    mode = step.scalar("mode", "EXACT")
    x, last = either(canvas, step["x"])
    if mode == "SIGMOID_APPROXIMATION":
        gate = canvas.unary("LOGISTIC", canvas.binary("MUL", x, canvas.number(1.702)))
        return like(step["x"], canvas.binary("MUL", x, gate), last=last)
    options = schema.GeluOptionsT(approximate=mode == "TANH_APPROXIMATION")
    return like(step["x"], canvas.unary("GELU", x, options), last=last)


def leak(canvas: Canvas, step: Step) -> Value:
    x, last = either(canvas, step["x"])
    options = schema.LeakyReluOptionsT(alpha=float(step.scalar("alpha", 0.01)))
    return like(step["x"], canvas.unary("LEAKY_RELU", x, options), last=last)


def elu(canvas: Canvas, step: Step) -> Value:
    """The operator has an alpha of 1: any other is a factor of what lies below 0."""
    x, last = either(canvas, step["x"])
    made, alpha = canvas.unary("ELU", x), float(step.scalar("alpha", 1.0))
    if alpha != 1:
        below = canvas.binary("MUL", canvas.binary("MINIMUM", made, canvas.number(0.0)), canvas.number(alpha))
        made = canvas.binary("ADD", canvas.unary("RELU", x), below)
    return like(step["x"], made, last=last)


def prelu(canvas: Canvas, step: Step) -> Value:
    value, slopes = step["x"], step.content("alpha")
    if value.rank < 3:
        raise Untranslatable(f"prelu of {value.rank} dimensions")
    x = canvas.last(value)
    constant = canvas.constant(slopes.reshape((1,) * (value.rank - 2) + (-1,)))
    return like(value, canvas.add("PRELU", (x, constant), x.shape), last=True)


def softplus(canvas: Canvas, step: Step) -> Value:
    """max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    x, last = either(canvas, step["x"])
    small = canvas.unary("EXP", canvas.unary("NEG", canvas.unary("ABS", x)))
    rest = canvas.unary("LOG", canvas.binary("ADD", small, canvas.number(1.0)))
    return like(step["x"], canvas.binary("ADD", canvas.unary("RELU", x), rest), last=last, positive=True)


def hard_sigmoid(canvas: Canvas, step: Step) -> Value:
    x, last = either(canvas, step["x"])
    slope, offset = float(step.scalar("alpha", 0.2)), float(step.scalar("beta", 0.5))
    made = canvas.binary("ADD", canvas.binary("MUL", x, canvas.number(slope)), canvas.number(offset))
    return like(step["x"], canvas.unary("RELU_0_TO_1", made), last=last, positive=True)


def threshold(canvas: Canvas, step: Step) -> Value:
    x, last = either(canvas, step["x"])
    above = canvas.binary("GREATER_EQUAL", x, canvas.number(float(step.scalar("alpha", 1.0))))
    made = canvas.add("SELECT_V2", (above, x, canvas.number(0.0)), x.shape, dtype=x.dtype)
    return like(step["x"], made, last=last)


def choose(canvas: Canvas, step: Step) -> Value:
    values = (step["cond"], step["a"], step["b"])
    tensors, last = together(canvas, values, step.shapes[0])
    shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    return of(step.shapes[0], canvas.add("SELECT_V2", tensors, shape, dtype=tensors[1].dtype), last=last)


def cast(canvas: Canvas, step: Step) -> Value:
    kinds: Mapping[str, str] = {"fp32": "float32", "fp16": "float32", "int32": "int32", "bool": "bool"}
    asked = str(step.scalar("dtype", ""))
    if asked not in kinds:
        raise Untranslatable(f"cast to {asked}")
    if step["x"].dtype == kinds[asked]:
        return step["x"]
    x, last = either(canvas, step["x"])
    return like(step["x"], canvas.add("CAST", (x,), x.shape, schema.CastOptionsT(), dtype=kinds[asked]), last=last)


def keep(_canvas: Canvas, step: Step) -> Value:
    return step["x"]


OPERATORS: Mapping[str, Any] = {
    **dict.fromkeys(_BINARY, combine),
    **dict.fromkeys(_UNARY, apply),
    **dict.fromkeys(("relu", "relu6"), rectify),
    **dict.fromkeys(("log", "rsqrt", "inverse"), shifted),
    "clip": clip,
    "square": square,
    "silu": silu,
    "gelu": gelu,
    "leaky_relu": leak,
    "elu": elu,
    "prelu": prelu,
    "softplus": softplus,
    "sigmoid_hard": hard_sigmoid,
    "thresholded_relu": threshold,
    "select": choose,
    "cast": cast,
    "identity": keep,
}
