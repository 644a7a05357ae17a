"""Operators that move elements and leave them as they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources.mil_tflite.canvas import (
    Canvas,
    Step,
    Untranslatable,
    Value,
    known,
    last_axis,
    last_order,
    of,
    to_last,
)
from harness.sources.tflite_writer import Tensor


def reshape(canvas: Canvas, step: Step) -> Value:
    """Also squeeze and expand_dims."""
    shape, x = step.shapes[0], step["x"]
    if x.constant is not None:
        return known(x.constant.reshape(shape))
    return of(shape, canvas.reshape(canvas.plain(x), shape), positive=x.positive)


def transpose(canvas: Canvas, step: Step) -> Value:
    """Another order may be the layout in which the value stands already, or the one it will be asked for."""
    x, shape = step["x"], step.shapes[0]
    order = [axis % x.rank for axis in step.integers("perm", [])]
    if x.is_last:
        assert x.last is not None
        made = canvas.transpose(x.last, [last_axis(axis, x.rank) for axis in order])
        return of(shape, made, positive=x.positive)
    plain = canvas.plain(x)
    if x.rank > 2 and [order[axis] for axis in last_order(x.rank)] == list(range(x.rank)):
        return of(shape, plain, last=True, positive=x.positive)
    return of(shape, canvas.transpose(plain, order), positive=x.positive)


def join(canvas: Canvas, step: Step) -> Value:
    values, shape = step.values("values"), step.shapes[0]
    axis = int(step.scalar("axis", 0)) % len(shape)
    if step.scalar("interleave", False):
        raise Untranslatable("concat with interleave")
    last = len(shape) > 2 and any(value.is_last for value in values)
    tensors = [canvas.last(value) if last else canvas.plain(value) for value in values]
    tensors = [tensor if tensor.shape else canvas.reshape(tensor, (1,)) for tensor in tensors]
    options = schema.ConcatenationOptionsT(axis=last_axis(axis, len(shape)) if last else axis)
    made = canvas.add("CONCATENATION", tensors, to_last(shape) if last else shape, options)
    return of(shape, made, last=last, positive=all(value.positive for value in values))


def stack(canvas: Canvas, step: Step) -> Value:
    values, shape = step.values("values"), step.shapes[0]
    axis = int(step.scalar("axis", 0)) % len(shape)
    if values[0].dtype == "bool":
        raise Untranslatable("stack of bools")
    options = schema.PackOptionsT(axis=axis, valuesCount=len(values))
    return of(shape, canvas.add("PACK", [canvas.plain(value) for value in values], shape, options))


def split(canvas: Canvas, step: Step) -> list[Value]:
    x = step["x"]
    axis = int(step.scalar("axis", 0)) % x.rank
    last = x.is_last
    place, begin, parts = last_axis(axis, x.rank) if last else axis, 0, []
    for shape in step.shapes:
        start = [0] * x.rank
        start[place] = begin
        made = canvas.crop(canvas.last(x) if last else canvas.plain(x), start, to_last(shape) if last else shape)
        parts.append(of(shape, made, last=last, positive=x.positive))
        begin += shape[axis]
    return parts


def slice_by_index(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    begin, end, stride = _bounds(step, x.shape)
    sizes = [len(range(b, e, s)) for b, e, s in zip(begin, end, stride, strict=True)]
    last = x.is_last and len(step.shapes[0]) == x.rank
    order = last_order(x.rank) if last else range(x.rank)
    tensor = canvas.last(x) if last else canvas.plain(x)
    made = _cut(canvas, tensor, *([part[axis] for axis in order] for part in (begin, end, stride, sizes)))
    if not last:
        made = canvas.reshape(made, step.shapes[0])
    return of(step.shapes[0], made, last=last, positive=x.positive)


def _cut(canvas: Canvas, x: Tensor, begin: list[int], end: list[int], stride: list[int], sizes: list[int]) -> Tensor:
    if all(each == 1 for each in stride):
        return canvas.crop(x, begin, sizes)
    # Behind the first element lies -1, which would be read as the last one: its end is masked.
    mask = sum(1 << axis for axis, stop in enumerate(end) if stop < 0)
    options = schema.StridedSliceOptionsT(beginMask=0, endMask=mask, ellipsisMask=0, newAxisMask=0, shrinkAxisMask=0)
    inputs = (x, canvas.integers(begin), canvas.integers(end), canvas.integers(stride))
    return canvas.add("STRIDED_SLICE", inputs, sizes, options)


def _bounds(step: Step, shape: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Begin, end and stride of each axis, as a range takes them."""
    rank = len(shape)
    begin, end = step.integers("begin", [0] * rank), step.integers("end", shape)
    strides = step.integers("stride", [1] * rank)
    masks = {name: step.integers(name, [0] * rank) for name in ("begin_mask", "end_mask", "squeeze_mask")}
    found = []
    for axis, size in enumerate(shape):
        if masks["squeeze_mask"][axis]:
            first = begin[axis] % size
            found.append((first, first + 1, 1))
            continue
        start = None if masks["begin_mask"][axis] else begin[axis]
        stop = None if masks["end_mask"][axis] else end[axis]
        found.append(slice(start, stop, strides[axis]).indices(size))
    return [b for b, _, _ in found], [e for _, e, _ in found], [s for _, _, s in found]


def slice_by_size(canvas: Canvas, step: Step) -> Value:
    x = step["x"]
    begin = [start % size for start, size in zip(step.integers("begin", [0] * x.rank), x.shape, strict=True)]
    return of(step.shapes[0], canvas.crop(canvas.plain(x), begin, step.shapes[0]), positive=x.positive)


def gather(canvas: Canvas, step: Step) -> Value:
    x, indices = step["x"], step["indices"]
    if step.scalar("batch_dims", 0):
        raise Untranslatable("gather with batch_dims")
    axis = int(step.scalar("axis", 0)) % x.rank
    if x.rows is not None and axis == 0 and indices.constant is not None and indices.shape == (1,):
        return x.rows[int(indices.constant.item())]
    if indices.constant is not None:
        where = canvas.constant(indices.constant % x.shape[axis], np.int32)
    else:  # -1 is the last one in the program, and none in .tflite
        where = canvas.binary("FLOOR_MOD", canvas.plain(indices), canvas.constant(x.shape[axis], np.int32))
    made = canvas.add("GATHER", (canvas.plain(x), where), step.shapes[0], schema.GatherOptionsT(axis=axis))
    return of(step.shapes[0], made, positive=x.positive)


def tile(canvas: Canvas, step: Step) -> Value:
    made = canvas.add("TILE", (canvas.plain(step["x"]), canvas.integers(step.integers("reps", []))), step.shapes[0])
    return of(step.shapes[0], made, positive=step["x"].positive)


def pad(canvas: Canvas, step: Step) -> Value:
    """Amounts of the last dimensions, in the layout in which the value stands."""
    x, amounts = step["x"], step.integers("pad", [])
    ahead = [0] * (x.rank - len(amounts) // 2)
    before, after = [*ahead, *amounts[0::2]], [*ahead, *amounts[1::2]]
    last = x.is_last
    if last:
        before, after = list(to_last(before)), list(to_last(after))
    tensor, mode = (canvas.last(x) if last else canvas.plain(x)), step.scalar("mode", "constant")
    if mode == "constant":
        made = canvas.pad(tensor, before, after, float(step.scalar("constant_val", 0.0)))
    elif mode == "reflect":
        made = _mirror(canvas, tensor, before, after)
    else:
        made = _repeat(canvas, tensor, before, after)
    return of(step.shapes[0], made, last=last)


def _mirror(canvas: Canvas, x: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    shape = [size + b + a for size, b, a in zip(x.shape, before, after, strict=True)]
    amounts = canvas.constant(list(zip(before, after, strict=True)), np.int32)
    return canvas.add("MIRROR_PAD", (x, amounts), shape, schema.MirrorPadOptionsT(mode=schema.MirrorPadMode.REFLECT))


def _repeat(canvas: Canvas, x: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """The outermost elements again and again: each padded axis is gathered."""
    for axis, (front, behind) in enumerate(zip(before, after, strict=True)):
        if front or behind:
            where = np.clip(np.arange(-front, x.shape[axis] + behind), 0, x.shape[axis] - 1)
            shape = [*x.shape[:axis], len(where), *x.shape[axis + 1 :]]
            x = canvas.add("GATHER", (x, canvas.constant(where, np.int32)), shape, schema.GatherOptionsT(axis=axis))
    return x


def shuffle(canvas: Canvas, step: Step) -> Value:
    """pixel_shuffle: (n, c r r, h, w) to (n, c, h r, w r)."""
    x, factor = step["x"], int(step.scalar("upscale_factor", 1))
    batch, channels, high, wide = x.shape
    parts = canvas.reshape(canvas.plain(x), (batch, channels // factor**2, factor, factor, high, wide))
    moved = canvas.transpose(parts, (0, 1, 4, 2, 5, 3))
    return of(step.shapes[0], canvas.reshape(moved, step.shapes[0]), positive=x.positive)


def upsample(canvas: Canvas, step: Step) -> Value:
    """Bilinear and nearest, by a factor or to a size."""
    x, shape = step["x"], to_last(step.shapes[0])
    if x.rank != 4:
        raise Untranslatable(f"{step.type} of {x.rank} dimensions")
    sizes = canvas.integers(shape[1:3])
    if "bilinear" in step.type:
        aligned, centred = _corners(step)
        options = schema.ResizeBilinearOptionsT(alignCorners=aligned, halfPixelCenters=centred)
        made = canvas.add("RESIZE_BILINEAR", (canvas.last(x), sizes), shape, options, version=3)
    else:
        nearest = schema.ResizeNearestNeighborOptionsT(halfPixelCenters=step.type == "resize_nearest_neighbor")
        made = canvas.add("RESIZE_NEAREST_NEIGHBOR", (canvas.last(x), sizes), shape, nearest, version=3)
    return of(step.shapes[0], made, last=True, positive=x.positive)


def _corners(step: Step) -> tuple[bool, bool]:
    """align_corners and half_pixel_centers."""
    if step.type == "upsample_bilinear":
        aligned = bool(step.scalar("align_corners", True))
        return aligned, bool(step.scalar("half_pixel_centers", not aligned))
    mode = str(step.scalar("sampling_mode", "DEFAULT"))
    known_modes = {
        "STRICT_ALIGN_CORNERS": (True, False),
        "ALIGN_CORNERS": (True, False),
        "UNALIGN_CORNERS": (False, True),
        "DEFAULT": (False, False),
    }
    if mode not in known_modes or (mode == "ALIGN_CORNERS" and 1 in step.shapes[0][2:]):
        raise Untranslatable(f"{step.type} with {mode}")
    return known_modes[mode]


OPERATORS: Mapping[str, Any] = {
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), reshape),
    **dict.fromkeys(
        ("upsample_bilinear", "upsample_nearest_neighbor", "resize_bilinear", "resize_nearest_neighbor"), upsample
    ),
    "transpose": transpose,
    "concat": join,
    "stack": stack,
    "split": split,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "gather": gather,
    "tile": tile,
    "pad": pad,
    "pixel_shuffle": shuffle,
}
