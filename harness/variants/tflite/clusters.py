"""Clustering of numbers on a line.

Lloyd's algorithm on the sorted values with prefix sums: one step costs k binary searches, however many values there
are, so it runs until nothing moves. Lloyd finds a local optimum; three starts are tried and the best is kept.
Source: S. Lloyd, Least squares quantization in PCM (1982); the cube-root start is Panter and Dite (1951).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_STEPS = 500  # enough for 256 centroids on a million normal values; a bound, not a setting


def cluster(values: Floats, count: int, *, keep_zeros: bool) -> Floats:
    """The values replaced by at most `count` of their own means. Deterministic.

    Shapes: values (n,), result (n,). With keep_zeros exact zeros stay zero and one of the count is spent on them.
    Values that have no more than count distinct ones come back unchanged. Values must be finite.
    """
    zeros = values == 0 if keep_zeros else np.zeros(values.shape, bool)
    has_zeros = bool(zeros.any())
    rest = values[~zeros] if has_zeros else values
    ordered = np.sort(rest)
    if rest.size == 0 or _distinct(ordered) <= count - has_zeros:
        return values
    centroids = centres(ordered, count - has_zeros)
    edges = ((centroids[1:] + centroids[:-1]) / 2).astype(values.dtype)
    clustered = centroids.astype(np.float32)[np.searchsorted(edges, rest)]
    if not has_zeros:
        return clustered
    result = np.zeros_like(values)
    result[~zeros] = clustered
    return result


def centres(ordered: Floats, count: int) -> NDArray[np.float64]:
    """Means of the best found split of ascending values into at most count runs, ascending."""
    sums = np.concatenate([[0.0], np.cumsum(ordered, dtype=np.float64)])
    found = [_lloyd(ordered, sums, start) for start in _starts(ordered, count)]
    return min(found, key=lambda centroids: _error(ordered, sums, centroids))


def _starts(ordered: Floats, count: int) -> tuple[NDArray[np.float64], ...]:
    """Quantiles; equal steps; and quantiles of the density's cube root, where the optimum lies for many centroids."""
    shares = (np.arange(count) + 0.5) / count
    quantiles = np.quantile(ordered, shares)
    low, high = float(ordered[0]), float(ordered[-1])
    histogram, edges = np.histogram(ordered, bins=min(4096, max(16, ordered.size // 8)), range=(low, high))
    mass = np.cumsum(np.cbrt(histogram))
    roots = np.interp(shares * mass[-1], np.concatenate([[0.0], mass]), edges)
    return quantiles.astype(np.float64), low + shares * (high - low), roots.astype(np.float64)


def _lloyd(ordered: Floats, sums: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    previous: NDArray[Any] = np.empty(0, np.int64)
    for _ in range(_STEPS):
        bounds = _bounds(ordered, centroids)
        if np.array_equal(bounds, previous):
            break
        previous = bounds
        sizes = np.diff(bounds)
        filled = sizes > 0
        centroids = np.diff(sums[bounds])[filled] / sizes[filled]
    return centroids


def _bounds(ordered: Floats, centroids: NDArray[np.float64]) -> NDArray[np.int64]:
    edges = ((centroids[1:] + centroids[:-1]) / 2).astype(ordered.dtype)  # another dtype would copy ordered
    inner = np.searchsorted(ordered, edges)
    return np.concatenate([[0], inner, [ordered.size]]).astype(np.int64)


def _error(ordered: Floats, sums: NDArray[np.float64], centroids: NDArray[np.float64]) -> float:
    """Squared error up to a constant of the values: minus the sum of n * mean^2."""
    bounds = _bounds(ordered, centroids)
    sizes = np.diff(bounds)
    filled = sizes > 0
    return -float(np.sum(np.diff(sums[bounds])[filled] ** 2 / sizes[filled]))


def _distinct(ordered: Floats) -> int:
    return 1 + int(np.count_nonzero(np.diff(ordered)))
