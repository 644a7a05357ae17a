"""Clustering on a line, against brute force and by its properties."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.variants.tflite.clusters import Floats, centres, cluster

FINITE = st.floats(-1000, 1000, width=32, allow_subnormal=False)
VALUES = hnp.arrays(np.float32, st.integers(1, 300), elements=FINITE)
COUNTS = st.integers(1, 8).map(lambda bits: 1 << bits)


@given(VALUES, COUNTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_more_values_than_asked_for(values: Floats, count: int, keep_zeros: bool) -> None:
    assert np.unique(cluster(values, count, keep_zeros=keep_zeros)).size <= max(count, 1)


@given(VALUES, COUNTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_clustering_again_changes_nothing(values: Floats, count: int, keep_zeros: bool) -> None:
    once = cluster(values, count, keep_zeros=keep_zeros)
    np.testing.assert_array_equal(cluster(once, count, keep_zeros=keep_zeros), once)


@given(VALUES, COUNTS)
@settings(max_examples=200, deadline=None)
def test_kept_zeros_stay_zero(values: Floats, count: int) -> None:
    values[::3] = 0
    assert not cluster(values, count, keep_zeros=True)[values == 0].any()


@given(VALUES, COUNTS)
@settings(max_examples=100, deadline=None)
def test_order_is_kept(values: Floats, count: int) -> None:
    ordered = np.sort(values)
    assert (np.diff(cluster(ordered, count, keep_zeros=False)) >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_as_good_as_the_best_of_all_splits(seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).normal(0, 1, 14).astype(np.float32))
    runs = (np.split(values, cuts) for cuts in combinations(range(1, 14), 2))
    best = min(sum(float(((run - run.mean()) ** 2).sum()) for run in split) for split in runs)
    found = cluster(values, 3, keep_zeros=False)
    assert float(((values - found) ** 2).sum()) <= 1.1 * best


def test_sixteen_levels_of_a_normal_reach_the_known_optimum() -> None:
    """J. Max, Quantizing for minimum distortion (1960), table I: 0.009497 of the variance."""
    values = np.random.default_rng(0).normal(0, 1, 400_000).astype(np.float32)
    error = float(((values - cluster(values, 16, keep_zeros=False)) ** 2).mean())
    assert error == pytest.approx(0.009497, rel=0.02)


def test_a_zero_costs_one_of_the_values() -> None:
    values = np.random.default_rng(0).normal(0, 1, 1000).astype(np.float32)
    values[:500] = 0
    found = np.unique(cluster(values, 4, keep_zeros=True))
    assert found.size == 4
    assert 0 in found


def test_centres_are_means_of_their_runs() -> None:
    assert centres(np.array([1, 2, 10, 12], np.float32), 2).tolist() == [1.5, 11]
