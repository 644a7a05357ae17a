"""The summary on a terminal."""

import pytest

from reports.text import summary
from reports.view import document
from tests.support.hostile import HOSTILE_NAMES
from tests.support.results import a_campaign_result, a_cell_result, a_device, a_rich_campaign_result

RICH = document(a_rich_campaign_result())


def test_the_answer_comes_first() -> None:
    assert summary(RICH, 120).startswith("digits on local cpu: int8 takes 0.410")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    assert max(len(line) for line in summary(RICH, width).splitlines()) <= width


def test_columns_that_do_not_fit_follow_below() -> None:
    lines = summary(RICH, 80).splitlines()
    assert sum("local cpu/builtin" in line and "takes" not in line for line in lines) == 2


def test_broken_outputs_are_shouted() -> None:
    assert "OUTPUTS BROKEN: digits sparse-75+int8" in summary(RICH, 100)


def test_a_simulated_device_is_the_first_thing_said() -> None:
    made = document(a_campaign_result(devices=[a_device(simulated=True)]))
    assert summary(made, 80).startswith("SIMULATED: times are made up.")


def test_failures_are_named() -> None:
    text = summary(RICH, 120)
    assert "failed: models/torn.tflite: truncated" in text
    assert "invalid: mobilenet_v2 int8 cpu:2: ran on cpu/builtin" in text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_reaches_the_terminal_with_control_characters(name: str) -> None:
    made = document(a_campaign_result([a_cell_result("float32"), a_cell_result(name, recipe="int8")]))
    assert all(line.isprintable() for line in summary(made, 80).splitlines())


def test_an_empty_campaign_has_an_empty_summary() -> None:
    assert summary(document(a_campaign_result([])), 80) == ""
