"""benchmark_model where the runtime has no profiler: its double, which really runs LiteRT, and tools that misbehave."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from harness.core.deadline import Deadline
from harness.core.launch import Api, Pass
from harness.sources.tflite import read_graph
from tests.support import models
from tests.support.models import write_model
from tests.support.native_tools import plant_tool

from .agent_bench import an_order, measured, wait_for_end

REASON = "per-op unavailable: the Interpreter API has no profiler"


@contextmanager
def interpreted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None = None) -> Iterator[AttachedDevice]:
    """A device whose launches go through the Interpreter, with the tool on its PATH. script: instead of the double."""
    plant_tool(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with local_device(
        agent=LocalAgent(agents=tmp_path / "agents", leases=tmp_path / "leases"), route=Route(api=Api.INTERPRETER)
    ) as device:
        yield device


@pytest.mark.parametrize("unit", ["cpu", "cpu/builtin", "cpu:2"])
def test_operators_of_the_interpreter_are_those_of_benchmark_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    model = write_model(tmp_path, models.tiny_cnn())
    with interpreted(tmp_path, monkeypatch) as device:
        record = measured(device.launch(an_order(model, unit=unit, pass_=Pass.OPS, graph=read_graph(model))))
    assert record.ops is not None, record.ops_unavailable
    assert [op.name for op in record.ops.ops if op.index >= 0] == [node.name for node in read_graph(model).nodes]
    place = "cpu/builtin" if unit == "cpu/builtin" else "cpu/xnnpack"
    assert {op.placed_on for op in record.ops.ops if op.latency_ns} == {place}


def test_who_measured_them_is_told_and_the_samples_are_the_runtime_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path, models.tiny_cnn())
    with interpreted(tmp_path, monkeypatch) as device:
        record = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model))))
    assert record.ops is not None, record.ops_unavailable
    sha256 = hashlib.sha256((tmp_path / "bin/benchmark_model").read_bytes()).hexdigest()
    assert record.ops.measured_by == (
        f"operators by benchmark_model sha256:{sha256}, whose LiteRT/TensorFlow version is not told, on inputs of its "
        "own making; the runtime has none: the Interpreter API has no profiler"
    )
    assert record.runtime.startswith("LiteRT ")
    assert len(record.samples_ns) == 8


def test_the_facts_name_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with interpreted(tmp_path, monkeypatch) as device:
        told = device.facts.details["benchmark_model"]
    tool = tmp_path / "bin/benchmark_model"
    assert told == f"{tool}, sha256:{hashlib.sha256(tool.read_bytes()).hexdigest()}"


MISBEHAVIOUR = {
    "an error": ("echo 'ERROR: Failed to load model' >&2; exit 1", "it ended with exit code 1: Failed to load model"),
    "garbage": ("echo many words", "it wrote no profile; it may be too old for --op_profiling_output_mode=proto"),
    "a crash": ("kill -SEGV $$", "it died by signal 11"),
    "endless output": ("exec yes tool", "it said more than 4 MiB"),
    "a hang": ("exec sleep 60", "it did not end in 1.6 s"),
    "nonsense for a profile": (
        'for w; do case "$w" in *output_file=*) echo nonsense >"${w#*=}";; esac; done',
        "it is no BenchmarkProfilingData",
    ),
    "a profile without runtime info": (
        'for w; do case "$w" in --op_profiling_output_file=*) echo nonsense >"${w#*=}";; esac; done',
        "it wrote no runtime info; it may be too old for --export_model_runtime_info",
    ),
}


@pytest.mark.parametrize(("script", "words"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_a_tool_that_misbehaves_costs_the_operators_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    model = write_model(tmp_path, models.tiny_cnn())
    with interpreted(tmp_path, monkeypatch, script) as device:
        order = an_order(model, pass_=Pass.OPS, graph=read_graph(model), deadline_s=4.0)
        record = measured(device.launch(order))
    assert record.ops is None
    assert str(record.ops_unavailable).startswith(f"{REASON}; ")
    assert words in str(record.ops_unavailable)


def test_a_tool_that_runs_is_ended_with_its_launch_s_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "tool.pid"
    model = write_model(tmp_path, models.tiny_cnn())
    with interpreted(tmp_path, monkeypatch, f"echo $$ >{note}.part; mv {note}.part {note}; exec sleep 60") as device:
        order = an_order(model, pass_=Pass.OPS, graph=read_graph(model))
        launching = threading.Thread(target=device.launch, args=(order,))
        launching.start()
        deadline = Deadline(20.0)
        while not note.exists():
            assert not deadline.expired, "the tool was not started"
            time.sleep(0.01)
        tool = int(note.read_text())
        supervisor = psutil.Process(tool).parents()[1]
        os.kill(supervisor.pid, signal.SIGKILL)
        launching.join(20.0)
        assert wait_for_end(tool)


def test_without_the_tool_it_is_said_that_it_would_do(tmp_path: Path) -> None:
    model = write_model(tmp_path, models.tiny_cnn())
    with local_device(
        agent=LocalAgent(agents=tmp_path / "agents", leases=tmp_path / "leases"), route=Route(api=Api.INTERPRETER)
    ) as device:
        record = measured(device.launch(an_order(model, pass_=Pass.OPS, graph=read_graph(model))))
    assert record.ops_unavailable == f"{REASON}; benchmark_model would do: docs/boards.md"
