"""A launch on the wire: the order written, and what was said made into an outcome."""

import json
from pathlib import Path
from typing import Any

import pytest

from devices.agent import protocol
from devices.runtimes.agent_launch import Ending, Route, encode, outcome
from devices.runtimes.events import ProfileEvent
from devices.runtimes.litert_ops import op_table
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.core.launch import (
    Api,
    Delegation,
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchRecord,
    LoadTimes,
    MeasureSettings,
    MemoryReading,
    OpTable,
    Pass,
)
from harness.core.model import Graph
from harness.sources.tflite import read_graph
from tests.support import models
from tests.support.models import write_model

NO_NODES = Graph(nodes=(), inputs=())
NOTHING = OpTable(ops=(), coverage=None, mapping_cost=0.0, approximate=False, partitions=0, runs=0)


def an_order(pass_: Pass = Pass.LATENCY, unit: str = "cpu", graph: Graph | None = None) -> LaunchOrder:
    return LaunchOrder(
        attempt="a1",
        variant=Path("/m/v.tflite"),
        variant_digest="d",
        pass_=pass_,
        unit=ComputeUnit.parse(unit),
        settings=MeasureSettings(),
        deadline_s=5.0,
        inputs=(Path("/m/x.bin"),),
        seed=3,
        graph=graph,
    )


def an_ending(**changes: Any) -> Ending:  # noqa: ANN401 (any field of Ending)
    fields: dict[str, Any] = {
        "exit_code": 0,
        "reason": "exit",
        "message": "",
        "wall_s": 1.5,
        "stderr_tail": "",
        "before": Conditions(taken_at=1.0),
        "after": Conditions(taken_at=2.0),
    }
    return Ending(**{**fields, **changes})


def said(kind: str, **fields: object) -> dict[str, Any]:
    return {"v": protocol.VERSION, "id": "1", "say": kind, **fields}


BEGUN = said("begun", started_at=1.2, runtime="LiteRT 2.3.0", api="compiled-model", fallback=None)


def taken_by(delegate: str | None, *, full: bool | None) -> dict[str, object]:
    return {"delegate": delegate, "full": full, "taken": None, "total": None, "partitions": None}


LOADED = said(
    "loaded", environment_ns=10, compile_ns=20, first_ns=30, delegation=taken_by("xnnpack", full=True), adapter=None
)
PARTLY = said(
    "loaded", environment_ns=10, compile_ns=20, first_ns=30, delegation=taken_by(None, full=False), adapter=None
)
SAMPLES = said("samples", wall_ns=[5, 6], cpu_ns=[4, 5], starts_ns=[0, 7], warmup_ns=[30], clock_ns=2)
DONE = said("done")
EVENT = {"tag": "Copy", "type": 8, "first": 0, "second": 0, "elapsed_us": [1, 2]}
PROFILE = said("profile", events=[EVENT], runs=2, dropped=0, unavailable=None, tool=None)


def record(*messages: dict[str, Any], order: LaunchOrder | None = None) -> LaunchRecord:
    made = outcome(order or an_order(), messages, an_ending(), lambda _, __: NOTHING)
    assert isinstance(made, LaunchRecord), made
    return made


def failure(*messages: dict[str, Any], order: LaunchOrder | None = None, **ending: object) -> LaunchFailure:
    made = outcome(order or an_order(), messages, an_ending(**ending), op_table)
    assert isinstance(made, LaunchFailure), made
    return made


def test_an_order_on_the_wire_is_what_the_agent_accepts() -> None:
    wire = json.loads(json.dumps(encode(an_order(unit="cpu/builtin:4"))))
    assert protocol.check_order(wire) == wire
    assert wire["unit"] == {"kind": "cpu", "backend": "builtin", "threads": 4, "cluster": None}


def test_paths_on_the_wire_are_absolute() -> None:
    order = LaunchOrder(
        attempt="a",
        variant=Path("v.tflite"),
        variant_digest="d",
        pass_=Pass.LATENCY,
        unit=ComputeUnit(kind="cpu"),
        settings=MeasureSettings(),
        deadline_s=1.0,
    )
    assert encode(order)["variant"] == str(Path.cwd() / "v.tflite")


def test_what_was_said_is_the_record() -> None:
    assert record(BEGUN, LOADED, SAMPLES, DONE) == LaunchRecord(
        attempt="a1",
        pass_=Pass.LATENCY,
        started_at=1.2,
        wall_s=1.5,
        runtime="LiteRT 2.3.0",
        backend="xnnpack",
        observed=ComputeUnit(kind="cpu", backend="xnnpack"),
        load=LoadTimes(environment_ns=10, compile_ns=20, first_ns=30),
        samples_ns=(5, 6),
        cpu_ns=(4, 5),
        starts_ns=(0, 7),
        warmup_ns=(30,),
        before=Conditions(taken_at=1.0),
        after=Conditions(taken_at=2.0),
        clock_ns=2,
        api=Api.COMPILED_MODEL,
        delegation=Delegation(delegate="xnnpack", full=True),
    )


def test_memory_is_taken_over_as_it_was_said() -> None:
    reading = {"after_load": 1, "after_run": 2, "peak": None, "anonymous": 3, "file_backed": 4, "method": "proc"}
    made = record(BEGUN, LOADED, SAMPLES, said("memory", **reading), DONE, order=an_order(Pass.MEMORY))
    assert made.memory == MemoryReading(**reading)  # type: ignore[arg-type]


def test_events_go_to_the_mapping_with_the_order_s_graph() -> None:
    asked: list[object] = []

    def map_ops(graph: Graph, events: object) -> OpTable:
        asked.extend((graph, events))
        return NOTHING

    outcome(an_order(Pass.OPS, graph=NO_NODES), (BEGUN, LOADED, SAMPLES, PROFILE, DONE), an_ending(), map_ops)
    assert asked == [NO_NODES, (ProfileEvent(tag="Copy", type=8, first=0, second=0, elapsed_us=(1, 2)),)]


def test_a_profile_that_could_not_be_had_keeps_its_reason() -> None:
    none = said("profile", events=[], runs=0, dropped=0, unavailable="LiteRT 9 is unknown", tool=None)
    made = record(BEGUN, LOADED, SAMPLES, none, DONE, order=an_order(Pass.OPS, graph=NO_NODES))
    assert (made.ops, made.ops_unavailable) == (None, "LiteRT 9 is unknown")


@pytest.mark.parametrize(
    ("unit", "loaded", "kinds", "backend", "observed"),
    [
        ("cpu", LOADED, (), "xnnpack", "cpu/xnnpack"),
        ("cpu:2", LOADED, (), "xnnpack", "cpu/xnnpack"),
        ("cpu", PARTLY, (), None, "cpu"),
        ("cpu:2", PARTLY, (), None, "cpu"),
        ("cpu", PARTLY, (8, 2), "xnnpack+builtin", "cpu"),
        ("cpu", PARTLY, (2,), "builtin", "cpu/builtin"),
        ("cpu/builtin", PARTLY, (), "builtin", "cpu/builtin"),
        ("cpu/builtin:2", PARTLY, (2,), "builtin", "cpu/builtin"),
        ("cpu/builtin", LOADED, (), "xnnpack", "cpu/xnnpack"),
        ("cpu/xnnpack", PARTLY, (), None, "cpu"),
        ("cpu/xnnpack", PARTLY, (8, 2), "xnnpack+builtin", "cpu"),
        ("cpu/xnnpack", PARTLY, (2,), "builtin", "cpu/builtin"),
    ],
)
def test_backend_and_unit_are_what_the_evidence_shows(
    unit: str, loaded: dict[str, Any], kinds: tuple[int, ...], backend: str | None, observed: str
) -> None:
    events = [{**EVENT, "type": kind} for kind in kinds]
    profile = said("profile", events=events, runs=2, dropped=0, unavailable=None, tool=None)
    order = an_order(Pass.OPS if kinds else Pass.LATENCY, unit, NO_NODES)
    made = record(BEGUN, loaded, SAMPLES, *([profile] if kinds else []), DONE, order=order)
    assert (made.backend, made.observed) == (backend, ComputeUnit.parse(observed))


@pytest.mark.parametrize(("taken", "backend"), [(0, "builtin"), (2, "xnnpack+builtin"), (3, "xnnpack")])
def test_a_count_of_operators_taken_is_evidence_too(taken: int, backend: str) -> None:
    counted = {"delegate": "xnnpack", "full": taken == 3, "taken": taken, "total": 3, "partitions": 1}
    made = record(BEGUN, {**LOADED, "delegation": counted}, SAMPLES, DONE)
    assert made.backend == backend


def test_an_ops_pass_counts_what_the_runtime_did_not_run_itself(tmp_path: Path) -> None:
    graph = read_graph(write_model(tmp_path, models.partitioned()))
    kernel, own = ("Convolution (NHWC, F32) IGEMM", 8, 0), "REVERSE_V2"
    seen = [kernel, (own, 2, 1), kernel, (own, 2, 3), kernel]
    events = [{**EVENT, "tag": tag, "type": kind, "first": first} for tag, kind, first in seen]
    profile = said("profile", events=events, runs=2, dropped=0, unavailable=None, tool=None)
    order = an_order(Pass.OPS, graph=graph)
    made = outcome(order, (BEGUN, PARTLY, SAMPLES, profile, DONE), an_ending(), op_table)
    assert isinstance(made, LaunchRecord)
    assert made.delegation == Delegation(delegate="xnnpack", full=False, taken=3, total=5, partitions=3)


def test_words_of_several_lines_are_one() -> None:
    ended = failure(BEGUN, said("error", error="it failed\n Node 3 failed to prepare.\n"), exit_code=1)
    assert ended.message == "it failed; Node 3 failed to prepare."


GPU_LOG = (
    "I0000 00:00:1.2 3 environment.cc:532] Selected adapter: {}, arch=x, vendor=y, backend=Vulkan, adapterType={}\n"
)


@pytest.mark.parametrize(
    ("unit", "loaded", "log", "backend", "observed"),
    [
        ("gpu", taken_by("webgpu", full=True), GPU_LOG.format("RTX", "Discrete GPU"), "webgpu", "gpu/webgpu"),
        ("gpu", taken_by("webgpu", full=True), GPU_LOG.format("Pipe", "CPU / Software"), "software", "gpu/software"),
        ("gpu", taken_by("metal", full=True), "", "metal", "gpu/metal"),
        ("gpu", taken_by(None, full=False), GPU_LOG.format("RTX", "Discrete GPU"), None, "cpu+gpu"),
        ("npu", taken_by("dispatch", full=True), "", "dispatch", "npu/dispatch"),
        ("npu", taken_by(None, full=False), "", None, "cpu+npu"),
        ("gpu", None, "", None, None),
        ("npu", taken_by(None, full=None), "", None, None),
        ("edgetpu", taken_by(None, full=False), "", None, None),
        ("gpu/software", taken_by("webgpu", full=True), "", "software", "gpu/software"),
        ("gpu/software", taken_by("webgpu", full=True), GPU_LOG.format("RTX", "Discrete GPU"), "webgpu", "gpu/webgpu"),
        ("npu", taken_by("dispatch", full=True), GPU_LOG.format("P", "CPU / Software"), "dispatch", "npu/dispatch"),
    ],
)
def test_an_accelerator_is_observed_only_where_it_took_everything(
    unit: str, loaded: dict[str, object] | None, log: str, backend: str | None, observed: str | None
) -> None:
    said_loaded = {**LOADED, "delegation": loaded}
    made = outcome(an_order(unit=unit), (BEGUN, said_loaded, SAMPLES, DONE), an_ending(stderr_tail=log), op_table)
    assert isinstance(made, LaunchRecord), made
    assert (made.backend, made.observed) == (backend, ComputeUnit.parse(observed) if observed else None)


@pytest.mark.parametrize(
    ("said", "observed"),
    [
        ({"asked": [4, 5], "cores": [4, 5]}, "cpu@big"),
        ({"asked": [4, 5], "cores": [4]}, "cpu@big"),
        ({"asked": [4, 5], "cores": [0, 4, 5]}, "cpu"),
        ({"asked": [4, 5], "cores": []}, "cpu"),
        (None, "cpu"),
    ],
)
def test_a_cluster_is_observed_only_where_the_launch_was_bound_to_it(
    said: dict[str, object] | None, observed: str
) -> None:
    bound = () if said is None else ({**DONE, "say": "bound", **said},)
    made = outcome(an_order(unit="cpu@big:2"), (BEGUN, LOADED, SAMPLES, *bound, DONE), an_ending(), op_table)
    assert isinstance(made, LaunchRecord), made
    assert made.observed is not None
    assert (made.observed.kind, made.observed.cluster) == ("cpu", ComputeUnit.parse(observed).cluster)


def test_the_adapter_is_the_one_that_the_accelerator_names() -> None:
    ending = an_ending(stderr_tail=GPU_LOG.format("NVIDIA RTX A2000 (Ampere), 6 GB", "Discrete GPU"))
    made = outcome(an_order(unit="gpu"), (BEGUN, LOADED, SAMPLES, DONE), ending, op_table)
    assert isinstance(made, LaunchRecord), made
    assert made.adapter == "NVIDIA RTX A2000 (Ampere), 6 GB"


def test_no_adapter_ran_where_no_gpu_was_asked_for() -> None:
    ending = an_ending(stderr_tail=GPU_LOG.format("RTX", "Discrete GPU"))
    made = outcome(an_order(), (BEGUN, LOADED, SAMPLES, DONE), ending, op_table)
    assert isinstance(made, LaunchRecord), made
    assert made.adapter is None


def test_why_the_agent_took_another_face_is_in_the_record() -> None:
    begun = {**BEGUN, "api": "interpreter", "fallback": "LiteRT 9 is unknown"}
    assert record(begun, LOADED, SAMPLES, DONE).fallback == "LiteRT 9 is unknown"


@pytest.mark.parametrize(("unit", "dispatch"), [("npu", "/vendor"), ("cpu", None), ("gpu", None)])
def test_a_dispatch_library_goes_with_an_npu_alone(unit: str, dispatch: str | None) -> None:
    assert encode(an_order(unit=unit), Route(dispatch="/vendor"))["dispatch"] == dispatch


def test_an_error_goes_on_below_a_colon_until_the_log_does() -> None:
    tail = (
        "ERROR: [error_reporter.cc:27] Following operations are not supported by GPU delegate:\n"
        "DIV: No support.\nWHILE: Operation is not supported.\n"
        "I0000 00:00:1.2 3 delegate_kernel.cc:984] Initializing.\nmore\n"
    )
    ended = failure(BEGUN, said("error", error="it failed"), exit_code=1, stderr_tail=tail)
    words = (
        "Following operations are not supported by GPU delegate: DIV: No support. WHILE: Operation is not supported."
    )
    assert ended.message == f"it failed; {words}"


def test_an_error_has_the_runtime_s_own_words() -> None:
    tail = (
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
        "ERROR: [error_reporter.cc:27] Encountered unresolved custom op: Foo.\n"
        "ERROR: [error_reporter.cc:27] Encountered unresolved custom op: Foo.\n"
        "ERROR: plain\n\n"
    )
    ended = failure(BEGUN, said("error", error="it failed (status 3)"), exit_code=1, stderr_tail=tail)
    assert ended.kind is FailureKind.ERROR
    assert ended.message == "it failed (status 3); Encountered unresolved custom op: Foo.; plain"


@pytest.mark.parametrize(
    ("ending", "kind", "words"),
    [
        ({"exit_code": 139}, FailureKind.CRASH, "signal 11 (exit code 139)"),
        ({"exit_code": 3}, FailureKind.CRASH, "exit code 3"),
        ({"exit_code": 137, "reason": "deadline", "message": "slow"}, FailureKind.DEADLINE, "killed: slow"),
        ({"exit_code": 137, "reason": "protocol", "message": "odd"}, FailureKind.PROTOCOL, "killed: odd"),
        ({"exit_code": 137, "reason": "cancelled", "message": "c"}, FailureKind.LOST, "killed: c"),
        ({"exit_code": 137, "reason": "boredom", "message": "b"}, FailureKind.PROTOCOL, "killed: b"),
    ],
)
def test_a_bad_end_is_a_failure_of_its_kind(ending: dict[str, Any], kind: FailureKind, words: str) -> None:
    ended = failure(BEGUN, **ending)
    assert (ended.kind, ended.exit_code) == (kind, ending["exit_code"])
    assert words in ended.message


@pytest.mark.parametrize(
    ("pass_", "missing"), [(Pass.LATENCY, "done"), (Pass.OPS, "profile, done"), (Pass.MEMORY, "memory, done")]
)
def test_an_end_without_everything_a_pass_has_to_say_is_no_record(pass_: Pass, missing: str) -> None:
    ended = failure(BEGUN, LOADED, SAMPLES, order=an_order(pass_))
    assert ended.kind is FailureKind.PROTOCOL
    assert ended.message == f"it ended without saying {missing}"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({**SAMPLES, "wall_ns": [1.5]}, "whole number"),
        ({**SAMPLES, "wall_ns": [True]}, "whole number"),
        ({**SAMPLES, "mood": "good"}, "mood"),
        ({**SAMPLES, "wall_ns": None}, "wall_ns"),
    ],
)
def test_a_message_of_the_wrong_form_is_a_failure_of_the_protocol(bad: dict[str, Any], words: str) -> None:
    ended = failure(BEGUN, LOADED, bad, DONE)
    assert ended.kind is FailureKind.PROTOCOL
    assert words in ended.message


def test_a_record_without_conditions_is_a_failure_of_the_protocol() -> None:
    assert "conditions" in failure(BEGUN, LOADED, SAMPLES, DONE, after=None).message


@pytest.mark.parametrize(
    ("taken", "full", "backend", "observed"),
    [
        (1, True, "libedgetpu", "edgetpu/libedgetpu"),
        (1, False, "libedgetpu", "edgetpu/libedgetpu"),
        (0, False, None, "cpu"),
    ],
)
def test_an_edge_tpu_is_observed_where_it_took_a_program(
    taken: int, full: bool, backend: str | None, observed: str
) -> None:
    loaded = {**taken_by("edgetpu" if taken else None, full=full), "taken": taken, "total": 4, "partitions": taken}
    said = (BEGUN, {**LOADED, "delegation": loaded}, SAMPLES, DONE)
    made = outcome(an_order(unit="edgetpu"), said, an_ending(), op_table)
    assert isinstance(made, LaunchRecord), made
    assert (made.backend, made.observed) == (backend, ComputeUnit.parse(observed))


def test_a_launch_that_crashed_on_an_edge_tpu_names_the_versions_that_may_be_apart() -> None:
    died = outcome(an_order(unit="edgetpu"), (), an_ending(exit_code=139), op_table)
    assert isinstance(died, LaunchFailure)
    assert "newer or older than libedgetpu was built for" in died.message
