"""The summary on a terminal."""

from dataclasses import replace

import pytest

from harness.core.outcome import Failed
from harness.core.variant import BuildFailed
from reports.text import summary
from reports.view import document
from tests.support.hostile import HOSTILE_NAMES
from tests.support.results import (
    LINUX,
    NO_DEVICE,
    a_campaign,
    a_campaign_result,
    a_cell_result,
    a_device,
    a_rich_campaign_result,
    a_told_cell_result,
    some_unmeasured_cells,
)

RICH = document(a_rich_campaign_result())


def test_the_answer_comes_first() -> None:
    assert summary(RICH, 120).startswith("digits on local cpu: int8 takes 0.410")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    assert max(len(line) for line in summary(RICH, width).splitlines()) <= width


def test_columns_that_do_not_fit_follow_below() -> None:
    lines = summary(RICH, 80).splitlines()
    heads = [line.split() for line in lines if line.startswith("  variant")]
    assert [head[-1] for head in heads] == 2 * ["cpu", "cpu:2", "cpu/builtin"]


def test_a_cell_on_another_api_is_marked() -> None:
    text = summary(document(a_campaign_result([a_cell_result("float32"), a_told_cell_result()])), 120)
    assert "XNNPACK 48/65 in 18 Interpreter" in text


def test_one_device_stands_in_the_title_and_several_in_the_columns() -> None:
    cells = [a_cell_result("float32"), a_cell_result("float32", device="other")]
    assert "digits on local, latency against the source:" in summary(document(a_campaign_result(cells[:1])), 80)
    assert "  local cpu  " in summary(document(a_campaign_result(cells)), 80)


def test_broken_outputs_are_shouted() -> None:
    assert "OUTPUTS BROKEN: digits sparse-75+int8" in summary(RICH, 100)


def test_a_simulated_device_is_the_first_thing_said() -> None:
    made = document(a_campaign_result(devices=[a_device(simulated=True)]))
    assert summary(made, 80).startswith("SIMULATED: times are made up.")


def test_an_unfinished_campaign_says_so_first() -> None:
    cells = [a_cell_result("float32"), a_cell_result("int8", outcome=Failed(error="not measured"))]
    made = document(a_campaign_result(cells, campaign=replace(a_campaign(), ended_at=None)))
    told = "not finished: 1 of 2 cells have times so far; `run_bench.py run --resume` does the rest"
    assert summary(made, 100).splitlines()[0] == told


def test_a_finished_campaign_says_nothing_of_it() -> None:
    assert "not finished" not in summary(RICH, 100)


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


def test_a_campaign_that_failed_everywhere_fits_a_screen() -> None:
    cells = [
        a_cell_result(variant, model=f"model-{number}", outcome=Failed(error=f"model-{number}: " + "no such op " * 90))
        for number in range(20)
        for variant in ("float32", "int8")
    ]
    unbuilt = [BuildFailed(model="m", name=f"sparse-{n}", recipe="sparse-50", error="long " * 300) for n in range(40)]
    lines = summary(document(a_campaign_result(cells, builds_failed=unbuilt)), 100).splitlines()
    assert len(lines) <= 28
    assert lines[-1] == "and 54 more in the report"


def test_a_variant_without_any_time_is_no_row_of_the_matrix() -> None:
    cells = [a_cell_result("float32"), a_cell_result("int8", outcome=Failed(error="crashed"))]
    lines = summary(document(a_campaign_result(cells)), 100).splitlines()
    assert [line for line in lines if "int8" in line] == ["failed: digits int8 cpu: crashed"]


def test_a_doubt_of_the_whole_device_is_said_once() -> None:
    cells = [a_cell_result(name, grade="B", grade_reasons=("no sensor",)) for name in ("float32", "int8", "uint8")]
    assert summary(document(a_campaign_result(cells)), 100).count("no sensor") == 1


UNMEASURED = document(a_campaign_result(some_unmeasured_cells()))


def test_what_no_device_can_run_says_why_and_what_is_known() -> None:
    lines = " ".join(summary(UNMEASURED, 100).split())
    assert lines.startswith(
        f"program on local cpu: not measured: {NO_DEVICE}; the smallest whose outputs are kept is int8, "
        "28 % of float32's size int8: top1 0.969, source 0.975 (n = 360), computed by reference (Linux)"
    )


def test_what_no_device_can_run_has_its_sizes_and_fidelity_in_one_table() -> None:
    lines = summary(UNMEASURED, 100).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("  variant"))
    assert " ".join(lines[head].split()) == "variant size outputs zip weights SNR top-1 same accuracy target"
    assert (
        " ".join(lines[head + 4].split()) == "sparse-75+int8 70.0 kB BROKEN 32.5 kB 4 of 4 4.0 dB 41.0 % 41.0 % iOS18"
    )
    assert max(map(len, lines)) <= 100


def test_figures_of_a_reference_are_never_called_latencies() -> None:
    text = " ".join(summary(UNMEASURED, 100).split())
    assert f"program on local, sizes and fidelity by {LINUX}, not latencies ({NO_DEVICE}):" in text
    assert "latency against" not in text


def test_the_reason_that_stands_above_the_figures_is_not_listed_again() -> None:
    assert "skipped" not in summary(UNMEASURED, 100)
