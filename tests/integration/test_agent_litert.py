"""The agent with the LiteRT of this environment: what each pass measures, and what LiteRT refuses in words."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.agent.runtimes import LITERT, find_runtime
from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import encode
from devices.transport.bundle import bundle_file
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import FailureKind, LaunchFailure, LaunchRecord, MeasureSettings, Pass
from harness.sources import tflite_ops as ops
from harness.sources.tflite import read_graph
from harness.sources.tflite_writer import ModelWriter
from tests.support import models
from tests.support.models import write_model

from .agent_bench import QUICK, an_order, measured, wait_for_end

MB = 1_000_000


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachedDevice]:
    folder = tmp_path_factory.mktemp("agents")
    with local_device(agent=LocalAgent(agents=folder, leases=folder)) as entered:
        yield entered


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models"), models.tiny_cnn())


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that XNNPACK takes in three parts."""
    return write_model(tmp_path_factory.mktemp("models"), models.partitioned())


def refused(device: AttachedDevice, model: Path, **order: object) -> LaunchFailure:
    outcome = device.launch(an_order(model, **order))  # type: ignore[arg-type]
    assert isinstance(outcome, LaunchFailure), outcome
    assert (outcome.kind, outcome.exit_code) == (FailureKind.ERROR, 1)
    return outcome


def seen_in_ops(record: LaunchRecord) -> list[str]:
    assert record.ops is not None, record.ops_unavailable
    return [op.type for op in record.ops.ops if op.kernels]


def test_a_latency_pass_gives_one_raw_sample_for_each_inference(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn)))
    assert len(record.samples_ns) == len(record.cpu_ns) == len(record.starts_ns) == QUICK.inferences
    assert min(record.samples_ns) > 0


def test_inferences_follow_one_another(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn)))
    ends = [start + wall for start, wall in zip(record.starts_ns, record.samples_ns, strict=True)]
    assert all(end <= start for end, start in zip(ends, record.starts_ns[1:], strict=False))
    assert ends[-1] < record.wall_s * 1e9


def test_the_first_inference_is_in_the_warm_up(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn)))
    assert record.load.first_ns == record.warmup_ns[0]
    assert len(record.warmup_ns) >= 5
    assert record.load.compile_ns > 0


def test_of_a_long_warm_up_both_ends_are_kept(device: AttachedDevice, cnn: Path) -> None:
    long = MeasureSettings(inferences=3, warmup_inferences=5000, warmup_s=0.0)
    record = measured(device.launch(an_order(cnn, settings=long)))
    assert len(record.warmup_ns) == 1000
    assert record.warmup_ns[0] == record.load.first_ns


def test_a_launch_measures_what_its_clocks_cost(device: AttachedDevice, cnn: Path) -> None:
    clock_ns = measured(device.launch(an_order(cnn))).clock_ns
    assert clock_ns is not None
    assert 0 < clock_ns < 50_000


def test_a_launch_stops_early_with_what_it_has(device: AttachedDevice, cnn: Path) -> None:
    endless = MeasureSettings(inferences=10**9, max_launch_s=0.3, warmup_s=0.0)
    record = measured(device.launch(an_order(cnn, settings=endless)))
    assert 0 < len(record.samples_ns) < 10**9
    assert record.wall_s < 5


@pytest.mark.parametrize(
    ("unit", "backend"),
    [("cpu", "xnnpack"), ("cpu:2", "xnnpack"), ("cpu/xnnpack", "xnnpack"), ("cpu/builtin", "builtin")],
)
def test_a_unit_is_observed_with_its_backend(device: AttachedDevice, cnn: Path, unit: str, backend: str) -> None:
    record = measured(device.launch(an_order(cnn, unit=unit)))
    assert (record.observed, record.backend) == (ComputeUnit(kind="cpu", backend=backend), backend)


def test_a_backend_nobody_has_is_refused_by_name(device: AttachedDevice, cnn: Path) -> None:
    assert "cpu/abacus is no unit of this agent" in refused(device, cnn, unit="cpu/abacus").message


def test_a_unit_that_the_agent_has_not_is_refused(device: AttachedDevice, cnn: Path) -> None:
    assert "all is no unit of this agent; it has cpu" in refused(device, cnn, unit="all").message


def test_an_edge_tpu_without_its_library_is_refused(device: AttachedDevice, cnn: Path) -> None:
    assert "measure it as a device of kind edgetpu" in refused(device, cnn, unit="edgetpu").message


def test_a_record_names_the_runtime_and_holds_the_conditions(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn)))
    assert record.runtime == "LiteRT 2.3.0"
    assert record.before.taken_at <= record.started_at <= record.after.taken_at


def test_an_ops_pass_keys_every_kernel_to_an_operator(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn, pass_=Pass.OPS, graph=read_graph(cnn))))
    assert seen_in_ops(record) == ["CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert record.ops is not None
    assert record.ops.runs == QUICK.inferences


def test_an_ops_pass_shows_what_a_delegate_left_to_the_runtime(device: AttachedDevice, split: Path) -> None:
    record = measured(device.launch(an_order(split, pass_=Pass.OPS, graph=read_graph(split))))
    assert record.backend == "xnnpack+builtin"
    assert record.ops is not None
    assert record.ops.partitions == 3


def test_an_ops_pass_of_builtin_kernels_has_no_delegate(device: AttachedDevice, split: Path) -> None:
    record = measured(device.launch(an_order(split, pass_=Pass.OPS, unit="cpu/builtin", graph=read_graph(split))))
    assert record.backend == "builtin"
    assert record.ops is not None
    assert {op.placed_on for op in record.ops.ops} == {"cpu/builtin"}


def test_how_much_of_a_model_a_delegate_took_is_not_guessed(device: AttachedDevice, split: Path) -> None:
    assert measured(device.launch(an_order(split))).backend is None


def test_an_ops_pass_without_a_graph_says_why_there_are_no_operators(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn, pass_=Pass.OPS)))
    assert (record.ops, record.ops_unavailable) == (
        None,
        "per-op unavailable: the order had no graph to key events to",
    )


def test_only_an_ops_pass_has_operators(device: AttachedDevice, cnn: Path) -> None:
    record = measured(device.launch(an_order(cnn, graph=read_graph(cnn))))
    assert (record.ops, record.ops_unavailable, record.memory) == (None, None, None)


def test_a_memory_pass_counts_bytes_above_the_start(device: AttachedDevice, cnn: Path) -> None:
    memory = measured(device.launch(an_order(cnn, pass_=Pass.MEMORY))).memory
    assert memory is not None
    assert memory.after_load is not None
    assert memory.after_run is not None
    assert 0 < memory.after_load <= memory.after_run < 30 * MB


def test_a_memory_pass_holds_the_weights(device: AttachedDevice, tmp_path: Path, cnn: Path) -> None:
    wide = write_model(tmp_path, a_wide_layer())
    small, large = (measured(device.launch(an_order(m, pass_=Pass.MEMORY))).memory for m in (cnn, wide))
    assert small is not None
    assert large is not None
    assert small.after_run is not None
    assert large.after_run is not None
    # XNNPACK keeps a repacked copy; the file's own pages are mapped besides.
    assert large.after_run - small.after_run > 16 * MB


def test_a_memory_pass_has_a_peak_and_its_parts(device: AttachedDevice, cnn: Path) -> None:
    memory = measured(device.launch(an_order(cnn, pass_=Pass.MEMORY))).memory
    assert memory is not None
    assert memory.after_run is not None
    assert memory.anonymous is not None
    assert memory.file_backed is not None
    assert abs(memory.anonymous + memory.file_backed - memory.after_run) < MB
    assert memory.peak is None or memory.peak > memory.after_run - MB


def test_profiling_stays_out_of_a_memory_pass(device: AttachedDevice, cnn: Path) -> None:
    memory = measured(device.launch(an_order(cnn, pass_=Pass.MEMORY))).memory
    assert memory is not None
    assert memory.after_run is not None
    assert memory.after_run < 60 * MB  # the profiler's ring alone is 68 MB


@pytest.mark.parametrize("pass_", list(Pass))
@pytest.mark.parametrize(
    "content",
    [
        models.no_inputs(),
        models.no_signature(),
        models.several_inputs(),
        models.several_signatures(),
        models.open_signature_shape(),
        models.int8_io(),
        models.hostile_names(),
        models.many_ops(200),
    ],
    ids=["no inputs", "no signature", "inputs", "signatures", "open signature", "int8", "hostile names", "200 ops"],
)
def test_unusual_models_are_measured(device: AttachedDevice, tmp_path: Path, content: bytes, pass_: Pass) -> None:
    assert len(measured(device.launch(an_order(write_model(tmp_path, content), pass_=pass_))).samples_ns) > 0


def raw(folder: Path, name: str, count: int) -> Path:
    path = folder / name
    path.write_bytes(np.linspace(-1, 1, count, dtype=np.float32).tobytes())
    return path


def test_inputs_are_fed_in_the_order_of_the_graph(device: AttachedDevice, tmp_path: Path) -> None:
    model = write_model(tmp_path, models.several_inputs())
    inputs = tuple(raw(tmp_path, name, count) for name, count in (("b", 2), ("c", 3), ("a", 4)))
    measured(device.launch(an_order(model, inputs=inputs)))


def test_an_input_of_the_wrong_size_is_refused(device: AttachedDevice, cnn: Path, tmp_path: Path) -> None:
    message = refused(device, cnn, inputs=(raw(tmp_path, "short", 3),)).message
    assert message.endswith("short has 12 bytes, input 0 takes 768")


def test_a_wrong_number_of_inputs_is_refused(device: AttachedDevice, cnn: Path, tmp_path: Path) -> None:
    file = raw(tmp_path, "x", 192)
    assert "2 input files for a model with 1 inputs" in refused(device, cnn, inputs=(file, file)).message


def test_an_input_file_that_is_missing_is_refused(device: AttachedDevice, cnn: Path, tmp_path: Path) -> None:
    assert "No such file" in refused(device, cnn, inputs=(tmp_path / "gone",)).message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "LiteRtCreateModelFromFile"),
        (b"this is text and no model", "LiteRtCreateModelFromFile"),
        (models.custom_op(), "Encountered unresolved custom op: NoSuchOperator"),
        (models.no_graph(), "no signature and no main graph"),
        (models.open_shape(), "input 0 has the shape [0, 4]: fix it when converting"),
    ],
    ids=["empty", "text", "unknown operator", "no graph", "open shape"],
)
def test_what_litert_cannot_run_is_refused_in_words(
    device: AttachedDevice, tmp_path: Path, content: bytes, words: str
) -> None:
    assert words in refused(device, write_model(tmp_path, content)).message


def test_a_model_that_is_missing_is_refused(device: AttachedDevice, tmp_path: Path) -> None:
    assert "LiteRtCreateModelFromFile: file cannot be read" in refused(device, tmp_path / "gone.tflite").message


def test_a_launch_dies_when_nobody_listens_any_more(tmp_path: Path, cnn: Path) -> None:
    """Without a supervisor's kill and without a parent's death: only its stdin ends."""
    endless = MeasureSettings(inferences=10**9, max_launch_s=600.0)
    order = encode(an_order(cnn, settings=endless))
    runtime = find_runtime(LITERT, sys.path)
    task = {
        "v": 3,
        "id": "1",
        "order": order,
        "runtime": runtime,
        "path": list[str](),
        "caches": None,
        "cores": None,
        "proof": None,
    }
    argv = (sys.executable, "-I", "-S", str(bundle_file(tmp_path)), "launch")
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
        assert b'"begun"' in process.stdout.readline()
        process.stdin.close()
        assert wait_for_end(process.pid)
        assert process.wait(5) == -9


def test_a_model_that_crashes_litert_costs_one_launch(device: AttachedDevice, cnn: Path, tmp_path: Path) -> None:
    """About one flipped bit in four makes LiteRT 2.3 die by a signal; the first that does is enough."""
    chance = random.Random(1)
    content = cnn.read_bytes()
    for _ in range(60):
        outcome = device.launch(an_order(write_model(tmp_path, flip_a_bit(content, chance)), deadline_s=5.0))
        if isinstance(outcome, LaunchFailure) and outcome.kind is FailureKind.CRASH:
            break
    assert isinstance(outcome, LaunchFailure)
    assert outcome.exit_code in {128 + signal.SIGSEGV, 128 + signal.SIGBUS, 128 + signal.SIGABRT, 128 + signal.SIGFPE}
    assert measured(device.launch(an_order(cnn))).samples_ns


def flip_a_bit(content: bytes, chance: random.Random) -> bytes:
    flipped = bytearray(content)
    flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def a_wide_layer() -> bytes:
    """4096 by 1024 weights: 16.8 MB."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 1024))
    weights = np.random.default_rng(0).normal(size=(4096, 1024)).astype(np.float32)
    y = ops.fully_connected(graph, x, weights, None, name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()
