"""One campaign over four devices at once, three of which are doubles: what is measured, what stands in the report."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.benches import beside
from tests.support.command import run_bench
from tests.support.four_devices import BOARD, COMPILED, CORAL, LOCAL, PASSWORD, PHONE, FourDevices, four_devices
from tests.support.phones import SERIAL

Cell = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What came of it. said is all that the command printed."""

    four: FourDevices
    bench: Path
    code: int
    said: str
    page: str
    document: dict[str, Any]

    @property
    def measured(self) -> list[Cell]:
        return [cell for cell in self.document["cells"] if cell["outcome"] == "measured"]

    def cell(self, device: str, variant: str, unit: str) -> Cell:
        wanted = (device, variant, unit)
        cells = self.document["cells"]
        (found,) = [c for c in cells if (c["device"], c["variant"], c["compute_unit"]) == wanted]
        return dict(found)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("four")
    bench = beside(built, folder / "bench")
    with four_devices(folder) as four, pytest.MonkeyPatch.context() as patch:
        for name, value in four.environment.items():
            patch.setenv(name, value)
        ran = run_bench("run", four.config, "--bench", bench)
        shown = run_bench("report", "--format", "json", "-o", "-", "--bench", bench)
        assert shown.returncode == 0, ran.stderr + shown.stderr
        (page,) = (bench / "reports").glob("*.html")
        yield Campaign(
            four=four,
            bench=bench,
            code=ran.returncode,
            said=ran.stdout + ran.stderr,
            page=page.read_text(),
            document=json.loads(shown.stdout),
        )


def test_all_of_it_comes_about(campaign: Campaign) -> None:
    assert campaign.code == 0, campaign.said


def test_every_cell_is_measured_or_skipped_with_a_reason(campaign: Campaign) -> None:
    cells = campaign.document["cells"]
    assert len(cells) == 4 * 2 * 3
    assert all(cell["outcome"] == "measured" or (cell["outcome"] == "skipped" and cell["reason"]) for cell in cells)


@pytest.mark.parametrize("variant", ["float32", "int8"])
@pytest.mark.parametrize("device", [LOCAL, BOARD, CORAL, PHONE])
def test_each_device_measures_on_its_processor_and_is_seen_there(campaign: Campaign, device: str, variant: str) -> None:
    cell = campaign.cell(device, variant, "cpu")
    assert (cell["outcome"], cell["observed_unit"]) == ("measured", "cpu/xnnpack")
    assert len(cell["launches"]) == 2


@pytest.mark.parametrize("device", [LOCAL, BOARD, CORAL, PHONE])
def test_each_device_measures_operators(campaign: Campaign, device: str) -> None:
    ops = campaign.cell(device, "int8", "cpu")["ops"]
    assert sum(op["latency_ns"] or 0 for op in ops) > 0


def test_the_compiled_model_is_measured_on_the_edge_tpu_alone(campaign: Campaign) -> None:
    on_it = campaign.cell(CORAL, COMPILED, "edgetpu")
    assert (on_it["outcome"], on_it["observed_unit"]) == ("measured", "edgetpu/libedgetpu")
    assert on_it["vs_float"]["unit"] == "cpu"
    assert {cell["device"] for cell in campaign.measured if cell["compute_unit"] == "edgetpu"} == {CORAL}


def test_per_op_of_the_compiled_model_is_said_to_be_unavailable(campaign: Campaign) -> None:
    assert "no profiler" in campaign.cell(CORAL, COMPILED, "edgetpu")["ops_unavailable"]


def test_the_devices_measure_at_the_same_time(campaign: Campaign) -> None:
    """One after another there would be three changes of device among all launches in their order."""
    begun = sorted((launch["started_at"], cell["device"]) for cell in campaign.measured for launch in cell["launches"])
    changes = sum(before != after for (_, before), (_, after) in pairwise(begun))
    assert changes > 3, begun


@pytest.mark.parametrize("family", ["linux", "edgetpu", "android"])
def test_the_json_holds_every_family(campaign: Campaign, family: str) -> None:
    assert family in {device["family"] for device in campaign.document["devices"]}


@pytest.mark.parametrize("name", [LOCAL, BOARD, CORAL, PHONE])
def test_each_device_stands_in_page_json_and_terminal(campaign: Campaign, name: str) -> None:
    assert name in campaign.page
    assert name in {device["name"] for device in campaign.document["devices"]}
    assert f"digits on {name} cpu: " in campaign.said


def test_a_board_and_a_phone_tell_who_they_are(campaign: Campaign) -> None:
    serials = {device["name"]: device["serial"] for device in campaign.document["devices"]}
    assert serials[PHONE] == SERIAL
    assert serials[BOARD]


def test_the_double_of_the_edge_tpu_says_so_where_it_stands(campaign: Campaign) -> None:
    (coral,) = [device for device in campaign.document["devices"] if device["name"] == CORAL]
    assert coral["details"]["double"].startswith("FakeEdgeTpu, which computes on the processor")
    assert coral["details"]["double"] in campaign.page


def test_nothing_is_left_running_on_any_device(campaign: Campaign) -> None:
    assert campaign.four.running() == []


def test_nothing_is_left_switched_on(campaign: Campaign) -> None:
    state = campaign.four.bed.state
    assert (state / "stay_on").read_text().strip() == "0"
    assert (state / "fixed_performance").read_text().split() == ["false"]
    assert campaign.four.left_on() == []


def test_no_secret_stands_in_report_log_or_store(campaign: Campaign) -> None:
    four = campaign.four
    secrets = [PASSWORD, (four.cache / "weighbridge" / "secret").read_text()]
    secrets += [line for server in (four.board, four.coral) for line in _key_lines(server.client_key)]
    kept = [file.read_bytes() for file in campaign.bench.rglob("*") if file.is_file()]
    for secret in secrets:
        assert secret not in campaign.said
        assert not any(secret.encode() in content for content in kept)


def _key_lines(key: Path) -> list[str]:
    return [line for line in key.read_text().splitlines() if not line.startswith("-----") and len(line) > 20]
