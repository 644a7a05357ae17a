"""Summaries against numpy and scipy, and their edges."""

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from harness.core.launch import LoadTimes, Pass
from harness.statistics.summaries import (
    coefficient_of_variation,
    median_interval,
    quantile,
    summarise_cold_start,
    summarise_latency,
    summarise_load,
)
from tests.support.launches import a_record

SAMPLES = st.lists(st.integers(min_value=1, max_value=10**10), min_size=1, max_size=30)


def test_median_is_of_launch_medians_not_of_pooled_samples() -> None:
    # One launch with many slow samples would drag a pooled median to 30.
    assert summarise_latency([[10], [12], [30] * 9]).median == 12


@given(st.lists(SAMPLES, min_size=1, max_size=8))
def test_percentiles_pool_the_samples_as_numpy_does(launches: list[list[int]]) -> None:
    summary = summarise_latency(launches)
    pooled = np.concatenate([np.asarray(samples, dtype=float) for samples in launches])
    assert [summary.p10, summary.p90, summary.p99] == pytest.approx(list(np.percentile(pooled, [10, 90, 99])))


@given(st.lists(SAMPLES, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_summary_does_not_depend_on_the_order_of_launches_or_samples(
    launches: list[list[int]], chance: random.Random
) -> None:
    shuffled = [chance.sample(samples, len(samples)) for samples in chance.sample(launches, len(launches))]
    assert summarise_latency(shuffled) == summarise_latency(launches)


def test_counts_leave_out_launches_without_samples() -> None:
    summary = summarise_latency([[5, 7], [], [6]])
    assert (summary.launches, summary.samples, summary.min) == (2, 3, 5)


def test_no_samples_at_all_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no launch has samples"):
        summarise_latency([[], []])


def test_one_launch_has_neither_interval_nor_variation() -> None:
    summary = summarise_latency([[5, 6, 7]])
    assert (summary.ci95, summary.cv) == (None, None)


def test_interval_of_ten_launches_leaves_out_one_at_either_end() -> None:
    assert summarise_latency([[n] for n in range(10)]).ci95 == (1, 8)


def test_five_launches_are_too_few_for_an_interval_and_six_are_not() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.05) is None
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.05) == (1.0, 6.0)


@pytest.mark.parametrize("n", range(6, 60, 7))
def test_median_interval_is_the_narrowest_that_the_binomial_allows(n: int) -> None:
    found = median_interval([float(i) for i in range(n)], 0.05)
    assert found is not None
    trimmed = int(found[0])
    assert 2 * binom.cdf(trimmed, n, 0.5) <= 0.05 < 2 * binom.cdf(trimmed + 1, n, 0.5)


def test_variation_is_sample_sd_over_mean() -> None:
    values = [10.0, 11.0, 12.5]
    assert coefficient_of_variation(values) == pytest.approx(np.std(values, ddof=1) / np.mean(values))


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_quantile_of_one_value_is_that_value(share: float) -> None:
    assert quantile([7.0], share) == 7.0


def test_two_hundred_cells_are_summarised_in_well_under_a_second() -> None:
    chance = random.Random(0)
    cells = [[[chance.randrange(10**6, 10**7) for _ in range(50)] for _ in range(10)] for _ in range(200)]
    begun = time.process_time()
    for launches in cells:
        summarise_latency(launches)
    assert time.process_time() - begun < 0.5


def _load(environment: float, compiling: float, first: float) -> LoadTimes:
    return LoadTimes(environment_ns=environment, compile_ns=compiling, first_ns=first)


def test_cold_is_the_first_launch_and_warm_the_median_of_the_others() -> None:
    summary = summarise_load([_load(90, 9, 1), _load(10, 2, 3), _load(20, 2, 3), _load(30, 2, 3)])
    assert (summary.cold, summary.warm) == (100, 25)


def test_compile_and_first_are_medians_over_all_launches() -> None:
    summary = summarise_load([_load(0, 9, 1), _load(0, 2, 5), _load(0, 4, 3)])
    assert (summary.compile, summary.first) == (4, 3)


def test_one_launch_has_no_warm_load() -> None:
    assert summarise_load([_load(1, 2, 3)]).warm is None


def test_no_load_times_are_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="no launch has load times"):
        summarise_load([])


def test_a_start_is_summed_launch_by_launch_before_the_median() -> None:
    loads = (_load(1, 1, 9), _load(1, 9, 1), _load(9, 1, 1))
    records = [replace(a_record(Pass.COLD), load=load) for load in loads]
    off = summarise_cold_start(records, None).off
    assert off is not None
    assert (off.environment + off.compile + off.first, off.total) == (3, 11)


def test_variation_is_unknown_where_the_mean_is_not_positive() -> None:
    assert coefficient_of_variation([0.0, 0.0]) is None
    assert not math.isnan(summarise_latency([[0], [0]]).median)
