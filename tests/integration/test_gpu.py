"""`gpu/software`: LiteRT's WebGPU accelerator on SwiftShader, the driver in software that Debian's chromium brings.

No hardware GPU has been measured by these tests, nor by anybody yet.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.agent import vulkan
from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation, FailureKind, LaunchFailure, Pass
from harness.sources.samples import sample_model
from harness.sources.tflite import read_graph
from tests.support import unusual
from tests.support.models import write_model
from tests.support.run_unit import run_unit

from .agent_bench import QUICK, an_order, measured

UNIT = "gpu/software"
SOFTWARE = ComputeUnit.parse(UNIT)
PATIENT_S = 120.0  # a program is compiled for every operator, on a machine that others use


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_model("digits", tmp_path_factory.mktemp("cache")).path


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachedDevice]:
    folder = tmp_path_factory.mktemp("agents")
    with local_device(agent=LocalAgent(agents=folder, leases=folder)) as entered:
        yield entered


def test_a_software_adapter_is_offered_by_its_name(device: AttachedDevice) -> None:
    assert SOFTWARE in device.facts.units, "tests need a Vulkan driver: sh tests/install_system_packages.sh"
    assert [name for name in device.facts.adapters if name.endswith("(software)")]


def test_the_adapter_that_ran_is_recorded(device: AttachedDevice, digits: Path) -> None:
    record = measured(device.launch(an_order(digits, unit=UNIT, deadline_s=PATIENT_S)))
    assert f"{record.adapter} (software)" in device.facts.adapters


def test_a_model_that_it_takes_whole_is_observed_on_it(device: AttachedDevice, digits: Path) -> None:
    record = measured(device.launch(an_order(digits, unit=UNIT, deadline_s=PATIENT_S)))
    assert (record.observed, record.backend) == (SOFTWARE, "software")
    assert record.delegation == Delegation(delegate="webgpu", full=True)
    assert len(record.samples_ns) == QUICK.inferences


def test_its_outputs_are_those_of_the_processor(digits: Path) -> None:
    environment = vulkan.survey().environment(True, os.environ)
    assert environment is not None
    there = run_unit(digits, {"kind": "gpu", "backend": "software"}, environment=environment)["outputs"]
    here = run_unit(digits, {"kind": "cpu", "threads": 1})["outputs"]
    assert np.abs(here).max() > 1
    np.testing.assert_allclose(there, here, atol=1e-4)


def test_per_op_is_unavailable_and_said_so(device: AttachedDevice, digits: Path) -> None:
    order = an_order(digits, unit=UNIT, pass_=Pass.OPS, graph=read_graph(digits), deadline_s=PATIENT_S)
    record = measured(device.launch(order))
    assert record.ops is None
    assert record.ops_unavailable == "per-op unavailable: LiteRT's GPU accelerator has no profiler"


def test_memory_is_measured(device: AttachedDevice, digits: Path) -> None:
    record = measured(device.launch(an_order(digits, unit=UNIT, pass_=Pass.MEMORY, deadline_s=PATIENT_S)))
    assert record.memory is not None
    assert (record.memory.peak or 0) > digits.stat().st_size


def test_what_it_does_not_take_is_refused_by_name_and_not_run_on_the_processor(
    device: AttachedDevice, tmp_path: Path
) -> None:
    model = write_model(tmp_path, unusual.counting_while())
    outcome = device.launch(an_order(model, unit=UNIT, deadline_s=PATIENT_S))
    assert isinstance(outcome, LaunchFailure), outcome
    assert outcome.kind is FailureKind.ERROR
    assert "WHILE: Operation is not supported." in outcome.message


def test_gpu_without_more_words_is_never_a_software_adapter(
    tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (software, *_) = (each["driver"] for each in vulkan.survey().adapters if each["software"])
    monkeypatch.setenv("VK_DRIVER_FILES", str(software))
    with local_device(agent=LocalAgent(agents=tmp_path, leases=tmp_path)) as device:
        assert ComputeUnit.parse("gpu") not in device.facts.units
        outcome = device.launch(an_order(digits, unit="gpu"))
    assert isinstance(outcome, LaunchFailure)
    assert outcome.message == "no hardware adapter was found; `devices` says what was looked for"
