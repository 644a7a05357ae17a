"""`npu` through LiteRT's dispatch interface, with a double at its end: no NPU has been measured yet."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import Delegation, FailureKind, LaunchFailure, Pass
from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import ModelWriter
from tests.support import models
from tests.support.command import run_bench
from tests.support.dispatched import build_fake_dispatch, dispatched
from tests.support.models import write_model
from tests.support.run_unit import run_unit

from .agent_bench import an_order, measured

NPU = ComputeUnit(kind="npu")
_RUN = """
models:
  - {{path: plain.tflite, variants: [float32]}}
  - {{path: compiled.tflite, of: plain}}
devices: [{{kind: local, dispatch: {dispatch}}}]
units: [cpu, npu]
measure: {{launches: 2, inferences: 3, warmup_s: 0, cold_starts: 0}}
"""


@pytest.fixture(scope="module")
def dispatch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fake_dispatch(tmp_path_factory.mktemp("vendor")).parent


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, dispatch: Path) -> Iterator[AttachedDevice]:
    folder = tmp_path_factory.mktemp("agents")
    with local_device("board", LocalAgent(agents=folder, leases=folder), Route(dispatch=str(dispatch))) as entered:
        yield entered


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models"), dispatched())


def refused(device: AttachedDevice, model: Path) -> LaunchFailure:
    outcome = device.launch(an_order(model, unit="npu"))
    assert isinstance(outcome, LaunchFailure), outcome
    assert outcome.kind is FailureKind.ERROR
    return outcome


def test_it_is_offered_where_a_dispatch_library_is_configured(device: AttachedDevice) -> None:
    assert NPU in device.facts.units


def test_the_program_of_the_library_is_what_runs(model: Path, dispatch: Path) -> None:
    ran = run_unit(model, {"kind": "npu"}, dispatch=str(dispatch))
    assert ran["outputs"] == [2 * value for value in ran["inputs"]]


def test_a_model_that_the_library_takes_whole_is_observed_on_the_npu(device: AttachedDevice, model: Path) -> None:
    record = measured(device.launch(an_order(model, unit="npu")))
    assert record.observed == ComputeUnit.parse("npu/dispatch")
    assert record.delegation == Delegation(delegate="dispatch", full=True)


def test_per_op_is_unavailable_and_said_so(device: AttachedDevice, model: Path) -> None:
    record = measured(device.launch(an_order(model, unit="npu", pass_=Pass.OPS)))
    assert record.ops is None
    assert record.ops_unavailable == "per-op unavailable: to LiteRT an NPU's program is one piece"


def test_what_the_library_does_not_take_is_refused_and_not_run_on_the_processor(
    device: AttachedDevice, tmp_path: Path
) -> None:
    assert "cannot take every operator" in refused(device, write_model(tmp_path, dispatched("ABS"))).message


def test_a_model_that_was_not_compiled_for_an_npu_is_refused(device: AttachedDevice, tmp_path: Path) -> None:
    assert "cannot take every operator" in refused(device, write_model(tmp_path, models.tiny_cnn())).message


def test_a_library_that_is_none_fails_the_launch(tmp_path: Path, model: Path) -> None:
    (tmp_path / "libLiteRtDispatch_Broken.so").write_text("no library")
    agent = LocalAgent(agents=tmp_path, leases=tmp_path)
    with local_device("board", agent, Route(dispatch=str(tmp_path))) as device:
        assert "No usable Dispatch runtime found" in refused(device, model).message


def test_a_folder_without_a_dispatch_library_is_named(tmp_path: Path, model: Path) -> None:
    agent = LocalAgent(agents=tmp_path, leases=tmp_path)
    with local_device("board", agent, Route(dispatch=str(tmp_path))) as device:
        assert refused(device, model).message == f"no libLiteRtDispatch*.so in {tmp_path}, the `dispatch` of the device"


def _dense(width: int) -> bytes:
    """What `dispatched` might have been compiled from: as many numbers in and out."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, width))
    graph.output(ops.fully_connected(graph, x, np.eye(width, dtype=np.float32), None, name="y"))
    return writer.pack()


def test_a_compiled_model_of_other_inputs_is_its_own_failure(tmp_path: Path, dispatch: Path) -> None:
    write_model(tmp_path, _dense(4), "plain.tflite")
    write_model(tmp_path, dispatched(), "compiled.tflite")
    (tmp_path / "bench.yaml").write_text(_RUN.format(dispatch=dispatch))
    ran = run_bench("variants", tmp_path / "bench.yaml", "--bench", tmp_path / "bench", "--json")
    told = json.loads(ran.stdout)
    assert [variant["variant"] for variant in told["variants"]] == ["float32"]
    assert "inputs have shapes" in told["failed"][0]["error"]


def test_a_compiled_model_goes_through_a_run_beside_its_source(tmp_path: Path, dispatch: Path) -> None:
    write_model(tmp_path, _dense(8), "plain.tflite")
    write_model(tmp_path, dispatched(), "compiled.tflite")
    (tmp_path / "bench.yaml").write_text(_RUN.format(dispatch=dispatch))
    ran = run_bench("run", tmp_path / "bench.yaml", "--bench", tmp_path / "bench")
    shown = json.loads(run_bench("report", "--format", "json", "-o", "-", "--bench", tmp_path / "bench").stdout)
    cells = {(cell["variant"], cell["compute_unit"]): cell for cell in shown["cells"]}
    compiled = cells["compiled", "npu"]
    assert (compiled["outcome"], compiled["observed_unit"], compiled["fidelity"]) == ("measured", "npu/dispatch", None)
    assert "DISPATCH_OP" in cells["compiled", "cpu"]["reason"]
    assert ran.returncode == 3
