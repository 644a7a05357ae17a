"""The signed-rank interval against scipy, published tables and brute force."""

import itertools
import math
import random

import pytest
from scipy.stats import wilcoxon

from harness.statistics.signed_rank import EXACT_PAIRS, critical_value, interval, walsh_averages


@pytest.mark.parametrize(
    ("pairs", "at_95", "at_99"), [(6, 0, None), (8, 3, 0), (10, 8, 3), (15, 25, 15), (20, 52, 37), (30, 137, 109)]
)
def test_critical_values_are_those_of_the_published_table(pairs: int, at_95: int, at_99: int | None) -> None:
    # R. L. McCornack, "Extended tables of the Wilcoxon matched pair signed rank statistic", JASA 60 (1965), table 1.
    assert (critical_value(pairs, 0.05), critical_value(pairs, 0.01)) == (at_95, at_99)


@pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 6), (0.01, 8)])
def test_fewer_pairs_than_this_give_no_interval(alpha: float, fewest: int) -> None:
    first = next(pairs for pairs in range(1, 20) if critical_value(pairs, alpha) is not None)
    assert first == fewest


def test_critical_value_is_that_of_every_sign_pattern_counted() -> None:
    for pairs in range(1, 12):
        sums = [sum(ranks) for size in range(pairs + 1) for ranks in itertools.combinations(range(1, pairs + 1), size)]
        rare = [t for t in range(max(sums) + 1) if sum(s <= t for s in sums) / len(sums) <= 0.025]
        assert critical_value(pairs, 0.05) == (rare[-1] if rare else None)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("pairs", [EXACT_PAIRS + 1, 2 * EXACT_PAIRS])
def test_beyond_the_exact_sizes_the_critical_value_is_on_the_safe_side_and_near(pairs: int, alpha: float) -> None:
    critical = critical_value(pairs, alpha)
    assert critical is not None
    assert _p_value(_with_rank_sum(pairs, critical), 0.0) <= alpha
    assert _p_value(_with_rank_sum(pairs, round(1.005 * critical) + 1), 0.0) > alpha


def _with_rank_sum(pairs: int, rank_sum: int) -> list[float]:
    """Values 1 to pairs in size, of which the positive ones add up to rank_sum."""
    values = []
    for rank in range(pairs, 0, -1):
        positive = rank <= rank_sum
        rank_sum -= rank if positive else 0
        values.append(float(rank if positive else -rank))
    return values


@pytest.mark.parametrize("pairs", [6, 7, 8, 10, 13, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_interval_holds_exactly_the_shifts_that_scipy_does_not_reject(pairs: int, alpha: float) -> None:
    chance = random.Random(pairs)
    values = [chance.gauss(0.01, 0.02) for _ in range(pairs)]
    found = interval(walsh_averages(values), pairs, alpha)
    if found is None:
        assert pairs < 8
        assert alpha == 0.01
        return
    for edge, inwards in ((found[0], 1e-9), (found[1], -1e-9)):
        assert _p_value(values, edge + inwards) > alpha
        assert _p_value(values, edge - inwards) <= alpha


def _p_value(values: list[float], shift: float) -> float:
    return float(wilcoxon([value - shift for value in values], method="exact").pvalue)


def test_walsh_averages_are_all_pairs_in_order() -> None:
    assert walsh_averages([4.0, 0.0, 2.0]) == [0.0, 1.0, 2.0, 2.0, 3.0, 4.0]


def test_equal_values_give_an_interval_of_no_width() -> None:
    assert interval(walsh_averages([0.5] * 9), 9, 0.01) == (0.5, 0.5)


@pytest.mark.parametrize(("pairs", "alpha"), [(8, 0.05), (10, 0.01)])
def test_interval_covers_the_truth_as_often_as_it_says(pairs: int, alpha: float) -> None:
    chance = random.Random(5)
    repetitions = 2000
    missed = 0
    for _ in range(repetitions):
        low, high = _interval([chance.gauss(0, 1) for _ in range(pairs)], alpha)
        missed += not low <= 0 <= high
    # Four standard errors above the nominal rate.
    assert missed / repetitions <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / repetitions)


def _interval(values: list[float], alpha: float) -> tuple[float, float]:
    found = interval(walsh_averages(values), len(values), alpha)
    assert found is not None
    return found
