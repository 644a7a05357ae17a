"""`edgetpu` through TFLite's external delegate, with FakeEdgeTpu at its end: no Edge TPU has been measured yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, edgetpu_device
from devices.runtimes.agent_launch import DelegateLibrary, Route
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation, FailureKind, LaunchFailure, OpTable, Pass
from harness.sources.reading import read_graph
from tests.support import models
from tests.support.edgetpu_models import build_fake_edgetpu, compile_like, quantised_cnn
from tests.support.models import write_model
from tests.support.old_runtime import TFLITE_RUNTIME, old_python

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
    words = "per-op unavailable: the Interpreter API has no profiler; benchmark_model would do: docs/boards.md"
    assert record.ops_unavailable == words


def test_a_compiled_model_on_the_processor_says_where_it_runs(device: AttachedDevice, compiled: Path) -> None:
    assert "runs on the unit edgetpu alone" in refused(device, compiled, unit="cpu")


def test_a_library_that_is_missing_is_named(tmp_path: Path, compiled: Path) -> None:
    with opened(tmp_path, tmp_path / "libedgetpu.so.1") as device:
        message = refused(device, compiled)
    assert f"{tmp_path}/libedgetpu.so.1 cannot be loaded" in message
    assert "install libedgetpu1-std" in message


def test_a_file_that_is_no_library_is_named(tmp_path: Path, compiled: Path) -> None:
    (tmp_path / "libedgetpu.so.1").write_text("no library")
    with opened(tmp_path, tmp_path / "libedgetpu.so.1") as device:
        assert "take the one of the board's own architecture" in refused(device, compiled)


def test_an_accelerator_that_is_not_there_is_said_with_the_signs_looked_for(
    tmp_path: Path, library: Path, compiled: Path
) -> None:
    with opened(tmp_path, library, device="none") as device:
        message = refused(device, compiled)
    assert message.startswith(f"Failed to load delegate from {library}: no Edge TPU is attached: no /dev/apex_*")


def test_a_model_for_a_newer_runtime_says_which_two_versions(tmp_path: Path, library: Path, compiled: Path) -> None:
    with opened(tmp_path, library, requires="15") as device:
        message = refused(device, compiled)
    assert "compiled for runtime version 15 and the device's libedgetpu is version 14" in message
    assert "edgetpu_compiler -m 14" in message


def test_a_link_that_breaks_in_an_inference_is_its_own_error(tmp_path: Path, library: Path, compiled: Path) -> None:
    with opened(tmp_path, library, fail_invoke="3") as device:
        assert "the USB link broke" in refused(device, compiled)


def test_another_process_may_not_measure_on_it_meanwhile(
    tmp_path_factory: pytest.TempPathFactory, library: Path
) -> None:
    folder = tmp_path_factory.mktemp("leases")
    with opened(folder, library, device="usb:1"):
        names = {path.name.rsplit("-", 1)[0] for path in folder.glob("*.lock")}
    assert names == {"local", "local_edgetpu_usb_1"}


@pytest.fixture(scope="module")
def old_device(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Iterator[AttachedDevice]:
    folder = tmp_path_factory.mktemp("old")
    route = Route(runtime=TFLITE_RUNTIME, delegate=DelegateLibrary(library=str(library), options={"device": "usb"}))
    agent = LocalAgent(agents=folder, leases=folder, python=old_python())
    with edgetpu_device("old coral", agent, route) as entered:
        yield entered


def per_op(device: AttachedDevice, model: Path) -> OpTable:
    order = an_order(model, unit="edgetpu", pass_=Pass.OPS, graph=read_graph(model))
    record = measured(device.launch(order))
    assert record.ops is not None, record.ops_unavailable
    return record.ops


def test_per_op_has_one_row_for_the_program_and_those_of_the_processor_around_it(
    old_device: AttachedDevice, split: Path
) -> None:
    table = per_op(old_device, split)
    assert [(op.type, op.placed_on) for op in table.ops] == [
        ("CUSTOM:edgetpu-custom-op", "edgetpu/libedgetpu"),
        ("FULLY_CONNECTED", "cpu/builtin"),
        ("SOFTMAX", "cpu/builtin"),
    ]
    assert not table.approximate


def test_a_slow_program_shows_in_its_own_row(tmp_path: Path, library: Path, split: Path) -> None:
    route = Route(runtime=TFLITE_RUNTIME, delegate=DelegateLibrary(library=str(library), options={"delay_us": "3000"}))
    agent = LocalAgent(agents=tmp_path, leases=tmp_path, python=old_python())
    with edgetpu_device("slow", agent, route) as device:
        program, *others = per_op(device, split).ops
    assert program.latency_ns is not None
    assert program.latency_ns >= 3e6
    assert all((op.latency_ns or 0) < program.latency_ns for op in others)
