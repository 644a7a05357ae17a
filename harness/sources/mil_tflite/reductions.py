"""Operators over whole axes: sums and means, softmax, normalisations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.mil_tflite.canvas import Canvas, Step, Value, last_axis, like, of
from harness.sources.tflite_writer import Tensor

_CODES: Mapping[str, str] = {
    "reduce_mean": "MEAN",
    "reduce_sum": "SUM",
    "reduce_max": "REDUCE_MAX",
    "reduce_min": "REDUCE_MIN",
    "reduce_prod": "REDUCE_PROD",
}


def reduce(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    axes = sorted(axis % x.rank for axis in step.integers("axes", range(x.rank)))
    keep = bool(step.scalar("keep_dims", False))
    # Without all spatial axes gone, what is left would stand in the other order.
    last = x.is_last and (keep or axes == list(range(2, x.rank)))
    tensor = canvas.last(x) if last else canvas.plain(x)
    found = over(canvas, _CODES[step.type], tensor, [last_axis(a, x.rank) if last else a for a in axes], keep=keep)
    return of(step.shapes[0], canvas.reshape(found, step.shapes[0]) if not last else found, last=last and keep)


def over(canvas: Canvas, code: str, x: Tensor, axes: Sequence[int], *, keep: bool = True) -> Tensor:
    """A reduction of one tensor; keep leaves its axes with size 1."""
    gone = set(axes)
    shape = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keep or axis not in gone]
    return canvas.add(code, (x, canvas.integers(sorted(gone))), shape, schema.ReducerOptionsT(keepDims=keep))


def find_largest(canvas: Canvas, step: Step) -> Value:
    x, axis = step["x"], int(step.scalar("axis", -1)) % step["x"].rank
    code, kind = (
        ("ARG_MAX", schema.ArgMaxOptionsT) if step.type == "reduce_argmax" else ("ARG_MIN", schema.ArgMinOptionsT)
    )
    tensor = canvas.plain(x)
    shape = [size for number, size in enumerate(x.shape) if number != axis]
    options = kind(outputType=schema.TensorType.INT32)
    found = canvas.add(code, (tensor, canvas.constant(axis, np.int32)), shape, options, dtype="int32")
    return of(step.shapes[0], canvas.reshape(found, step.shapes[0]))


def softmax(canvas: Canvas, step: Step) -> Value:
    x, axis = step["x"], int(step.scalar("axis", -1)) % step["x"].rank
    options = schema.SoftmaxOptionsT(beta=1.0)
    if axis == x.rank - 1:
        return like(x, canvas.unary("SOFTMAX", canvas.plain(x), options), last=False)
    if axis == 1:
        return like(x, canvas.unary("SOFTMAX", canvas.last(x), options), last=True)
    order = [*(each for each in range(x.rank) if each != axis), axis]
    moved = canvas.unary("SOFTMAX", canvas.transpose(canvas.plain(x), order), options)
    return like(x, canvas.transpose(moved, np.argsort(order).tolist()), last=False)


def standardise(canvas: Canvas, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    """Mean 0 and variance 1 over axes."""
    mean = over(canvas, "MEAN", x, axes)
    variance = over(canvas, "MEAN", canvas.binary("SQUARED_DIFFERENCE", x, mean), axes)
    scale = canvas.unary("RSQRT", canvas.binary("ADD", variance, canvas.number(epsilon)))
    return canvas.binary("MUL", canvas.binary("SUB", x, mean), scale)


def _scale(canvas: Canvas, step: Step, x: Tensor, axes: Sequence[int]) -> Tensor:
    """gamma and beta, which have the sizes of axes."""
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    if "gamma" in step.inputs:
        x = canvas.binary("MUL", x, canvas.constant(step.content("gamma").reshape(shape)))
    if "beta" in step.inputs:
        x = canvas.binary("ADD", x, canvas.constant(step.content("beta").reshape(shape)))
    return x


def normalise_layer(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    axes = sorted(axis % x.rank for axis in step.integers("axes", range(x.rank)))
    found = standardise(canvas, canvas.plain(x), axes, float(step.scalar("epsilon", 1e-5)))
    return like(x, _scale(canvas, step, found, axes), last=False)


def normalise_instance(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    axes = list(range(1, x.rank - 1))
    found = standardise(canvas, canvas.last(x), axes, float(step.scalar("epsilon", 1e-5)))
    return like(x, _scale(canvas, step, found, (x.rank - 1,)), last=True)


def normalise_batch(canvas: Canvas, step: Step) -> Value:
    """By the statistics of training: a factor and an offset each channel."""
    x = step["x"]
    channels = step.content("mean").shape
    gamma = step.content("gamma") if "gamma" in step.inputs else np.ones(channels, np.float32)
    beta = step.content("beta") if "beta" in step.inputs else np.zeros(channels, np.float32)
    deviation = np.sqrt(step.content("variance").astype(float) + float(step.scalar("epsilon", 1e-5)))
    factor = gamma / deviation
    offset = beta - step.content("mean") * factor
    scaled = canvas.binary("MUL", canvas.last(x), canvas.constant(factor, np.float32))
    return like(x, canvas.binary("ADD", scaled, canvas.constant(offset, np.float32)), last=True)


def accumulate(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    axis = canvas.constant(int(step.scalar("axis", 0)) % x.rank, np.int32)
    options = schema.CumsumOptionsT(
        exclusive=bool(step.scalar("exclusive", False)), reverse=bool(step.scalar("reverse", False))
    )
    return like(x, canvas.add("CUMSUM", (canvas.plain(x), axis), x.shape, options), last=False)


OPERATORS: Mapping[str, Any] = {
    **dict.fromkeys(_CODES, reduce),
    **dict.fromkeys(("reduce_argmax", "reduce_argmin"), find_largest),
    "softmax": softmax,
    "layer_norm": normalise_layer,
    "instance_norm": normalise_instance,
    "batch_norm": normalise_batch,
    "cumsum": accumulate,
}
