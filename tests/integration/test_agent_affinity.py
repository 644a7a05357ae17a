"""Launches that are bound to one kind of cores, by the real agent. The kinds are planted, the cores are real."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent
from devices.runtimes.litert_ops import op_table
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.launch import LaunchFailure, Pass
from tests.support.models import tiny_cnn, write_model
from tests.support.planted_boards import A53, A76, arm_cpuinfo, clocks, plant

from .agent_bench import an_order, measured

pytestmark = pytest.mark.skipif(os.cpu_count() == 1, reason="one core has one kind")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[AttachedDevice]:
    """Core 0 is little, core 1 is big, and middle is switched off."""
    cores = {"proc/cpuinfo": arm_cpuinfo([A53, A76]), **clocks([1500000, 2400000])}
    agent = LocalAgent(agents=tmp_path / "agents", root=Path(plant(tmp_path / "root", cores)))
    facts = DeviceFacts(name="board", family="linux", simulated=False)
    with AttachedDevice(facts, lambda: agent.connect("board"), nullcontext, op_table) as entered:
        yield entered


@pytest.mark.parametrize(("unit", "pass_"), [("cpu@little", Pass.LATENCY), ("cpu@big:2", Pass.OPS)])
def test_a_bound_launch_is_observed_on_its_cluster(
    device: AttachedDevice, tmp_path: Path, unit: str, pass_: Pass
) -> None:
    model = write_model(tmp_path, tiny_cnn())
    record = measured(device.launch(an_order(model, unit=unit, pass_=pass_)))
    assert record.observed is not None
    assert record.observed.cluster == ComputeUnit.parse(unit).cluster


def test_a_launch_of_no_cluster_is_observed_on_none(device: AttachedDevice, tmp_path: Path) -> None:
    record = measured(device.launch(an_order(write_model(tmp_path, tiny_cnn()), unit="cpu")))
    assert record.observed is not None
    assert record.observed.cluster is None


def test_a_cluster_that_the_device_has_not_is_refused(device: AttachedDevice, tmp_path: Path) -> None:
    failure = device.launch(an_order(write_model(tmp_path, tiny_cnn()), unit="cpu@middle"))
    assert isinstance(failure, LaunchFailure)
    assert failure.message == "no cluster middle here; there are: little, big"


def test_cores_that_cannot_be_bound_fail_the_launch_in_words(tmp_path: Path) -> None:
    cores = {"proc/cpuinfo": arm_cpuinfo([A53] * 500 + [A76]), **clocks([1500000] * 500 + [2400000])}
    agent = LocalAgent(agents=tmp_path / "agents", root=Path(plant(tmp_path / "root", cores)))
    facts = DeviceFacts(name="board", family="linux", simulated=False)
    with AttachedDevice(facts, lambda: agent.connect("board"), nullcontext, op_table) as device:
        failure = device.launch(an_order(write_model(tmp_path, tiny_cnn()), unit="cpu@big"))
    assert isinstance(failure, LaunchFailure)
    assert "cannot be bound to the cores [500]" in failure.message
