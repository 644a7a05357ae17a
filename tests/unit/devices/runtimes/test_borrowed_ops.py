"""The profile of another program on the wire: keyed to operators, and never taken for the runtime's."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from ai_edge_litert import profiling_info_pb2

from devices.agent.protocol import ProtocolError
from devices.runtimes.borrowed_ops import table_of_tool
from devices.runtimes.edgetpu_ops import PROGRAM, edgetpu_op_table
from devices.runtimes.evidence import with_counts
from devices.runtimes.litert_ops import op_table
from harness.core.launch import Delegation, OpTable
from harness.core.model import Graph
from harness.placement import complete_delegation
from tests.support.benchmark_model_double import runtime_info
from tests.support.recorded import read

from .test_benchmark_model_profile import info_of, profile_of

REFUSED = "per-op unavailable: no profiler"
RECORDING = read("mobilenet_v2-float32")


def told(profile: bytes | None = None, info: bytes | None = None) -> dict[str, Any]:
    files = {
        "profile": profile_of(RECORDING).SerializeToString() if profile is None else profile,
        "runtime_info": info_of(RECORDING) if info is None else info,
    }
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    return {"path": "/bin/benchmark_model", "sha256": "ab12", **encoded}


def table(graph: Graph = RECORDING.graph) -> OpTable:
    made, unavailable = table_of_tool(graph, told(), REFUSED, op_table)
    assert made is not None, unavailable
    return made


def test_the_operators_are_the_model_s_and_the_program_is_named() -> None:
    assert [op.name for op in table().ops if op.index >= 0] == [node.name for node in RECORDING.graph.nodes]
    assert str(table().measured_by).startswith("operators by benchmark_model sha256:ab12, whose LiteRT/TensorFlow")
    assert str(table().measured_by).endswith("the runtime has none: no profiler")


def test_it_is_no_evidence_of_what_the_runtime_s_delegate_took() -> None:
    said = Delegation(delegate=None, full=None)
    assert with_counts(said, table()) == said
    assert complete_delegation(said, table()) == said


def test_a_profile_that_is_not_known_leaves_no_operators_and_both_reasons() -> None:
    made, unavailable = table_of_tool(RECORDING.graph, told(profile=b"\xff\xff\xff"), REFUSED, op_table)
    assert made is None
    assert str(unavailable).startswith(f"{REFUSED}; the profile that benchmark_model sha256:ab12 wrote is not known")


@pytest.mark.parametrize("changes", [{"profile": "no base64!"}, {"sha256": None}, {"more": 1}])
def test_what_is_not_the_agent_s_language_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        table_of_tool(RECORDING.graph, {**told(), **changes}, REFUSED, op_table)


def test_a_program_of_an_edge_tpu_has_its_time_in_its_own_row() -> None:
    nodes = tuple(replace(node, index=place) for place, node in enumerate(RECORDING.graph.nodes[:2]))
    graph = Graph(nodes=(replace(nodes[0], type=PROGRAM), nodes[1]), inputs=RECORDING.graph.inputs)
    profile = profiling_info_pb2.BenchmarkProfilingData()
    main = profile.runtime_profile.subgraph_profiles.add(subgraph_index=0)
    for name, kind, took in (("[out]:2", "EdgeTpuDelegateForCustomOp", 300), ("[last]:1", nodes[1].type, 30)):
        entry = main.per_op_profiles.add(node_type=kind, name=name, times_called=1)
        entry.inference_microseconds.sum, entry.inference_microseconds.count = took, 3
    info = runtime_info(graph, {0}, "EdgeTpuDelegateForCustomOp")
    made, unavailable = table_of_tool(graph, told(profile.SerializeToString(), info), REFUSED, edgetpu_op_table)
    assert made is not None, unavailable
    assert [(op.placed_on, op.latency_ns) for op in made.ops] == [
        ("edgetpu/libedgetpu", 100_000.0),
        ("cpu/builtin", 10_000.0),
    ]
