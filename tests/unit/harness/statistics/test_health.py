"""What the state of the device takes from a grade."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster, Conditions, DeviceFacts
from harness.core.judgement import Grade
from harness.core.limits import LIMITS, NO_LIMITS, Limits
from harness.core.outcome import BlockLaunch, Measurement
from harness.statistics.grades import CAPS, grade
from harness.statistics.health import findings
from tests.support.plans import some_facts
from tests.unit.harness.statistics.test_grades import KNOWN, PERFECT, REFERENCE_NS

CPU = ComputeUnit.parse("cpu")
PHONE, BOARD, EDGETPU = LIMITS["android"], LIMITS["ssh"], LIMITS["edgetpu"]
FACTS = replace(some_facts(), clusters=(Cluster(name="big", cores=(0,), max_mhz=2400.0),))


def _with(*moments: Conditions) -> Measurement:
    """The perfect measurement with these conditions before its first launches."""
    told = dict(enumerate(moments))
    launches = tuple(
        replace(launch, record=replace(launch.record, before=told.get(number, launch.record.before)))
        for number, launch in enumerate(PERFECT.launches)
    )
    return replace(PERFECT, launches=launches)


def _grade(measurement: Measurement, limits: Limits, facts: DeviceFacts = FACTS) -> Grade:
    return grade(measurement, asked=CPU, canary_reference_ns=REFERENCE_NS, limits=limits, facts=facts)


@pytest.mark.parametrize("limits", [NO_LIMITS, PHONE, EDGETPU])
def test_what_is_not_known_costs_nothing(limits: Limits) -> None:
    assert _grade(PERFECT, limits).letter == "A"


@pytest.mark.parametrize(
    ("moment", "limits", "letter", "reason"),
    [
        ({"thermal_status": 1}, NO_LIMITS, "C", "the device's thermal status rose to 1"),
        ({"thermal_status": 3}, PHONE, "D", "the device's thermal status rose to 3"),
        (
            {"temperatures": {"cpu-thermal": 80.5}},
            BOARD,
            "C",
            "SoC at 80.5 °C, limit 80 °C: it slows down about there",
        ),
        (
            {"temperatures": {"apex_0": 85.0}},
            EDGETPU,
            "C",
            "accelerator at 85.0 °C, limit 84.8 °C: it slows down about there",
        ),
        ({"clock_caps_mhz": {"cpu0": 1200.0}}, BOARD, "C", "clocks were capped at 50% of the highest, limit 90%"),
        ({"governor": "ondemand"}, BOARD, "B", "the clocks were left to the governor ondemand"),
        ({"governor": "performance+schedutil"}, BOARD, "B", "the clocks were left to the governor"),
        ({"battery_percent": 29.0}, PHONE, "C", "the battery was at 29 %, limit 30 %"),
    ],
)
def test_a_moment_beyond_a_limit_costs_its_letter(
    moment: dict[str, object], limits: Limits, letter: str, reason: str
) -> None:
    found = _grade(_with(replace(KNOWN, **moment)), limits)  # type: ignore[arg-type]
    assert found.letter == letter
    assert found.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    "moment",
    [
        {"thermal_status": 0},
        {"temperatures": {"cpu-thermal": 79.0}},
        {"clock_caps_mhz": {"cpu0": 2400.0, "cpu7": 100.0}},
        {"governor": "performance"},
        {"battery_percent": 30.0},
        {"neighbours": 0.3},
    ],
)
def test_a_moment_within_its_limits_costs_nothing(moment: dict[str, object]) -> None:
    assert _grade(_with(replace(KNOWN, **moment)), replace(BOARD, battery_percent=30.0)).letter == "A"  # type: ignore[arg-type]


def test_a_warm_phone_during_its_launches_is_what_launches_do() -> None:
    assert _grade(_with(replace(KNOWN, temperatures={"SKIN": 55.0})), PHONE).letter == "A"


@pytest.mark.parametrize(("busy", "letter"), [(4, "A"), (10, "C")])
def test_neighbours_count_where_they_were_there_most_of_the_time(busy: int, letter: str) -> None:
    loud, quiet = replace(KNOWN, neighbours=2.0), replace(KNOWN, neighbours=0.0)
    assert _grade(_with(*[loud] * busy, *[quiet] * (10 - busy)), BOARD).letter == letter


def _doubtful(launches: Sequence[BlockLaunch]) -> tuple[BlockLaunch, ...]:
    return (replace(launches[0], doubt="its canary is 20.0% slower than usual, after 120 s of waiting"), *launches[1:])


def test_a_block_that_was_waited_for_in_vain_is_a_c() -> None:
    found = _grade(replace(PERFECT, launches=_doubtful(PERFECT.launches)), NO_LIMITS)
    assert found.letter == "C"
    assert found.reasons[0].startswith("1 of 10 blocks began although its canary is 20.0% slower")


@pytest.mark.parametrize(("before", "after", "jump"), [(100.0, 20.0, "-81"), (0.0, 3601.0, "+3600")])
def test_a_clock_that_jumped_costs_the_a(before: float, after: float, jump: str) -> None:
    (first, *rest) = PERFECT.launches
    moved = replace(
        first.record, before=replace(KNOWN, taken_at=before), after=replace(KNOWN, taken_at=after), wall_s=1.0
    )
    found = _grade(replace(PERFECT, launches=(replace(first, record=moved), *rest)), NO_LIMITS)
    assert found.letter == "B"
    assert found.reasons == (f"the device's clock jumped by {jump} s in 1 of 10 launches",)


def test_every_finding_has_a_cap() -> None:
    worst = replace(
        KNOWN,
        thermal_status=2,
        temperatures={"cpu": 99.0},
        clock_caps_mhz={"cpu0": 1.0},
        governor="ondemand",
        battery_percent=1.0,
        taken_at=9e9,
    )
    launches = _doubtful(_with(worst).launches)
    found = dict(findings(launches, replace(PHONE, clock_share=0.9, pinned_clocks=True), FACTS))
    assert len(found) == 7
    assert found.keys() <= CAPS.keys()
