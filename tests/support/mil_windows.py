"""Convolution and pooling at float64, slice by slice of their windows: slow, and unlike any library's kernels."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from tests.support.mil_oracle import Array

Pads = Sequence[tuple[int, int]]
"""Before and after every spatial dimension."""


def pads_of(
    kind: str, sizes: Sequence[int], extents: Sequence[int], strides: Sequence[int], pad: Sequence[int]
) -> Pads:
    """What a pad_type comes to: `same` as TensorFlow has it, `same_lower` with the odd one before."""
    if kind == "valid":
        return [(0, 0) for _ in sizes]
    if kind == "custom":
        return list(zip(pad[0::2], pad[1::2], strict=True))
    found = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        windows = int(np.ceil(size / stride))
        total = max((windows - 1) * stride + extent - size, 0)
        small, large = int(np.floor(total / 2)), int(np.ceil(total / 2))
        found.append((small, large) if kind == "same" else (large, small))
    return found


def spans(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    return [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]


def slices(
    padded: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], counts: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For every place in a window: the values that all windows have there, (n, c, *counts)."""
    for place in product(*(range(size) for size in kernel)):
        starts = [k * dilation for k, dilation in zip(place, dilations, strict=True)]
        index = tuple(
            slice(start, start + (count - 1) * stride + 1, stride)
            for start, count, stride in zip(starts, counts, strides, strict=True)
        )
        yield place, padded[(slice(None), slice(None), *index)]


def _at(weight: Array, place: tuple[int, ...]) -> Array:
    """Of a kernel in the last dimensions."""
    for k in reversed(place):
        weight = weight[..., k]
    return weight


def convolve(
    x: Array,
    weight: Array,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Pads,
    groups: int = 1,
) -> Array:
    """x (n, c, *sizes), weight (o, c / groups, *kernel)."""
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    kernel = weight.shape[2:]
    extents = spans(kernel, dilations)
    sizes = padded.shape[2:]
    counts = [(size - extent) // stride + 1 for size, extent, stride in zip(sizes, extents, strides, strict=True)]
    whole = np.zeros((x.shape[0], groups, weight.shape[0] // groups, *counts))
    split = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    for place, values in slices(padded, kernel, strides, dilations, counts):
        grouped = values.reshape(x.shape[0], groups, -1, *counts)
        whole += np.einsum("ngc...,goc->ngo...", grouped, _at(split, place))
    return whole.reshape(x.shape[0], weight.shape[0], *counts)


def scatter(
    x: Array, weight: Array, *, strides: Sequence[int], dilations: Sequence[int], room: int = 0, groups: int = 1
) -> Array:
    """The whole transposed convolution, uncut: x (n, c, *sizes), weight (c, o / groups, *kernel). room: zeros that
    follow it in every spatial dimension."""
    kernel, counts = weight.shape[2:], x.shape[2:]
    extents = spans(kernel, dilations)
    full = [
        (count - 1) * stride + extent + room for count, stride, extent in zip(counts, strides, extents, strict=True)
    ]
    whole = np.zeros((x.shape[0], weight.shape[1] * groups, *full))
    grouped = x.reshape(x.shape[0], groups, -1, *counts)
    split = weight.reshape(groups, -1, *weight.shape[1:])
    for place, target in slices(whole, kernel, strides, dilations, counts):
        added = np.einsum("ngc...,gco->ngo...", grouped, _at(split, place))
        target += added.reshape(target.shape)
    return whole


def pool(
    kind: str, x: Array, *, kernel: Sequence[int], strides: Sequence[int], pads: Pads, counts: Sequence[int]
) -> Array:
    """Of `max`, `l2`, `average` (padding counts, what lies beyond it does not) and `average_inside` (neither does)."""
    ones, beyond = [1] * len(kernel), 64
    room = [(0, 0), (0, 0), *[(before, after + beyond) for before, after in pads]]
    inside = np.pad(np.ones_like(x), room)
    padded = np.pad(
        np.pad(np.ones_like(x), [(0, 0), (0, 0), *pads], constant_values=1),
        [(0, 0), (0, 0)] + [(0, beyond)] * len(kernel),
    )
    values = np.pad(x, room, constant_values=-np.inf if kind == "max" else 0)

    def stack(of: Array) -> Array:
        return np.stack([part for _, part in slices(of, kernel, strides, ones, counts)])

    if kind == "max":
        return np.asarray(stack(values).max(0))
    if kind == "l2":
        return np.asarray(np.sqrt((stack(values) ** 2).sum(0)))
    counted = stack(padded if kind == "average" else inside).sum(0)
    return np.asarray(stack(values).sum(0) / counted)
