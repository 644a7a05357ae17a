"""A campaign over devices of several families, in every view."""

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from reports.exports import csv_text, json_text, markdown_text, trace_text
from reports.html import render
from reports.tables import matrices, shipped, ships
from reports.text import summary
from reports.view import document
from tests.support.fleet import ABSENT, GONE, NO_FLOAT, PLACES, Place, a_fleet_result
from tests.support.hostile import HOSTILE_NAMES
from tests.support.measurements import MS

FLEET = document(a_fleet_result())
INT8_ALONE = Place(device="rock5", family="linux", unit="npu", base_ns=1.1 * MS, recipes=("int8", "sparse-75+int8"))
WITH_NPU = document(a_fleet_result((*PLACES, INT8_ALONE)))
TOLD = [cell for cell in FLEET["cells"] if cell["device"] == "pixel8"]


def headline(device: str, unit: str, model: str = "mobilenet_v2", fleet: dict[str, Any] = FLEET) -> dict[str, Any]:
    places = [h for h in fleet["headlines"] if (h["model"], h["device"], h["compute_unit"]) == (model, device, unit)]
    found: dict[str, Any]
    (found,) = places
    return found


def test_there_is_an_answer_for_each_unit_of_each_device() -> None:
    places = [(h["device"], h["compute_unit"]) for h in FLEET["headlines"] if h["model"] == "digits"]
    assert len(places) == len(set(places)) == 10
    assert {("rock5", "cpu@big:4"), ("coral", "edgetpu"), ("pixel8", "npu/nnapi")} <= set(places)


def test_units_of_one_device_do_not_share_an_answer() -> None:
    assert headline("pixel8", "gpu")["variant"] == "dynamic-int8"
    assert headline("pixel8", "npu/nnapi")["variant"] == "int8"


def test_what_an_edge_tpu_runs_is_compared_with_the_source_on_the_processor_beside_it() -> None:
    found = headline("coral", "edgetpu")
    assert (found["state"], found["variant"], found["compared_on"]) == ("faster", "int8", "cpu")
    assert found["latency_ratio"] == pytest.approx(0.047, abs=0.002)
    assert found["source_elsewhere"] is None


@pytest.mark.parametrize("text", [markdown_text(FLEET), summary(FLEET, 1000), json_text(FLEET)])
def test_what_it_is_compared_with_stands_in_every_text(text: str) -> None:
    assert "compared with float32 on cpu" in text


def test_what_it_is_compared_with_stands_in_the_answer_and_the_matrix_of_the_page() -> None:
    page = render(FLEET)
    assert "compared with float32 on <code>cpu</code>" in page
    assert "over the source on <code>cpu</code>" in page


def test_where_nothing_on_an_edge_tpu_is_faster_the_source_on_the_processor_is_the_answer() -> None:
    slow = replace(next(place for place in PLACES if place.unit == "edgetpu"), base_ns=900 * MS)
    cpu = next(place for place in PLACES if (place.device, place.unit) == ("coral", "cpu"))
    fleet = document(a_fleet_result((cpu, slow)))
    found = headline("coral", "edgetpu", fleet=fleet)
    assert (found["state"], found["variant"], found["compared_on"]) == ("source", "float32", "cpu")
    assert found["sentence"].startswith("float32 on cpu: no variant")
    assert found["cell"] not in shipped(fleet)


def test_a_unit_that_the_source_cannot_run_on_has_the_fastest_as_its_answer() -> None:
    found = headline("rock5", "npu", fleet=WITH_NPU)
    assert (found["state"], found["variant"], found["latency_ratio"]) == ("uncompared", "int8", None)
    assert found["compared_on"] is None


def test_an_answer_without_a_source_stands_beside_the_source_on_another_unit() -> None:
    found = headline("rock5", "npu", fleet=WITH_NPU)
    assert (found["source_elsewhere"]["variant"], found["source_elsewhere"]["unit"]) == ("float32", "cpu@big:4")
    assert found["source_elsewhere"]["ratio"] == pytest.approx(0.081, abs=0.004)
    assert "two medians, not paired launches" in found["caveats"][0]
    assert "nothing to compare with" in render(WITH_NPU)


@pytest.mark.parametrize(("device", "unit"), [("coral", "edgetpu"), ("rock5", "npu")])
def test_broken_outputs_are_no_answer_wherever_the_source_ran(device: str, unit: str) -> None:
    rows = ships(WITH_NPU)["digits"]
    (row,) = [each for each in rows if (each.headline["device"], each.headline["compute_unit"]) == (device, unit)]
    assert row.cell is not None
    assert row.cell["variant"] == "int8"


def test_what_to_ship_stands_device_by_device() -> None:
    rows = ships(FLEET)["mobilenet_v2"]
    assert [row.headline["device"] for row in rows if row.first] == ["local", "rock5", "coral", "pixel8", "oldphone"]


def test_columns_of_one_device_stand_together() -> None:
    assert matrices(FLEET)[0].devices == (("local", 2), ("rock5", 2), ("coral", 2), ("pixel8", 3), ("oldphone", 1))


def test_percentiles_that_no_tool_told_are_null() -> None:
    latency = TOLD[0]["latency_ns"]
    assert (latency["p10"], latency["p90"], latency["p99"]) == (None, None, None)
    assert (latency["raw"], latency["resolution"], latency["samples"]) == (False, 1000.0, 500)
    assert latency["median"] > 0


def test_what_a_tool_told_of_a_launch_stands_under_its_own_names() -> None:
    told = TOLD[0]["launches"][0]["told"]
    assert {"p5_ns", "p95_ns", "median_ns", "min_ns", "max_ns", "mean_ns", "std_ns", "count"} <= told.keys()


def test_launches_with_samples_say_so() -> None:
    local = FLEET["cells"][0]
    assert (local["latency_ns"]["raw"], local["latency_ns"]["resolution"]) == (True, None)
    assert local["launches"][0]["told"] is None


def test_a_device_that_was_given_up_says_why_for_each_cell() -> None:
    lost = [cell for cell in FLEET["cells"] if cell["device"] == "oldphone" and cell["outcome"] == "failed"]
    assert {cell["reason"] for cell in lost} == {GONE}


@pytest.mark.parametrize("text", [markdown_text(FLEET), summary(FLEET, 200), render(FLEET)])
def test_views_name_the_absent_device(text: str) -> None:
    assert "galaxy" in text
    assert "no such serial" in text


def test_the_terminal_gives_a_shared_reason_once_with_the_devices() -> None:
    lines = [line for line in summary(FLEET, 1000).splitlines() if GONE[:40] in line]
    assert len([line for line in lines if line.startswith("failed: ")]) == 1
    assert "oldphone" in lines[-1]


def test_csv_has_empty_places_where_nobody_knows() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(FLEET))))
    row = next(row for row in rows if row["device"] == "pixel8")
    assert (row["latency_ns.p99"], row["latency_ns.raw"]) == ("", "False")
    assert json.loads(row["conditions.before.prepared"])["stay awake"] == "on"


def test_the_trace_has_launches_of_tools_and_no_operators_of_theirs() -> None:
    events = json.loads(trace_text(FLEET))["traceEvents"]
    assert any(event.get("args", {}).get("name") == "pixel8 gpu" for event in events)
    assert not any("pixel8" in event["args"]["name"] for event in events if event["name"] == "process_name")


def test_an_edge_tpu_says_what_it_cannot_run() -> None:
    assert NO_FLOAT in render(FLEET)


@pytest.mark.parametrize("text", ["37021FDJH", "Cortex-X3", "UQ1A.240105.004", "fixed performance mode: on"])
def test_the_page_shows_what_a_phone_tells(text: str) -> None:
    assert text in render(FLEET)


def test_the_json_holds_what_devices_tell() -> None:
    (pixel,) = [device for device in FLEET["devices"] if device["name"] == "pixel8"]
    assert (pixel["serial"], pixel["clusters"][2]["part"]) == ("37021FDJH", "Cortex-X3")
    before = TOLD[0]["conditions"]["before"]
    assert (before["battery_percent"], before["thermal_status"]) == (82.0, 0)


class Elements(HTMLParser):
    """How many elements of each kind a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: dict[str, int] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the parser's)
        self.kinds[tag] = self.kinds.get(tag, 0) + 1


@pytest.fixture(scope="module")
def plain() -> dict[str, int]:
    """The elements of a page with names that mean no harm."""
    return Elements(render(document(a_fleet_result(models=("digits",), hostile="harmless")))).kinds


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_word_of_a_device_is_markup(name: str, plain: dict[str, int]) -> None:
    hostile = document(a_fleet_result(models=("digits",), hostile=name))
    page = render(hostile)
    assert Elements(page).kinds == plain
    assert "\u202e" not in page
    json.loads(json_text(hostile))
    assert all(line.isprintable() for line in summary(hostile, 100).splitlines())


def test_absent_is_said_as_the_device_said_it() -> None:
    assert ABSENT in summary(FLEET, 1000)
