"""Operators that slide a window over an image or a signal: convolutions and pools. Channels stand last."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.mil_tflite.canvas import Array, Canvas, Step, Untranslatable, Value, of, to_last
from harness.sources.tflite_writer import Tensor

_LOWEST = float(np.finfo(np.float32).min)
Amounts = tuple[list[int], list[int]]


def convolve(canvas: Canvas, step: Step) -> Value:
    """Weights (out, in / groups, *window)."""
    x, weights = step["x"], step.content("weight")
    spatial = _spatial(step, x)
    strides, dilations = step.integers("strides", [1] * spatial), step.integers("dilations", [1] * spatial)
    reach = [(size - 1) * step_ + 1 for size, step_ in zip(weights.shape[2:], dilations, strict=True)]
    amounts = _amounts(step, x.shape[2:], reach, strides)
    padded, padding = _pad(canvas, _image(canvas, x), x.shape[2:], reach, strides, amounts)
    filters = weights.reshape(*weights.shape[:2], 1, -1) if spatial == 1 else weights
    (down, across), (wide, deep) = _two(strides), _two(dilations)
    windows = {"padding": padding, "strideH": down, "strideW": across}
    windows |= {"dilationHFactor": wide, "dilationWFactor": deep}
    made = _convolve(canvas, step, padded, filters, windows)
    return of(step.shapes[0], canvas.reshape(made, to_last(step.shapes[0])), last=True)


def _convolve(canvas: Canvas, step: Step, x: Tensor, filters: Array, windows: Mapping[str, int]) -> Tensor:
    """One filter a channel has an operator of its own."""
    channels, groups = x.shape[-1], int(step.scalar("groups", 1))
    bias = canvas.constant(_bias(step, len(filters)))
    shape = _four(to_last(step.shapes[0]))
    if groups == channels > 1:
        laid = canvas.constant(np.ascontiguousarray(filters[:, 0].transpose(1, 2, 0)[None]))
        depthwise = schema.DepthwiseConv2DOptionsT(**windows, depthMultiplier=len(filters) // channels)
        return canvas.add("DEPTHWISE_CONV_2D", (x, laid, bias), shape, depthwise, version=2)
    laid = canvas.constant(np.ascontiguousarray(filters.transpose(0, 2, 3, 1)))
    version = 6 if groups > 1 else 2
    return canvas.add("CONV_2D", (x, laid, bias), shape, schema.Conv2DOptionsT(**windows), version=version)


def _bias(step: Step, channels: int) -> Array:
    return step.content("bias") if "bias" in step.inputs else np.zeros(channels, np.float32)


def convolve_back(canvas: Canvas, step: Step) -> Value:
    """Weights (in, out / groups, *window). The whole result is cut to what the padding leaves."""
    x, weights = step["x"], step.content("weight")
    spatial = _spatial(step, x)
    strides = step.integers("strides", [1] * spatial)
    if any(each != 1 for each in step.integers("dilations", [1] * spatial)):
        raise Untranslatable("conv_transpose with dilations")
    before, _ = _amounts(step, x.shape[2:], weights.shape[2:], strides)
    filters = _without_groups(weights, int(step.scalar("groups", 1)))
    filters = filters.reshape(*filters.shape[:2], 1, -1) if spatial == 1 else filters
    laid = canvas.constant(np.ascontiguousarray(filters.transpose(1, 2, 3, 0)))
    image = _image(canvas, x)
    (down, across), (top, left) = _two(strides), _two(before, 0)
    _, high, wide, channels = shape = _four(to_last(step.shapes[0]))
    full = ((image.shape[1] - 1) * down + laid.shape[1], (image.shape[2] - 1) * across + laid.shape[2])
    whole = (shape[0], *full, channels)
    options = schema.TransposeConvOptionsT(padding=schema.Padding.VALID, strideH=down, strideW=across)
    bias = canvas.constant(_bias(step, channels))
    made = canvas.add(
        "TRANSPOSE_CONV", (canvas.integers(whole), laid, image, bias), whole, options, dtype="float32", version=3
    )
    missing = (0, max(top + high - full[0], 0), max(left + wide - full[1], 0), 0)
    if any(missing):
        raise Untranslatable("conv_transpose with output_padding above its padding")
    made = canvas.crop(made, (0, top, left, 0), shape)
    return of(step.shapes[0], canvas.reshape(made, to_last(step.shapes[0])), last=True)


def _without_groups(weights: Array, groups: int) -> Array:
    """Weights of one group that do the same: zeros between the groups."""
    if groups == 1:
        return weights
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    dense = np.zeros((weights.shape[0], outputs * groups, *weights.shape[2:]), weights.dtype)
    for group in range(groups):
        rows = slice(group * inputs, (group + 1) * inputs)
        dense[rows, group * outputs : (group + 1) * outputs] = weights[rows]
    return dense


def pool_maximum(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    window, strides, amounts = _pool_window(step, x)
    # Zeros are the smallest there is where nothing is below, and every delegate knows how to pad with them.
    filled = 0.0 if x.positive else _LOWEST
    padded, padding = _pad(canvas, _image(canvas, x), x.shape[2:], window, strides, amounts, filled)
    made = _pool(canvas, "MAX_POOL_2D", padded, window, strides, padding, step)
    return of(step.shapes[0], made, last=True, positive=x.positive)


def pool_average(canvas: Canvas, step: Step) -> Value:
    """Where a window's padding does not count, sums over whole windows are divided by what counts."""
    x = step["x"]
    window, strides, amounts = _pool_window(step, x)
    counted = [0] * len(window), [0] * len(window)
    if not step.scalar("exclude_padding_from_average", False):
        counted = _amounts(step, x.shape[2:], window, strides)
    image = canvas.pad(_image(canvas, x), *_around(amounts))
    made = _pool(canvas, "AVERAGE_POOL_2D", image, window, strides, schema.Padding.VALID, step)
    share = _share(x.shape[2:], step.shapes[0][2:], window, strides, amounts[0], counted)
    if not np.all(share == 1):
        made = canvas.binary("MUL", made, canvas.constant((1 / share)[None, ..., None], np.float32))
    return of(step.shapes[0], made, last=True, positive=x.positive)


def _share(
    sizes: Sequence[int],
    results: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    before: Sequence[int],
    counted: Amounts,
) -> Array:
    """(*results): how much of each window is in the image or in padding that counts."""
    parts = []
    for axis, count in enumerate(results):
        starts = np.arange(count) * strides[axis] - before[axis]
        low, high = -counted[0][axis], sizes[axis] + counted[1][axis]
        inside = np.minimum(starts + window[axis], high) - np.maximum(starts, low)
        parts.append(inside / window[axis])
    whole: Array = parts[0] if len(parts) == 1 else np.multiply.outer(parts[0], parts[1])
    return whole


def _pool_window(step: Step, x: Value) -> tuple[list[int], list[int], Amounts]:
    """Window, strides, and padding that reaches as far as the last window does."""
    _spatial(step, x)
    window = step.integers("kernel_sizes", [])
    strides = step.integers("strides", [1] * len(window))
    before, after = _amounts(step, x.shape[2:], window, strides)
    reach = [
        (count - 1) * stride + size - length - start
        for count, stride, size, length, start in zip(
            step.shapes[0][2:], strides, window, x.shape[2:], before, strict=True
        )
    ]
    return window, strides, (before, [max(a, r) for a, r in zip(after, reach, strict=True)])


def _pool(
    canvas: Canvas, code: str, x: Tensor, window: Sequence[int], strides: Sequence[int], padding: int, step: Step
) -> Tensor:
    (high, wide), (down, across) = _two(window), _two(strides)
    options = schema.Pool2DOptionsT(padding=padding, strideH=down, strideW=across, filterHeight=high, filterWidth=wide)
    shape = to_last(step.shapes[0])
    return canvas.reshape(canvas.add(code, (x,), _four(shape), options), shape)


def _spatial(step: Step, x: Value) -> int:
    if x.rank not in (3, 4):
        raise Untranslatable(f"{step.type} with {x.rank - 2} spatial dimensions")
    return x.rank - 2


def _image(canvas: Canvas, value: Value) -> Tensor:
    """(n, h, w, c); a signal is an image of one row."""
    x = canvas.last(value)
    return canvas.reshape(x, _four(x.shape))


def _four(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape) if len(shape) == 4 else (shape[0], 1, *shape[1:])


def _two(amounts: Sequence[int], one: int = 1) -> tuple[int, int]:
    return (amounts[0], amounts[1]) if len(amounts) == 2 else (one, amounts[0])


def _around(amounts: Amounts) -> Amounts:
    """Of every dimension of an image."""
    before, after = (list(_two(each, 0)) for each in amounts)
    return [0, *before, 0], [0, *after, 0]


def _amounts(step: Step, sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int]) -> Amounts:
    """Padding before and after each spatial dimension."""
    kind = str(step.scalar("pad_type", "valid"))
    if kind == "custom":
        pads = step.integers("pad", [0] * (2 * len(sizes)))
        return pads[0::2], pads[1::2]
    if kind == "valid":
        return [0] * len(sizes), [0] * len(sizes)
    if step.type == "conv_transpose":
        raise Untranslatable(f"conv_transpose with pad_type {kind}")
    before, after = _same(sizes, reach, strides)
    return (after, before) if kind == "same_lower" else (before, after)


def _same(sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int]) -> Amounts:
    """What TensorFlow's SAME adds."""
    totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(sizes, reach, strides, strict=True)]
    return [total // 2 for total in totals], [total - total // 2 for total in totals]


def _pad(
    canvas: Canvas,
    image: Tensor,
    sizes: Sequence[int],
    reach: Sequence[int],
    strides: Sequence[int],
    amounts: Amounts,
    filled: float = 0.0,
) -> tuple[Tensor, int]:
    """The image, padded where the operator's own padding is another."""
    if not any((*amounts[0], *amounts[1])):
        return image, int(schema.Padding.VALID)
    if amounts == _same(sizes, reach, strides):
        return image, int(schema.Padding.SAME)
    return canvas.pad(image, *_around(amounts), filled), int(schema.Padding.VALID)


OPERATORS: Mapping[str, Any] = {
    "conv": convolve,
    "conv_transpose": convolve_back,
    "max_pool": pool_maximum,
    "avg_pool": pool_average,
}
