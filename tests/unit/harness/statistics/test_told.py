"""Launches whose tool keeps no samples: what can be said of them, and what cannot."""

from dataclasses import replace

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.judgement import Grade, GradeLetter, Verdict
from harness.core.outcome import BlockLaunch, Measurement
from harness.statistics.grades import grade
from harness.statistics.paired import compare
from harness.statistics.summaries import summarise_latency, summarise_launch, timed
from tests.support.measurements import MS, a_launch, a_measurement
from tests.support.told import a_summary, a_told_launch, told

CPU = ComputeUnit(kind="cpu")


def a_told_measurement(median_ns: float, *, resolution_ns: float = 1000.0) -> Measurement:
    made = a_measurement(median_ns=median_ns)
    return replace(
        made,
        launches=tuple(
            replace(launch, record=told(launch.record, resolution_ns=resolution_ns)) for launch in made.launches
        ),
    )


def judged(median_ns: float, **how: float) -> Grade:
    return grade(a_told_measurement(median_ns, **how), asked=CPU, canary_reference_ns=2 * MS)


def test_the_median_is_of_the_medians_that_were_told() -> None:
    summary = summarise_latency([a_summary(5 * MS), a_summary(7 * MS), a_summary(6 * MS)])
    assert (summary.median, summary.launches, summary.raw) == (6 * MS, 3, False)


def test_inferences_are_counted_as_they_were_told() -> None:
    assert summarise_latency([a_summary(count=50), a_summary(count=31), [7]]).samples == 82


def test_percentiles_of_all_samples_are_unknown_where_one_launch_has_none() -> None:
    summary = summarise_latency([[10, 11, 12], a_summary(11)])
    assert (summary.p10, summary.p90, summary.p99) == (None, None, None)


def test_the_fastest_is_of_samples_and_of_what_was_told() -> None:
    assert summarise_latency([[10, 11, 12], a_summary(11, min_ns=9)]).min == 9


def test_the_fastest_is_unknown_where_a_launch_may_have_been_faster() -> None:
    assert summarise_latency([[10, 11, 12], a_summary(11, min_ns=None)]).min is None


def test_a_launch_of_which_no_median_was_told_does_not_count() -> None:
    summary = summarise_latency([[10, 11, 12], a_summary(None)])
    assert (summary.launches, summary.samples, summary.raw) == (1, 3, True)


def test_nothing_told_is_nothing_to_summarise() -> None:
    with pytest.raises(ValueError, match="nothing to summarise"):
        summarise_latency([a_summary(None), []])


def test_the_coarsest_step_is_the_resolution() -> None:
    assert summarise_latency([a_summary(resolution_ns=100.0), a_summary(resolution_ns=1000.0)]).resolution == 1000.0


def test_the_interval_of_a_told_median_is_a_step_wider_on_either_side() -> None:
    summary = summarise_latency([a_summary(16_000.0)] * 10)
    assert summary.ci95 == (15_000.0, 17_000.0)


def test_samples_count_before_what_was_told() -> None:
    both = replace(a_launch(), summary=a_summary(9 * MS))
    assert timed(both) == both.samples_ns
    assert both.told is None


def test_a_told_launch_has_its_median_and_no_quantiles_of_ours() -> None:
    launch = BlockLaunch(block=0, position=0, record=a_told_launch(3 * MS), canary_before=None, canary_after=None)
    summary = summarise_launch(launch)
    assert summary.told == launch.record.summary
    assert (summary.median, summary.p10, summary.p90, summary.wall_over_cpu) == (
        launch.record.median_ns,
        None,
        None,
        None,
    )


def test_cpu_times_that_a_tool_does_not_keep_cap_the_grade_and_are_said() -> None:
    found = judged(5 * MS)
    assert found.letter is GradeLetter.B
    assert "preemption is unknown: the tool that timed it keeps no CPU times" in found.reasons


@pytest.mark.parametrize(("median_ns", "letter"), [(150_000, "B"), (60_000, "B"), (9_000, "D"), (800, "D")])
def test_a_step_that_is_large_beside_the_median_costs_trust(median_ns: int, letter: str) -> None:
    assert judged(median_ns).letter == letter


def test_a_step_is_said_from_a_hundredth_of_the_median_on() -> None:
    assert any("steps of 1 µs" in reason for reason in judged(90_000).reasons)
    assert not any("steps of" in reason for reason in judged(150_000).reasons)


def test_a_median_below_the_step_says_so() -> None:
    assert "times are told in steps of 1 µs, more than the median itself" in judged(800).reasons


def test_medians_that_agree_by_rounding_are_not_called_the_same() -> None:
    twelve = {block: 12_000.0 for block in range(10)}
    exact, rounded = compare(twelve, twelve), compare(twelve, twelve, steps=(1000.0, 1000.0))
    assert exact is not None
    assert rounded is not None
    assert (exact.verdict, rounded.verdict) == (Verdict.SAME, Verdict.INCONCLUSIVE)
    assert rounded.ci95 == pytest.approx(((12 / 13) ** 2, (13 / 12) ** 2))


def test_a_microsecond_changes_nothing_of_milliseconds() -> None:
    source = {block: 8 * MS + 1000 * block for block in range(10)}
    other = {block: 4 * MS + 1000 * block for block in range(10)}
    found = compare(source, other, steps=(1000.0, 1000.0))
    assert found is not None
    assert found.verdict is Verdict.FASTER
