"""Clustering of many rows of numbers at once, each on a line of its own.

The same Lloyd's algorithm from the same three starts as `clusters.py`, the best kept for each row; one step takes one
binary search over all rows together, where a call for each of fifty thousand channels would take minutes. A tensor as
one row stays with `clusters.py`: of 2 million values this takes two to three times as long, and in 108 of 2400 trials
it ended in another local optimum, by rounding.
Source: S. Lloyd, Least squares quantization in PCM (1982); the start is Panter and Dite (1951).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indexes = NDArray[np.int64]

_STEPS = 300  # a bound, not a setting: 16 values settle in tens of steps


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of ascending numbers, one behind the other.

    Shapes: ordered (n,), sums (n + 1,) its running totals, ends (rows + 1,) where each row begins and the last ends.
    place (n,) ascends over all rows: the row's number plus where the value lies between its least and greatest.
    low, span (rows,) turn a place back into a value.
    """

    ordered: Floats
    sums: Doubles
    ends: Indexes
    place: Doubles
    low: Doubles
    span: Doubles

    @property
    def count(self) -> int:
        return self.low.size


def cluster_rows(values: Floats, count: int, *, keep_zeros: bool) -> Floats:
    """The values with each row replaced by at most `count` of its own means. Deterministic.

    Shapes: values (rows, n), result the same. With keep_zeros exact zeros stay zero, and a row that has some spends one
    of its count on them. Rows with no more than count distinct values come back unchanged. Values must be finite.
    """
    result = values.copy()
    zeros = keep_zeros & (values == 0)
    spent = zeros.any(axis=1)
    free = _distinct(values) > count
    for has_zeros in (False, True):
        chosen = np.flatnonzero(free & (spent == has_zeros))
        if chosen.size:
            result[chosen] = _clustered(values[chosen], zeros[chosen], count - has_zeros)
    return result


def _clustered(values: Floats, zeros: NDArray[np.bool_], count: int) -> Floats:
    """The values with what is not zeros clustered. Shapes: values, zeros, result (rows, n)."""
    order = np.argsort(np.where(zeros, np.float32(np.inf), values), axis=1, kind="stable")
    filled = np.arange(values.shape[1]) < np.count_nonzero(~zeros, axis=1)[:, None]
    rows = _rows(np.take_along_axis(values, order, axis=1)[filled], np.count_nonzero(filled, axis=1))
    clustered = np.zeros_like(values)
    clustered[filled] = _replaced(rows, count)
    result = np.empty_like(values)
    np.put_along_axis(result, order, clustered, axis=1)
    return result


def _replaced(rows: _Rows, count: int) -> Floats:
    """Each value's mean, from the start that served its row best. Shape (n,)."""
    found = [_lloyd(rows, start) for start in _starts(rows, count)]
    best = np.argmax([_gain(bounds, means) for bounds, means in found], axis=0)
    sizes = np.choose(best[:, None], [np.diff(bounds).reshape(means.shape) for bounds, means in found])
    means = np.choose(best[:, None], [means for _, means in found])
    return np.repeat(means.reshape(-1).astype(np.float32), sizes.reshape(-1))


def _rows(ordered: Floats, sizes: Indexes) -> _Rows:
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    low = ordered[ends[:-1]].astype(np.float64)
    span = ordered[ends[1:] - 1] - low
    span[span == 0] = 1
    # Halved, so that the greatest value of a row stays well below the least of the next.
    place = np.repeat(np.arange(sizes.size), sizes) + (ordered - np.repeat(low, sizes)) / np.repeat(2 * span, sizes)
    sums = np.concatenate([[0.0], np.cumsum(ordered, dtype=np.float64)])
    return _Rows(ordered=ordered, sums=sums, ends=ends, place=place, low=low, span=span)


def _lloyd(rows: _Rows, centroids: Doubles) -> tuple[Indexes, Doubles]:
    """Bounds and means of the runs. Shapes: bounds (rows * count + 1,), means (rows, count)."""
    previous = np.empty(0, np.int64)
    bounds = _bounds(rows, centroids)
    for _ in range(_STEPS):
        if np.array_equal(bounds, previous):
            break
        previous = bounds
        centroids = _means(rows, bounds, centroids)
        bounds = _bounds(rows, centroids)
    return bounds, _means(rows, bounds, centroids)


def _gain(bounds: Indexes, means: Doubles) -> Doubles:
    """What the means explain of each row: the sum of n * mean^2, greatest where the squared error is least."""
    sizes = np.diff(bounds).reshape(means.shape)
    gain: Doubles = np.sum(sizes * means**2, axis=1)
    return gain


def _bounds(rows: _Rows, centroids: Doubles) -> Indexes:
    """Where each run begins. Shapes: centroids (rows, count), result (rows * count + 1,)."""
    edges = (centroids[:, 1:] + centroids[:, :-1]) / 2
    places = np.arange(rows.count)[:, None] + (edges - rows.low[:, None]) / (2 * rows.span[:, None])
    inner = np.searchsorted(rows.place, places)
    return np.concatenate([np.hstack([rows.ends[:-1, None], inner]).reshape(-1), rows.ends[-1:]])


def _means(rows: _Rows, bounds: Indexes, centroids: Doubles) -> Doubles:
    """Mean of each run; an empty run keeps its centroid, so that centroids stay in order."""
    sizes = np.diff(bounds)
    means = np.diff(rows.sums[bounds]) / np.maximum(sizes, 1)
    return np.where(sizes > 0, means, centroids.reshape(-1)).reshape(centroids.shape)


def _starts(rows: _Rows, count: int) -> tuple[Doubles, ...]:
    """Quantiles; equal steps; and quantiles of the density's cube root. Shapes (rows, count)."""
    middles = (np.arange(count) + 0.5) / count
    equal = rows.low[:, None] + middles * rows.span[:, None]
    return _quantiles(rows, middles), equal, _roots(rows, middles)


def _quantiles(rows: _Rows, shares: Doubles) -> Doubles:
    wanted = shares * (np.diff(rows.ends)[:, None] - 1)
    lower = np.floor(wanted).astype(np.int64)
    places = rows.ends[:-1, None] + lower
    above = np.minimum(places + 1, rows.ends[1:, None] - 1)
    quantiles: Doubles = rows.ordered[places] + (wanted - lower) * (rows.ordered[above] - rows.ordered[places])
    return quantiles


def _roots(rows: _Rows, middles: Doubles) -> Doubles:
    """Where the optimum lies for many centroids, from a histogram of each row."""
    row = np.arange(rows.count)[:, None]
    bins = min(4096, max(16, rows.ordered.size // rows.count // 8))
    share, of_row = np.modf(rows.place)
    bin_of = np.minimum(2 * bins * share, bins - 1).astype(np.int64)
    histogram = np.bincount(of_row.astype(np.int64) * bins + bin_of, minlength=rows.count * bins)
    mass = np.hstack([np.zeros((rows.count, 1)), np.cbrt(histogram).reshape(rows.count, bins)]).cumsum(axis=1)
    along = row + mass / mass[:, -1:] / 2
    reached = np.interp(
        (row + middles / 2).reshape(-1), along.reshape(-1), np.tile(np.linspace(0, 1, bins + 1), rows.count)
    )
    return rows.low[:, None] + reached.reshape(rows.count, -1) * rows.span[:, None]


def _distinct(values: Floats) -> Indexes:
    """How many different values each row has."""
    counts: Indexes = 1 + np.count_nonzero(np.diff(np.sort(values, axis=1), axis=1), axis=1)
    return counts
