"""Every row of the two grade tables, and the tables in the manual."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary, Conditions
from harness.core.judgement import Grade, GradeLetter
from harness.core.launch import LaunchRecord, LoadTimes, Pass
from harness.core.outcome import BlockLaunch, Measurement
from harness.statistics.grades import CAPS, LIMITS, grade

MANUAL = Path(__file__).parents[4] / "docs" / "how-it-measures.md"
CPU = ComputeUnit.parse("cpu")
REFERENCE_NS = 2e6
KNOWN = Conditions(taken_at=0.0, temperatures={"soc": 41.0}, power="mains", throttled=False)


def _launch(
    block: int,
    *,
    median_ns: int = 1_000_000,
    preemption: float = 0.0,
    canary: float | None = 0.0,
    threads: int = 1,
    clock_ns: float | None = None,
    before: Conditions = KNOWN,
    after: Conditions = KNOWN,
) -> BlockLaunch:
    samples = (median_ns,) * 5
    record = LaunchRecord(
        attempt=f"attempt-{block}",
        pass_=Pass.LATENCY,
        started_at=0.0,
        wall_s=1.0,
        runtime="LiteRT 2.3.0",
        backend="xnnpack",
        observed=CPU,
        load=LoadTimes(environment_ns=1, compile_ns=1, first_ns=1),
        samples_ns=samples,
        cpu_ns=tuple(round(threads * sample / (1 + preemption) + (clock_ns or 0)) for sample in samples),
        starts_ns=(0,) * 5,
        warmup_ns=(),
        before=before,
        after=after,
        clock_ns=clock_ns,
    )
    taken = None if canary is None else Canary(median_ns=REFERENCE_NS * (1 + canary), samples_ns=())
    return BlockLaunch(block=block, position=0, record=record, canary_before=taken, canary_after=taken)


def _measurement(*launches: BlockLaunch) -> Measurement:
    return Measurement(
        launches=launches,
        ops=None,
        ops_unavailable="not asked",
        memory=None,
        observed=CPU,
        backend="xnnpack",
        runtime="LiteRT 2.3.0",
    )


PERFECT = _measurement(*(_launch(block) for block in range(10)))


def _grade(measurement: Measurement, asked: ComputeUnit = CPU, reference: float | None = REFERENCE_NS) -> Grade:
    return grade(measurement, asked=asked, canary_reference_ns=reference)


def _only_reason(measurement: Measurement, asked: ComputeUnit = CPU) -> str:
    (reason,) = _grade(measurement, asked).reasons
    return reason


def test_a_quiet_measurement_with_all_known_is_an_a_without_reasons() -> None:
    assert _grade(PERFECT) == Grade(letter=GradeLetter.A, reasons=())


@pytest.mark.parametrize(
    ("figure", "letter"), [(0.019, "A"), (0.021, "B"), (0.049, "B"), (0.051, "C"), (0.099, "C"), (0.101, "D"), (3, "D")]
)
def test_canary_off_the_reference_costs_letters(figure: float, letter: str) -> None:
    assert _grade(_measurement(*(_launch(b, canary=figure) for b in range(10)))).letter == letter


@pytest.mark.parametrize("figure", [-0.03, 0.03])
def test_a_canary_too_fast_is_as_bad_as_one_too_slow(figure: float) -> None:
    assert _grade(_measurement(*(_launch(b, canary=figure) for b in range(10)))).letter == "B"


@pytest.mark.parametrize(("figure", "letter"), [(0.019, "A"), (0.03, "B"), (0.06, "C"), (0.2, "D")])
def test_preemption_costs_letters(figure: float, letter: str) -> None:
    assert _grade(_measurement(*(_launch(b, preemption=figure) for b in range(10)))).letter == letter


@pytest.mark.parametrize(("step", "letter"), [(0.001, "A"), (0.01, "B"), (0.03, "C"), (0.1, "D")])
def test_variation_between_launches_costs_letters(step: float, letter: str) -> None:
    # Equally spaced medians: the CV is 3.03 steps for ten of them.
    launches = (_launch(b, median_ns=round(1e6 * (1 + step * (b - 4.5)))) for b in range(10))
    assert _grade(_measurement(*launches)).letter == letter


def test_one_disturbed_block_of_ten_moves_neither_canary_nor_preemption() -> None:
    launches = [_launch(0, canary=0.5, preemption=0.5), *(_launch(b) for b in range(1, 10))]
    assert _grade(_measurement(*launches)).letter == "A"


def test_the_worst_of_several_findings_decides_and_comes_first() -> None:
    worse = _measurement(*(_launch(b, canary=0.07, preemption=0.03) for b in range(10)))
    found = _grade(worse)
    assert found.letter == "C"
    assert [reason.split()[1] for reason in found.reasons] == ["canary", "time"]


def test_reasons_are_sentences_with_figures_and_limits() -> None:
    found = _only_reason(_measurement(*(_launch(b, canary=0.034) for b in range(10))))
    assert found == "the canary was 3.4% off the device's own median (A: at most 2%)"


def test_another_unit_than_asked_is_a_d() -> None:
    found = _grade(PERFECT, asked=ComputeUnit.parse("gpu"))
    assert found.letter == "D"
    assert "asked for gpu, ran on cpu" in found.reasons


def test_a_gpu_in_software_is_another_unit_than_the_gpu() -> None:
    software = replace(PERFECT, observed=ComputeUnit.parse("gpu/software"), backend="software")
    assert "asked for gpu, ran on gpu/software" in _grade(software, ComputeUnit.parse("gpu")).reasons
    assert _grade(software, ComputeUnit.parse("gpu")).letter == "D"


def test_other_cores_than_asked_are_another_unit() -> None:
    little = replace(PERFECT, observed=ComputeUnit.parse("cpu@little"))
    found = _grade(little, asked=ComputeUnit.parse("cpu@big"))
    assert found.letter == "D"
    assert "asked for cpu@big, ran on cpu@little" in found.reasons
    assert _grade(little, asked=ComputeUnit.parse("cpu")).letter == "A"


def test_cores_that_are_not_shown_are_at_best_a_b() -> None:
    found = _grade(PERFECT, asked=ComputeUnit.parse("cpu@big"))
    assert found.letter == "B"
    assert found.reasons == ("asked for cpu@big, and it is not shown to have run on big cores",)


def test_another_thread_count_of_the_same_kind_is_not_another_unit() -> None:
    found = _grade(_measurement(*(_launch(b, threads=2) for b in range(10))), asked=ComputeUnit.parse("cpu:2"))
    assert not [reason for reason in found.reasons if "ran on" in reason]


def test_a_demanded_backend_that_did_not_run_is_a_d() -> None:
    found = _grade(PERFECT, asked=ComputeUnit.parse("cpu/builtin"))
    assert found.letter == "D"
    assert found.reasons == ("asked for cpu/builtin, ran in the backend xnnpack",)


def test_a_demanded_backend_that_is_not_named_is_a_d() -> None:
    found = _grade(replace(PERFECT, backend=None), asked=ComputeUnit.parse("cpu/builtin"))
    assert found.letter == "D"


def test_a_demanded_backend_that_ran_is_an_a() -> None:
    assert _grade(PERFECT, asked=ComputeUnit.parse("cpu/xnnpack")).letter == "A"


def test_an_unknown_unit_is_a_b_where_only_cpu_was_asked_for() -> None:
    assert _grade(replace(PERFECT, observed=None)).letter == "B"


def test_an_unknown_unit_is_a_d_where_an_accelerator_was_asked_for() -> None:
    assert _grade(replace(PERFECT, observed=None), asked=ComputeUnit.parse("npu")).letter == "D"


def test_reported_throttling_at_any_moment_is_a_d() -> None:
    hot = replace(KNOWN, throttled=True)
    launches = [_launch(0, after=hot), *(_launch(b) for b in range(1, 10))]
    assert _only_reason(_measurement(*launches)) == "the device reported throttling at 1 of 20 moments"
    assert _grade(_measurement(*launches)).letter == "D"


def test_no_thermal_sensor_is_a_b_with_its_reason_and_no_d() -> None:
    blind = Conditions(taken_at=0.0)
    measured = _measurement(*(_launch(b, before=blind, after=blind) for b in range(10)))
    assert _grade(measured).letter == "B"
    assert "no sensor" in _only_reason(measured)


def test_unknown_power_without_any_sign_of_a_battery_costs_nothing() -> None:
    quiet = replace(KNOWN, power=None)
    assert _grade(_measurement(*(_launch(b, before=quiet, after=quiet) for b in range(10)))).letter == "A"


def test_battery_throughout_is_a_c() -> None:
    battery = replace(KNOWN, power="battery")
    assert _grade(_measurement(*(_launch(b, before=battery, after=battery) for b in range(10)))).letter == "C"


@pytest.mark.parametrize("other", ["mains", None])
def test_power_that_came_and_went_on_a_battery_device_is_a_d(other: str | None) -> None:
    battery, elsewhere = replace(KNOWN, power="battery"), replace(KNOWN, power=other)
    launches = [_launch(0, before=battery), *(_launch(b, before=elsewhere, after=elsewhere) for b in range(1, 10))]
    assert _grade(_measurement(*launches)).letter == "D"


@pytest.mark.parametrize("launches", [0, 1])
def test_fewer_than_two_launches_are_a_d(launches: int) -> None:
    assert _grade(_measurement(*(_launch(b) for b in range(launches)))).letter == "D"


def test_lost_launches_cost_the_a() -> None:
    assert _only_reason(replace(PERFECT, lost=2)) == "2 of 12 launches failed"


def test_no_canary_costs_the_a() -> None:
    assert _grade(_measurement(*(_launch(b, canary=None) for b in range(10)))).letter == "B"


def test_no_reference_for_the_canary_costs_the_a() -> None:
    assert _grade(PERFECT, reference=None).letter == "B"


def test_no_cpu_time_costs_the_a() -> None:
    launches = (replace(one, record=replace(one.record, cpu_ns=())) for one in PERFECT.launches)
    assert "preemption is unknown" in _only_reason(_measurement(*launches))


def test_neither_canary_nor_preemption_is_a_d() -> None:
    assert _grade(replace(PERFECT, observed=ComputeUnit.parse("gpu")), ComputeUnit.parse("gpu"), None).letter == "D"


def test_the_time_that_clocks_took_does_not_hide_preemption() -> None:
    measured = _measurement(*(_launch(b, median_ns=60_000, preemption=0.06, clock_ns=3000) for b in range(10)))
    assert _only_reason(measured).startswith("wall time is 6.0% over CPU time")


@pytest.mark.parametrize(("median_ns", "letter"), [(49_000, "B"), (51_000, "A")])
def test_inferences_too_short_for_the_clocks_leave_preemption_unknown(median_ns: int, letter: str) -> None:
    assert _grade(_measurement(*(_launch(b, median_ns=median_ns) for b in range(10)))).letter == letter


def test_preemption_of_short_inferences_is_unknown_with_its_reason_whatever_the_clocks_say() -> None:
    measured = _measurement(*(_launch(b, median_ns=5000, preemption=0.5) for b in range(10)))
    assert _only_reason(measured) == "preemption is unknown: inferences below 50 µs are too short to tell"


def test_short_inferences_without_a_canary_are_a_d() -> None:
    assert _grade(_measurement(*(_launch(b, median_ns=5000, canary=None) for b in range(10)))).letter == "D"


def test_two_threads_that_were_busy_all_the_time_were_not_preempted() -> None:
    measured = _measurement(*(_launch(b, threads=2) for b in range(10)))
    assert _grade(measured, asked=ComputeUnit.parse("cpu:2")).letter == "A"


def test_two_threads_with_idle_time_leave_preemption_unknown_between_bounds() -> None:
    # 1.6 processors' worth of CPU time: a thread that waited for the other, or was held up.
    measured = _measurement(*(_launch(b, threads=2, preemption=0.25) for b in range(10)))
    asked = ComputeUnit.parse("cpu:2")
    assert _grade(measured, asked).letter == "B"
    assert _only_reason(measured, asked).startswith("preemption is unknown between 0.0% and 25.0%")


def test_two_threads_with_the_cpu_time_of_one_are_a_c() -> None:
    measured = _measurement(*(_launch(b, threads=2, preemption=1.0) for b in range(10)))
    assert _grade(measured, ComputeUnit.parse("cpu:2")).letter == "C"


def test_two_threads_with_less_than_one_processor_were_preempted_at_least_so_much() -> None:
    measured = _measurement(*(_launch(b, threads=2, preemption=1.16) for b in range(10)))
    found = _grade(measured, ComputeUnit.parse("cpu:2"))
    assert found.letter == "C"
    assert "at least 8.0%" in found.reasons[0]


def test_every_cap_is_better_than_none() -> None:
    assert GradeLetter.A not in CAPS.values()


def test_limits_widen_with_the_letter() -> None:
    rows = [(limits.canary, limits.preemption, limits.launch_cv) for limits in LIMITS.values()]
    assert rows == sorted(rows)
    assert list(LIMITS) == [GradeLetter.A, GradeLetter.B, GradeLetter.C]


def _table(heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading of the manual, without head and rule."""
    text = MANUAL.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines is not None, heading
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[0].splitlines()[2:]]


def test_the_manual_holds_the_limits_of_the_code() -> None:
    rows = [(str(x), f"{y.canary:.0%}", f"{y.preemption:.0%}", f"{y.launch_cv:.0%}") for x, y in LIMITS.items()]
    assert _table("Grades: figures")[:3] == rows


def test_the_manual_holds_the_caps_of_the_code() -> None:
    assert [row[:2] for row in _table("Grades: what is so, or unknown")] == [(k, str(v)) for k, v in CAPS.items()]
