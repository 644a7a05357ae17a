"""`edgetpu` through TFLite's external delegate, with FakeEdgeTpu at its end: no Edge TPU has been measured yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, edgetpu_device
from devices.runtimes.agent_launch import DelegateLibrary, Route
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation, FailureKind, LaunchFailure, Pass
from tests.support import models
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, quantised_cnn
from tests.support.models import write_model

from .agent_bench import an_order, measured

EDGETPU = ComputeUnit(kind="edgetpu")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fake_edgetpu(tmp_path_factory.mktemp("vendor"))


def opened(folder: Path, library: Path, python: Path | None = None, **options: str) -> AttachedDevice:
    route = Route(delegate=DelegateLibrary(library=str(library), options=options))
    return edgetpu_device("coral", LocalAgent(agents=folder, leases=folder, python=python), route)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[AttachedDevice]:
    with opened(tmp_path_factory.mktemp("agents"), library, device="usb") as entered:
        yield entered


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models"), compile_like(quantised_cnn()).content)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    content = compile_like(quantised_cnn(), unsupported=("FULLY_CONNECTED",)).content
    return write_model(tmp_path_factory.mktemp("models"), content)


def refused(device: AttachedDevice, model: Path, unit: str = "edgetpu") -> str:
    outcome = device.launch(an_order(model, unit=unit))
    assert isinstance(outcome, LaunchFailure), outcome
    assert outcome.kind is FailureKind.ERROR
    return outcome.message


def test_it_is_offered_beside_the_processor(device: AttachedDevice) -> None:
    assert EDGETPU in device.facts.units
    assert ComputeUnit(kind="cpu") in device.facts.units


def test_the_double_is_named_in_the_facts(device: AttachedDevice) -> None:
    assert device.facts.details["double"].startswith("FakeEdgeTpu")


def test_a_model_that_was_compiled_whole_is_observed_on_it(device: AttachedDevice, compiled: Path) -> None:
    record = measured(device.launch(an_order(compiled, unit="edgetpu")))
    assert record.observed == ComputeUnit.parse("edgetpu/libedgetpu")
    assert record.delegation == Delegation(delegate="edgetpu", full=True, taken=1, total=1, partitions=1)


def test_the_library_that_ran_is_named_with_its_runtime_version(device: AttachedDevice, compiled: Path) -> None:
    adapter = str(measured(device.launch(an_order(compiled, unit="edgetpu"))).adapter)
    assert "RuntimeVersion(14)" in adapter
    assert "libfake_edgetpu.so.1" in adapter


def test_operators_left_to_the_processor_are_not_counted_as_its_own(device: AttachedDevice, split: Path) -> None:
    record = measured(device.launch(an_order(split, unit="edgetpu")))
    assert record.observed == ComputeUnit.parse("edgetpu/libedgetpu")
    assert record.delegation == Delegation(delegate="edgetpu", full=False, taken=1, total=3, partitions=1)


def test_a_model_that_was_not_compiled_is_observed_on_the_processor(device: AttachedDevice, tmp_path: Path) -> None:
    record = measured(device.launch(an_order(write_model(tmp_path, quantised_cnn()), unit="edgetpu")))
    assert record.observed == ComputeUnit(kind="cpu")
    assert record.delegation is not None
    assert record.delegation.taken == 0


def test_the_same_device_measures_the_float_model_on_its_processor(device: AttachedDevice, tmp_path: Path) -> None:
    record = measured(device.launch(an_order(write_model(tmp_path, models.tiny_cnn()), unit="cpu")))
    assert record.observed == ComputeUnit.parse("cpu/xnnpack")


def test_per_op_without_a_profiler_says_so(device: AttachedDevice, compiled: Path) -> None:
    record = measured(device.launch(an_order(compiled, unit="edgetpu", pass_=Pass.OPS)))
    assert record.ops is None
    assert record.ops_unavailable == "per-op unavailable: the Interpreter API has no profiler"
