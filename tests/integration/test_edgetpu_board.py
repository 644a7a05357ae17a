"""The Edge TPU of a board behind a real sshd, with FakeEdgeTpu at its end: the board and the Edge TPU are doubles."""

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.opening import open_devices
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceSpec, EdgeTpuChoice
from harness.core.launch import LaunchFailure, LaunchOrder
from harness.core.ports import Device
from tests.support.boards import board_spec
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, quantised_cnn
from tests.support.models import tiny_cnn, write_model
from tests.support.sshd import sshd

from .agent_bench import an_order, measured


def edgetpu_spec(board: DeviceSpec, library: Path, **options: str) -> DeviceSpec:
    choice = EdgeTpuChoice(accelerator="usb", library=str(library), options=options)
    return dataclasses.replace(board, kind="edgetpu", edgetpu=choice)


def an_attempt(model: Path, unit: str) -> LaunchOrder:
    """A board starts none twice."""
    return dataclasses.replace(an_order(model, unit=unit), attempt=uuid.uuid4().hex)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeviceSpec]:
    with sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield board_spec(server, "coral")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fake_edgetpu(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(scope="module")
def device(board: DeviceSpec, library: Path) -> Iterator[Device]:
    (opened,) = open_devices([edgetpu_spec(board, library)], dry_run=False)
    with opened as entered:
        yield entered


def test_it_is_an_edge_tpu_with_the_boards_processor_and_its_double_is_named(device: Device) -> None:
    facts = device.facts
    assert (facts.name, facts.family) == ("coral (FakeEdgeTpu)", "edgetpu")
    assert {ComputeUnit(kind="cpu"), ComputeUnit(kind="edgetpu")} <= set(facts.units)
    assert facts.details["double"].startswith("FakeEdgeTpu")
    assert str(facts.machine).startswith("board ")


def test_a_compiled_model_is_observed_on_it(device: Device, tmp_path: Path) -> None:
    model = write_model(tmp_path, compile_like(quantised_cnn()).content)
    record = measured(device.launch(an_attempt(model, "edgetpu")))
    assert str(record.observed) == "edgetpu/libedgetpu"


def test_the_boards_processor_measures_the_float_model(device: Device, tmp_path: Path) -> None:
    record = measured(device.launch(an_attempt(write_model(tmp_path, tiny_cnn()), "cpu")))
    assert str(record.observed) == "cpu/xnnpack"


def test_an_accelerator_that_is_not_there_is_said_over_the_link(
    board: DeviceSpec, library: Path, tmp_path: Path
) -> None:
    model = write_model(tmp_path, compile_like(quantised_cnn()).content)
    (opened,) = open_devices([edgetpu_spec(board, library, device="none")], dry_run=False)
    with opened as entered:
        outcome = entered.launch(an_attempt(model, "edgetpu"))
    assert isinstance(outcome, LaunchFailure)
    assert "no Edge TPU is attached" in outcome.message
