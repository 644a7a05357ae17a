"""Matrix products: dense layers, products of two computed matrices, attention."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.mil_tflite.canvas import Array, Canvas, Step, Untranslatable, Value, of
from harness.sources.tflite_writer import Tensor

_LOWEST = float(np.finfo(np.float32).min)


def dense(canvas: Canvas, x: Tensor, weights: Array, bias: Array | None) -> Tensor:
    """x (..., in), weights (out, in), bias (out,)."""
    options = schema.FullyConnectedOptionsT(keepNumDims=len(x.shape) != 2)
    offset = None if bias is None else canvas.constant(bias)
    laid = canvas.constant(np.ascontiguousarray(weights))
    return canvas.add("FULLY_CONNECTED", (x, laid, offset), (*x.shape[:-1], len(weights)), options, version=5)


def linear(canvas: Canvas, step: Step) -> Value:
    _refuse_integers(step, step["x"])
    bias = step.content("bias") if "bias" in step.inputs else None
    return of(step.shapes[0], dense(canvas, canvas.plain(step["x"]), step.content("weight"), bias))


def multiply(canvas: Canvas, step: Step) -> Value:
    left, right = step["x"], step["y"]
    _refuse_integers(step, left)
    across, back = bool(step.scalar("transpose_x", False)), bool(step.scalar("transpose_y", False))
    if right.constant is not None and right.rank == 2 and left.rank > 1 and not across:
        weights = right.constant if back else right.constant.T
        return of(step.shapes[0], dense(canvas, canvas.plain(left), weights, None))
    row, column = canvas.plain(left), canvas.plain(right)
    if left.rank == 1:
        row, across = canvas.reshape(row, (1, *left.shape)), False
    if right.rank == 1:
        column, back = canvas.reshape(column, (*right.shape, 1)), False
    made = product(canvas, row, column, across=across, back=back)
    if prod(made.shape) != prod(step.shapes[0]):  # coremltools 9.0 declares another shape than it computes
        raise Untranslatable("matmul of a vector and a batch")
    return of(step.shapes[0], canvas.reshape(made, step.shapes[0]))


def _refuse_integers(step: Step, x: Value) -> None:
    if x.dtype != "float32":
        raise Untranslatable(f"{step.type} of {x.dtype}")


def product(canvas: Canvas, left: Tensor, right: Tensor, *, across: bool = False, back: bool = False) -> Tensor:
    """Of the two innermost dimensions; across and back turn those of left and of right first."""
    rows = left.shape[-1] if across else left.shape[-2]
    columns = right.shape[-2] if back else right.shape[-1]
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), rows, columns)
    options = schema.BatchMatMulOptionsT(adjX=across, adjY=back)
    return canvas.add("BATCH_MATMUL", (left, right), shape, options)


def attend(canvas: Canvas, step: Step) -> Value:
    """softmax(query key' / sqrt(width) + mask) value."""
    query, mask = canvas.plain(step["query"]), step.inputs.get("attn_mask")
    scaled = canvas.binary("MUL", query, canvas.number(query.shape[-1] ** -0.5))
    scores = product(canvas, scaled, canvas.plain(step["key"]), back=True)
    if isinstance(mask, Value):
        if mask.dtype == "bool":
            inputs = (canvas.plain(mask), scores, canvas.number(_LOWEST))
            scores = canvas.add("SELECT_V2", inputs, scores.shape, dtype="float32")
        else:
            scores = canvas.binary("ADD", scores, canvas.plain(mask))
    weights = canvas.unary("SOFTMAX", scores, schema.SoftmaxOptionsT(beta=1.0))
    return of(step.shapes[0], product(canvas, weights, canvas.plain(step["value"])))


OPERATORS: Mapping[str, Any] = {
    "linear": linear,
    "matmul": multiply,
    "scaled_dot_product_attention": attend,
}
