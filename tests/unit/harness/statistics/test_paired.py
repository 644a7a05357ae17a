"""The verdict rule and its invariances."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.core.judgement import Bands, Comparison, Verdict
from harness.statistics.paired import compare

TIMES = st.lists(
    st.tuples(st.floats(min_value=1e3, max_value=1e9), st.floats(min_value=1e3, max_value=1e9)), min_size=1, max_size=14
)
SWAPPED = {
    Verdict.SLOWER: Verdict.FASTER,
    Verdict.FASTER: Verdict.SLOWER,
    Verdict.SAME: Verdict.SAME,
    Verdict.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


def _arms(pairs: list[tuple[float, float]]) -> tuple[dict[int, float], dict[int, float]]:
    return {i: pair[0] for i, pair in enumerate(pairs)}, {i: pair[1] for i, pair in enumerate(pairs)}


def _ratios(*ratios: float) -> Comparison:
    """The comparison of arms with these ratios, block by block."""
    comparison = compare({i: 1e6 for i in range(len(ratios))}, {i: 1e6 * ratio for i, ratio in enumerate(ratios)})
    assert comparison is not None
    return comparison


def test_a_clear_slowdown_is_slower() -> None:
    assert _ratios(1.05, 1.06, 1.04, 1.05, 1.055, 1.045, 1.05, 1.06).verdict is Verdict.SLOWER


def test_a_clear_speedup_is_faster() -> None:
    assert _ratios(0.90, 0.91, 0.92, 0.90, 0.91, 0.89, 0.90, 0.93).verdict is Verdict.FASTER


def test_tight_ratios_around_one_are_the_same() -> None:
    assert _ratios(1.001, 0.999, 1.002, 0.998, 1.0, 1.001, 0.999, 1.0).verdict is Verdict.SAME


def test_wide_ratios_around_one_are_inconclusive() -> None:
    assert _ratios(1.1, 0.9, 1.2, 0.8, 1.05, 0.95, 1.1, 0.9).verdict is Verdict.INCONCLUSIVE


def test_a_certain_shift_below_the_effect_band_is_the_same_not_slower() -> None:
    comparison = _ratios(*[1.005 + 0.0001 * i for i in range(10)])
    assert comparison.ci99 is not None
    assert comparison.ci99[0] > 1
    assert comparison.verdict is Verdict.SAME


def test_seven_pairs_can_never_be_slower_however_clear() -> None:
    comparison = _ratios(*[2.0] * 7)
    assert (comparison.verdict, comparison.ci99, comparison.detectable) == (Verdict.INCONCLUSIVE, None, None)


def test_eight_pairs_are_enough_for_slower() -> None:
    assert _ratios(*[2.0] * 8).verdict is Verdict.SLOWER


def test_one_contrary_pair_of_eight_withholds_the_verdict() -> None:
    assert _ratios(0.99, *[1.05] * 7).verdict is Verdict.INCONCLUSIVE


def test_bands_are_settings() -> None:
    source, other = {i: 1e6 for i in range(10)}, {i: 1.03e6 for i in range(10)}
    wide = compare(source, other, Bands(effect=0.04, same=0.05))
    assert wide is not None
    assert wide.verdict is Verdict.SAME


def test_identical_arms_are_the_same_and_could_have_seen_the_effect_band() -> None:
    comparison = _ratios(*[1.0] * 10)
    assert (comparison.ratio, comparison.verdict) == (1.0, Verdict.SAME)
    assert comparison.detectable == pytest.approx(0.01)


def test_pairs_are_the_blocks_that_both_have() -> None:
    comparison = compare({0: 1.0, 1: 1.0, 2: 1.0}, {1: 2.0, 2: 2.0, 3: 9.0})
    assert comparison is not None
    assert comparison.pairs == 2
    assert comparison.ratio == pytest.approx(2.0)


def test_no_common_block_is_no_comparison() -> None:
    assert compare({0: 1.0}, {1: 1.0}) is None
    assert compare({}, {}) is None


def test_one_pair_has_a_ratio_and_nothing_else() -> None:
    comparison = _ratios(1.5)
    assert comparison.ratio == pytest.approx(1.5)
    assert (comparison.ci95, comparison.ci99, comparison.detectable) == (None, None, None)
    assert comparison.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("time", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_none_does_not_pair(time: float) -> None:
    comparison = compare({0: 1.0, 1: 1.0}, {0: 2.0, 1: time})
    assert comparison is not None
    assert comparison.pairs == 1


@given(TIMES)
def test_swapping_the_arms_inverts_the_ratio_and_the_verdict(pairs: list[tuple[float, float]]) -> None:
    source, other = _arms(pairs)
    there, back = compare(source, other), compare(other, source)
    assert there is not None
    assert back is not None
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.detectable == pytest.approx(there.detectable)
    if there.ci99 is not None:
        assert back.ci99 == pytest.approx((1 / there.ci99[1], 1 / there.ci99[0]))
    assume(not _on_the_edge(there))
    assert back.verdict is SWAPPED[there.verdict]


@given(TIMES, st.floats(min_value=0.01, max_value=100))
def test_the_unit_of_time_changes_nothing(pairs: list[tuple[float, float]], factor: float) -> None:
    source, other = _arms(pairs)
    plain = compare(source, other)
    scaled = compare({i: factor * t for i, t in source.items()}, {i: factor * t for i, t in other.items()})
    assert plain is not None
    assert scaled is not None
    assert scaled.ratio == pytest.approx(plain.ratio)
    assert scaled.ci95 == pytest.approx(plain.ci95)


@given(TIMES, st.floats(min_value=1.001, max_value=10), st.data())
def test_a_slower_launch_never_lowers_the_ratio(
    pairs: list[tuple[float, float]], factor: float, data: st.DataObject
) -> None:
    source, other = _arms(pairs)
    block = data.draw(st.sampled_from(sorted(other)))
    before, after = compare(source, other), compare(source, {**other, block: factor * other[block]})
    assert before is not None
    assert after is not None
    assert after.ratio >= before.ratio * (1 - 1e-12)


@given(TIMES)
def test_the_intervals_hold_the_ratio_and_the_wider_holds_the_narrower(pairs: list[tuple[float, float]]) -> None:
    comparison = compare(*_arms(pairs))
    assert comparison is not None
    if comparison.ci95 is not None:
        assert comparison.ci95[0] <= comparison.ratio * (1 + 1e-12)
        assert comparison.ratio <= comparison.ci95[1] * (1 + 1e-12)
    if comparison.ci99 is not None:
        assert comparison.ci95 is not None
        assert comparison.ci99[0] <= comparison.ci95[0] <= comparison.ci95[1] <= comparison.ci99[1]


@given(TIMES, st.sampled_from([0.0, 0.005, 0.01, 0.05]))
def test_detectable_is_never_below_the_effect_band(pairs: list[tuple[float, float]], effect: float) -> None:
    comparison = compare(*_arms(pairs), Bands(effect=effect))
    assert comparison is not None
    assert comparison.detectable is None or comparison.detectable >= effect * (1 - 1e-9)


def _on_the_edge(comparison: Comparison) -> bool:
    """Whether a figure lies so near a limit that the last bit of a logarithm decides."""
    figures = [comparison.ratio, *(comparison.ci95 or ()), *(comparison.ci99 or ())]
    limits = [1.0, 1.01, 1 / 1.01, 1.02, 1 / 1.02]
    return any(math.isclose(figure, limit, rel_tol=1e-9) for figure in figures for limit in limits)


def _compare_gaussian(chance: random.Random, effect: float, pairs: int, sd: float) -> Comparison:
    return _ratios(*[(1 + effect) * math.exp(chance.gauss(0, sd)) for _ in range(pairs)])


def _share(verdict: Verdict, effect: float, pairs: int, sd: float = 0.015, repetitions: int = 400) -> float:
    chance = random.Random(f"{effect}/{pairs}/{sd}")
    found = [_compare_gaussian(chance, effect, pairs, sd).verdict for _ in range(repetitions)]
    return found.count(verdict) / repetitions


def test_the_same_variant_is_called_slower_or_faster_in_at_most_two_percent() -> None:
    assert _share(Verdict.SLOWER, 0.0, 10) + _share(Verdict.FASTER, 0.0, 10) <= 0.02


def test_ten_pairs_find_three_percent() -> None:
    assert _share(Verdict.SLOWER, 0.03, 10) >= 0.95


def test_twenty_pairs_find_two_percent() -> None:
    assert _share(Verdict.SLOWER, 0.02, 20) >= 0.97


@pytest.mark.parametrize(("pairs", "sd"), [(8, 0.015), (10, 0.015), (10, 0.05), (20, 0.015), (20, 0.002)])
def test_the_stated_detectable_effect_is_found_in_four_of_five(pairs: int, sd: float) -> None:
    chance = random.Random(f"{pairs}/{sd}")
    stated = sorted(_compare_gaussian(chance, 0.0, pairs, sd).detectable or math.nan for _ in range(400))[200]
    assert 0.72 <= _share(Verdict.SLOWER, stated, pairs, sd) <= 0.93
