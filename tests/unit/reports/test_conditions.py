"""The state of a device in columns and lines."""

from dataclasses import asdict
from typing import Any

import pytest

from harness.core.device import Conditions
from reports.conditions import columns, known_lines, readings


def a_pair(before: Conditions, after: Conditions | None = None) -> dict[str, Any]:
    return {"before": asdict(before), "after": asdict(after or before)}


NOTHING = Conditions(taken_at=0.0)


def test_a_figure_that_no_device_knows_has_no_column() -> None:
    assert "Battery" not in columns([a_pair(NOTHING)])
    assert "Battery" in columns([a_pair(NOTHING), a_pair(Conditions(taken_at=0.0, battery_percent=80.0))])


def test_a_cell_that_was_not_measured_has_no_figures() -> None:
    assert columns([{"before": None, "after": None}]) == columns([])
    assert known_lines({"before": None, "after": None}) == []


def test_unknown_is_said_and_never_zero() -> None:
    (reading,) = readings(a_pair(NOTHING), ["Load"])
    assert (reading.text, reading.value) == ("unknown", None)


def test_a_figure_that_changed_shows_both() -> None:
    pair = a_pair(Conditions(taken_at=0.0, battery_percent=82.0), Conditions(taken_at=1.0, battery_percent=79.0))
    assert known_lines(pair) == [["Battery", "82 % → 79 %"]]


def test_a_figure_that_stayed_shows_once() -> None:
    assert known_lines(a_pair(Conditions(taken_at=0.0, governor="performance"))) == [["Governor", "performance"]]


def test_a_figure_that_was_lost_says_so() -> None:
    assert known_lines(a_pair(Conditions(taken_at=0.0, power="mains"), NOTHING)) == [["Power", "mains → unknown"]]


@pytest.mark.parametrize(("status", "text"), [(0, "0 (none)"), (3, "3 (severe)"), (6, "6 (shutdown)"), (9, "9")])
def test_a_thermal_status_has_the_name_that_android_gives_it(status: int, text: str) -> None:
    assert known_lines(a_pair(Conditions(taken_at=0.0, thermal_status=status))) == [["Thermal status", text]]


def test_what_was_prepared_and_refused_stands_by_name() -> None:
    moment = Conditions(taken_at=0.0, prepared={"fixed performance mode": "on", "governor": "refused: no root"})
    assert known_lines(a_pair(moment)) == [["Prepared", "fixed performance mode: on; governor: refused: no root"]]


def test_the_hottest_zone_and_the_slowest_core_stand_for_all() -> None:
    moment = Conditions(
        taken_at=0.0,
        temperatures={"a": 40.0, "b": 51.0},
        clocks_mhz={"cpu0": 600.0, "cpu4": 2400.0},
        clock_caps_mhz={"cpu0": 1800.0, "cpu4": 2256.0},
    )
    assert known_lines(a_pair(moment)) == [
        ["Hottest zone, °C", "51"],
        ["Slowest core, MHz", "600"],
        ["Lowest clock cap, MHz", "1800"],
    ]
