"""benchmark_model's profile keyed to operators: recorded runs of LiteRT, as the tool would write them down."""

import pytest
from ai_edge_litert import profiling_info_pb2

from devices.runtimes.benchmark_model_profile import ProfileUnknown, table_from
from devices.runtimes.litert_ops import op_table
from harness.core.launch import OpTable
from tests.support.benchmark_model_double import collapse, runtime_info
from tests.support.recorded import FOLDER, Recording, read

RECORDINGS = sorted(path.stem for path in FOLDER.glob("*.json"))
SPLIT = [name for name in RECORDINGS if name.startswith(("partitioned", "keyword", "mobilenet_v2-dynamic", "loop"))]
WHOLE = [name for name in RECORDINGS if name not in SPLIT]


def profile_of(recording: Recording) -> profiling_info_pb2.BenchmarkProfilingData:
    events = recording.events
    runs = [
        [(event.tag, event.type, event.first, event.second, int(event.elapsed_us[run])) for event in events]
        for run in range(len(events[0].elapsed_us))
    ]
    profile = profiling_info_pb2.BenchmarkProfilingData()
    graph = profile.runtime_profile.subgraph_profiles.add(subgraph_index=0)
    names = {node.index: node.name for node in recording.graph.nodes}
    for order, (name, (kind, times, calls)) in enumerate(collapse(runs, names).items()):
        told = graph.per_op_profiles.add(node_type=kind, name=name, times_called=calls, run_order=order)
        told.inference_microseconds.sum, told.inference_microseconds.count = sum(times), len(times)
    return profile


def info_of(recording: Recording) -> bytes:
    own = {event.first for event in recording.events if event.type == 2 and event.second == 0}
    return runtime_info(recording.graph, {node.index for node in recording.graph.nodes} - own, "TfLiteXNNPackDelegate")


def table_of(recording: Recording) -> OpTable:
    return table_from(recording.graph, profile_of(recording).SerializeToString(), info_of(recording))


@pytest.mark.parametrize("name", WHOLE)
def test_operators_of_one_partition_are_keyed_as_by_the_events_themselves(name: str) -> None:
    recording = read(name)
    table, truth = table_of(recording), op_table(recording.graph, recording.events)
    assert [op.kernels for op in table.ops] == [op.kernels for op in truth.ops]
    assert not table.approximate


@pytest.mark.parametrize("name", SPLIT)
def test_where_names_of_partitions_fall_together_the_doubt_is_shown(name: str) -> None:
    recording = read(name)
    table = table_of(recording)
    assert table.approximate
    assert table.partitions == op_table(recording.graph, recording.events).partitions


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_time_is_lost(name: str) -> None:
    recording = read(name)
    runs = len(recording.events[0].elapsed_us)
    kernels = [event for event in recording.events if event.type in (2, 8) and event.second == 0]
    expected = sum(sum(event.elapsed_us) for event in kernels) / runs * 1000
    assert sum(op.latency_ns or 0 for op in table_of(recording).ops) == pytest.approx(expected)


def test_the_profile_says_how_many_inferences_it_has() -> None:
    recording = read("mobilenet_v2-float32")
    assert table_of(recording).runs == len(recording.events[0].elapsed_us)


def test_a_black_box_is_one_row_beside_its_operators() -> None:
    recording = read("mobilenet_v2-float32")
    nodes = recording.graph.nodes
    profile = profiling_info_pb2.BenchmarkProfilingData()
    graph = profile.runtime_profile.subgraph_profiles.add(subgraph_index=0)
    told = graph.per_op_profiles.add(node_type="TfLiteGpuDelegateV2", name=f"[out]:{len(nodes)}", times_called=1)
    told.inference_microseconds.sum, told.inference_microseconds.count = 300, 3
    info = runtime_info(recording.graph, {node.index for node in nodes}, "TfLiteGpuDelegateV2")
    table = table_from(recording.graph, profile.SerializeToString(), info)
    assert (table.ops[-1].index, table.ops[-1].placed_on, table.ops[-1].latency_ns) == (-1, "gpu", 100_000.0)
    assert {(op.placed_on, op.latency_ns) for op in table.ops[:-1]} == {("gpu", None)}
    assert len(table.ops) == len(nodes) + 1


def test_a_name_of_no_known_shape_is_refused_with_the_name() -> None:
    recording = read("mobilenet_v2-float32")
    profile = profile_of(recording)
    told = profile.runtime_profile.subgraph_profiles[0].per_op_profiles.add(
        node_type="NEW", name="new kind", times_called=1
    )
    told.inference_microseconds.count = 1
    with pytest.raises(ProfileUnknown, match="new kind"):
        table_from(recording.graph, profile.SerializeToString(), info_of(recording))


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff"])
def test_what_is_no_profile_is_refused(content: bytes) -> None:
    recording = read("mobilenet_v2-float32")
    with pytest.raises(ProfileUnknown):
        table_from(recording.graph, content, info_of(recording))
