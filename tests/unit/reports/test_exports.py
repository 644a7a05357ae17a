"""CSV, Markdown, trace and JSON."""

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from reports.exports import csv_text, json_text, markdown_text, trace_text
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
    some_ops,
    some_unmeasured_cells,
)

RICH = document(a_rich_campaign_result())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cells(made: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made["cells"]
    return found


def hostile(name: str) -> dict[str, Any]:
    return document(a_campaign_result([a_cell_result("float32"), a_cell_result(name, recipe="int8")]))


def test_csv_has_a_line_for_each_cell() -> None:
    assert len(rows(csv_text(RICH))) == len(cells(RICH))


def test_csv_names_nested_values_with_a_dot() -> None:
    first = rows(csv_text(RICH))[0]
    assert float(first["latency_ns.median"]) == cells(RICH)[0]["latency_ns"]["median"]


def test_csv_has_columns_for_api_and_delegate() -> None:
    row = rows(csv_text(document(a_campaign_result([a_told_cell_result()]))))[0]
    assert (row["api"], row["delegation.taken"], row["delegation.total"]) == ("interpreter", "48", "65")


def test_markdown_marks_what_a_delegate_left_and_another_api() -> None:
    text = markdown_text(document(a_campaign_result([a_cell_result("float32"), a_told_cell_result()])))
    assert "XNNPACK 48/65 in 18, Interpreter" in text


def test_markdown_of_an_unfinished_campaign_says_so_first() -> None:
    text = markdown_text(document(a_campaign_result(campaign=replace(a_campaign(), ended_at=None))))
    told = "> **not finished: 6 of 6 cells have times so far**; `run_bench.py run --resume` does the rest."
    assert text.splitlines()[2] == told


def test_csv_leaves_missing_values_empty() -> None:
    failed = next(row for row in rows(csv_text(RICH)) if row["outcome"] == "failed")
    assert (failed["latency_ns.median"], failed["vs_float.latency_ratio"]) == ("", "")


def test_csv_has_no_column_for_a_part_that_is_split_up() -> None:
    assert "latency_ns" not in rows(csv_text(RICH))[0]


def test_csv_of_nothing_is_a_line_break() -> None:
    assert csv_text(document(a_campaign_result([]))) == "\n"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_csv_gives_a_hostile_name_back(name: str) -> None:
    text = csv_text(hostile(name))
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert read[1]["variant"] == cells(hostile(name))[1]["variant"]


def test_json_gives_the_document_back() -> None:
    assert json.loads(json_text(RICH)) == RICH


def test_json_is_ascii_whatever_the_names() -> None:
    assert json_text(hostile(HOSTILE_NAMES[6])).isascii()


def test_markdown_leads_with_the_answer() -> None:
    lines = markdown_text(RICH).splitlines()
    assert lines[2] == "## Which variant to ship"
    assert lines[4].startswith("- digits on local `cpu`: **int8 takes 0.410")


def test_markdown_shouts_broken_outputs() -> None:
    assert "**OUTPUTS BROKEN**: digits sparse-75+int8" in markdown_text(RICH)


def test_markdown_says_that_a_device_is_simulated() -> None:
    made = document(a_campaign_result(devices=[a_device(simulated=True)]))
    assert "**SIMULATED: times are made up.**" in markdown_text(made)


def test_markdown_names_what_failed() -> None:
    assert "models/torn.tflite: models/torn.tflite: truncated" in markdown_text(RICH)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_markdown_of_a_hostile_name_holds_no_markup(name: str) -> None:
    text = markdown_text(hostile(name))
    assert "<" not in text.replace("\\<", "")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_the_trace_holds_each_launch_at_its_time() -> None:
    events = json.loads(trace_text(RICH))["traceEvents"]
    launches = [event for event in events if event["ph"] == "X" and event["pid"] == 0]
    assert len(launches) == sum(len(cell["launches"]) for cell in cells(RICH))
    assert min(event["ts"] for event in launches) == 0


def test_the_trace_lays_operators_end_to_end() -> None:
    events = json.loads(trace_text(RICH))["traceEvents"]
    ops = [event for event in events if event["ph"] == "X" and event["pid"] == 1]
    assert all(a["ts"] + a["dur"] == pytest.approx(b["ts"]) for a, b in pairwise(ops))


def test_the_trace_has_no_event_without_a_length() -> None:
    table = some_ops(6)
    coarse = replace(table, ops=(replace(table.ops[0], latency_ns=0.0), *table.ops[1:]), resolution_ns=1000.0)
    made = document(a_campaign_result([a_cell_result("float32", ops=coarse)]))
    events = json.loads(trace_text(made))["traceEvents"]
    assert all(event["dur"] > 0 for event in events if event["ph"] == "X")


def test_markdown_says_a_shared_doubt_once() -> None:
    cells = [a_cell_result(name, grade="B", grade_reasons=("no sensor",)) for name in ("float32", "int8")]
    assert markdown_text(document(a_campaign_result(cells))).count("no sensor") == 1


def test_the_trace_leaves_out_operators_without_a_time() -> None:
    timed = [op for op in cells(RICH)[0]["ops"] if op["latency_ns"] is not None]
    events = json.loads(trace_text(RICH))["traceEvents"]
    assert len([event for event in events if event["ph"] == "X" and event["pid"] == 1]) == len(timed)


def test_markdown_of_what_no_device_can_run_is_of_sizes_and_fidelity() -> None:
    lines = markdown_text(document(a_campaign_result(some_unmeasured_cells()))).splitlines()
    told = f"Not measured: {NO_DEVICE}. These are sizes and fidelity by {LINUX}, not latencies."
    at = lines.index(told)
    assert lines[at + 2] == "| variant | outputs | size | zip | weights | SNR | top-1 same | accuracy | target |"
    assert lines[at + 6] == (
        "| int8 | \u2713 outputs kept | 70.0 kB (28 %) | 65.1 kB | 4 of 4 | 27.0 dB | 96.9 % | 96.9 % (top1) | iOS18 |"
    )


def test_markdown_says_once_why_a_model_was_not_measured() -> None:
    text = markdown_text(document(a_campaign_result(some_unmeasured_cells())))
    assert text.count(NO_DEVICE) == 2  # with the answer and above the table
    assert "Left out" not in text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_markdown_of_a_hostile_name_that_no_device_can_run_holds_no_markup(name: str) -> None:
    text = markdown_text(document(a_campaign_result(some_unmeasured_cells(("float32", name), model=name, reason=name))))
    assert "<" not in text.replace("\\<", "")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
