"""The benchmarks of the statistics do what they say, and can fail."""

import math
import random
import statistics

import pytest

from harness.core.judgement import Verdict
from tests.benchmarks.aa import DRAWS, QUIET_OTHERS, Row, disturbances, draw, report, share
from tests.benchmarks.power import PAIR_SD, simulate
from tests.support.measurements import a_launch


def _called(medians: list[float], *, contiguous: bool) -> float:
    chance = random.Random(0)
    drawn = [draw(medians, chance, contiguous=contiguous) for _ in range(400)]
    return share(drawn, Verdict.SLOWER, Verdict.FASTER)


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_a_of_independent_launches_is_rarely_called_different(contiguous: bool) -> None:
    chance = random.Random(1)
    assert _called([1e6 * math.exp(chance.gauss(0, 0.01)) for _ in range(60)], contiguous=contiguous) <= 0.03


def test_a_a_withstands_drift() -> None:
    assert _called([1e6 * (1 + 0.01 * n) for n in range(60)], contiguous=True) == 0.0


def test_a_a_is_called_different_where_the_order_of_launches_decides_their_time() -> None:
    # The outer two of every four launches are slow: a campaign's order would mistake that for a variant.
    assert _called([1.1e6, 1e6, 1e6, 1.1e6] * 15, contiguous=True) > 0.02


def test_a_a_draws_ten_pairs_without_using_a_launch_twice() -> None:
    comparison = draw([float(2**n) for n in range(60)], random.Random(3), contiguous=False)
    assert comparison.pairs == 10


def test_the_value_of_a_a_keeps_launches_beside_their_neighbours_as_a_campaign_does() -> None:
    medians = [1.1e6, 1e6, 1e6, 1.1e6] * 6 + [1e6] * 36
    value, detail = report(Row(records=tuple(a_launch(median_ns=each, noise=0.0) for each in medians), others=0.0), 0.0)
    chance = random.Random(0)
    in_a_row = [draw(medians, chance, contiguous=True) for _ in range(DRAWS)]
    assert value == share(in_a_row, Verdict.SLOWER, Verdict.FASTER)
    assert value != detail["scattered"]


@pytest.mark.parametrize(
    ("preemption", "others", "reasons"),
    [(1.0, 0.0, 0), (1.05, 0.0, 1), (1.0, QUIET_OTHERS + 0.01, 1), (1.05, 0.5, 2)],
)
def test_a_a_says_why_the_machine_was_not_quiet(preemption: float, others: float, reasons: int) -> None:
    row = Row(records=(a_launch(preemption=preemption),), others=others)
    assert len(disturbances(row)) == reasons


def test_power_is_measured_at_the_pair_sd_that_it_states() -> None:
    logs = [math.log(comparison.ratio) for comparison in simulate(0.0, 1, 600)]
    assert statistics.stdev(logs) == pytest.approx(PAIR_SD, rel=0.1)


def test_power_sees_the_effect_that_is_simulated() -> None:
    ratios = [comparison.ratio for comparison in simulate(0.05, 10, 40)]
    assert statistics.fmean(ratios) == pytest.approx(1.05, abs=0.003)
