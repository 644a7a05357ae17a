"""Events keyed to the model's operators: on profiles of real runs, and on small made ones."""

from math import isclose
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.runtimes.events import DEFAULT, DELEGATE_OPERATOR, ProfileEvent
from devices.runtimes.litert_ops import op_table
from harness.core.launch import OpRecord, OpTable
from harness.core.model import Graph
from tests.support.one_op import judge
from tests.support.recorded import FOLDER, read
from tests.unit.devices.runtimes.graphs import a_chain, a_node, invoke, kernel, own

RECORDINGS = sorted(path.stem for path in FOLDER.glob("*.json"))


def _row(table: OpTable, index: int) -> OpRecord:
    return next(row for row in table.ops if row.index == index)


def test_recordings_are_there() -> None:
    assert len(RECORDINGS) >= 13


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_operator_has_the_kernels_it_ran_as_outside_the_model(name: str) -> None:
    recording = read(name)
    agreement = judge(op_table(recording.graph, recording.events), recording.observed)
    # A loop cannot be cut out: its body is another graph.
    assert [difference.operators for difference in agreement.differences] == ([(0, 1, 2, 3)] if name == "loop" else [])
    assert agreement.total == len(recording.graph.nodes)


def test_swish_of_a_quantised_network_is_one_lookup_table() -> None:
    recording = read("gated_cnn-int8")
    rows = op_table(recording.graph, recording.events).ops
    gates = [row.kernels for row in rows if row.type in ("LOGISTIC", "MUL")]
    assert gates[:2] == [(), ("Invalid Unary Op",)]


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_kernel_of_a_real_run_is_left_over_or_in_doubt(name: str) -> None:
    recording = read(name)
    table = op_table(recording.graph, recording.events)
    assert len(table.ops) == len(recording.graph.nodes)
    assert not table.approximate
    assert table.mapping_cost < len(recording.graph.nodes) / 3


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_rows_of_a_real_run_sum_to_its_events(name: str) -> None:
    recording = read(name)
    table = op_table(recording.graph, recording.events)
    whole = next(event for event in recording.events if event.tag == "Invoke")
    expected = sum(
        fmean(sorted(event.elapsed_us)[:3]) * 1000
        for event in recording.events
        if event.type != DEFAULT and event.second == whole.second
    )
    assert isclose(sum(row.latency_ns or 0 for row in table.ops), expected, abs_tol=1e-3)


@pytest.mark.parametrize(
    ("name", "partitions"),
    [
        ("mobilenet_v2-float32", 1),
        ("mobilenet_v2-float32-builtin", 0),
        ("mobilenet_v2-float16", 1),
        ("mobilenet_v2-dynamic-int8", 18),
        ("partitioned-float32", 5),
        ("loop", 2),
    ],
)
def test_partitions_of_real_runs_are_counted(name: str, partitions: int) -> None:
    recording = read(name)
    assert op_table(recording.graph, recording.events).partitions == partitions


def test_float16_weights_are_unpacked_at_load_and_cost_nothing() -> None:
    recording = read("mobilenet_v2-float16")
    unpacking = [row for row in op_table(recording.graph, recording.events).ops if row.type == "DEQUANTIZE"]
    assert len(unpacking) == 53
    assert {(row.latency_ns, row.share, row.kernels, row.placed_on) for row in unpacking} == {(None, None, (), None)}


def test_hybrid_depthwise_convolutions_stay_with_the_runtime() -> None:
    recording = read("mobilenet_v2-dynamic-int8")
    placed = {row.type: row.placed_on for row in op_table(recording.graph, recording.events).ops}
    assert placed["DEPTHWISE_CONV_2D"] == "cpu/builtin"
    assert placed["CONV_2D"] == "cpu/xnnpack"


def test_what_a_loop_calls_is_in_the_loops_own_time() -> None:
    recording = read("loop")
    table = op_table(recording.graph, recording.events)
    assert [row.kernels for row in table.ops if row.type == "WHILE"] == [("WHILE",)]
    assert table.coverage is not None
    assert 0.9 < table.coverage < 1


def test_latency_is_the_mean_of_the_faster_half() -> None:
    table = op_table(a_chain("TANH"), (kernel(0, "TanH (NC)", 9, 1, 2, 50, 3),))
    assert _row(table, 0).latency_ns == 2000


def test_an_operators_latency_is_the_sum_of_its_kernels() -> None:
    events = (kernel(0, "Static Reshape (NC)", 1, 1), kernel(1, "Fully Connected (NC, F32) GEMM", 5, 5))
    row = _row(op_table(a_chain("FULLY_CONNECTED"), events), 0)
    assert (row.latency_ns, row.kernels) == (6000, ("Static Reshape (NC)", "Fully Connected (NC, F32) GEMM"))


def test_shares_sum_to_one() -> None:
    events = (kernel(0, "TanH (NC)", 3), kernel(1, "Sigmoid (NC)", 1))
    assert [row.share for row in op_table(a_chain("TANH", "LOGISTIC"), events).ops] == [0.75, 0.25]


def test_share_is_unknown_where_nothing_took_time() -> None:
    row = _row(op_table(a_chain("TANH"), (kernel(0, "TanH (NC)", 0),)), 0)
    assert (row.latency_ns, row.share) == (0, None)


def test_coverage_is_the_median_over_inferences() -> None:
    events = (invoke(10, 10, 100), kernel(0, "TanH (NC)", 9, 8, 10))
    assert op_table(a_chain("TANH"), events).coverage == 0.8


def test_coverage_is_unknown_without_the_whole() -> None:
    assert op_table(a_chain("TANH"), (kernel(0, "TanH (NC)", 9),)).coverage is None


def test_static_facts_come_from_the_graph() -> None:
    row = _row(op_table(a_chain("TANH"), (kernel(0, "TanH (NC)"),)), 0)
    assert (row.name, row.type, row.shape, row.macs, row.bytes, row.label) == (
        "tanh_0",
        "TANH",
        (1, 4),
        None,
        19,
        "measured",
    )


def test_an_unknown_kernel_is_kept_and_the_table_says_approximate() -> None:
    table = op_table(a_chain("TANH"), (kernel(0, "Unheard Of (NC)", 7),))
    assert table.approximate
    assert _row(table, 0).latency_ns == 7000


def test_partitions_that_do_not_fit_are_aligned_as_one_and_the_table_says_so() -> None:
    events = (invoke(10), kernel(0, "TanH (NC)", 4), kernel(0, "Sigmoid (NC)", 5))
    table = op_table(a_chain("TANH", "LOGISTIC"), events)
    assert (table.approximate, table.partitions, table.coverage) == (True, 2, 0.9)
    assert [row.kernels for row in table.ops] == [("TanH (NC)",), ("Sigmoid (NC)",)]


def test_a_kernel_that_no_operator_can_own_has_a_row_of_its_own() -> None:
    table = op_table(a_chain("CUSTOM:x"), (own(0, 2), kernel(0, "Convert (NC)", 3)))
    row = _row(table, -1)
    assert (row.name, row.kernels, row.latency_ns, row.placed_on) == (
        "Convert (NC)",
        ("Convert (NC)",),
        3000,
        "cpu/xnnpack",
    )
    assert table.approximate


def test_an_operator_index_that_the_graph_does_not_have_is_a_row_of_its_own() -> None:
    table = op_table(a_chain("TANH"), (own(0, 1), own(7, 2)))
    assert _row(table, -1).latency_ns == 2000
    assert table.approximate


def test_a_tensor_times_itself_may_run_as_part_of_the_mean_of_its_square() -> None:
    nodes = (a_node(0, "MUL", (0, 0), (1,)), a_node(1, "MEAN", (1,), (2,)))
    table = op_table(Graph(nodes=nodes, inputs=(0,)), (kernel(0, "Mean Squared (ND) Reduce2"),))
    assert [row.kernels for row in table.ops] == [(), ("Mean Squared (ND) Reduce2",)]
    assert not table.approximate


def test_the_graph_that_was_called_need_not_be_the_files_first() -> None:
    events = (invoke(5, subgraph=1), own(0, 4, subgraph=1))
    assert _row(op_table(a_chain("TANH"), events), 0).latency_ns == 4000


def test_no_events_leave_every_operator_without_a_time() -> None:
    table = op_table(a_chain("TANH", "ADD"), ())
    assert ([row.latency_ns for row in table.ops], table.coverage, table.runs) == ([None, None], None, 0)


def test_events_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\] inferences"):
        op_table(a_chain("TANH"), (invoke(5), kernel(0, "TanH (NC)", 1, 2)))


TAGS = ("TanH (NC)", "Add (ND)", "Clamp (NC)", "Static Reshape (NC)", "Unheard Of (NC)")
KINDS = ("TANH", "ADD", "RELU", "RESHAPE", "CUSTOM:x")
PROFILES = st.lists(
    st.tuples(st.sampled_from(TAGS), st.sampled_from((2, 4, 8)), st.integers(0, 6), st.integers(0, 90)), max_size=12
)


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), PROFILES)
def test_no_profile_loses_time_or_a_kernel(kinds: list[str], profile: list[tuple[str, int, int, int]]) -> None:
    events = [
        ProfileEvent(tag=tag, type=kind, first=first, second=0, elapsed_us=(time,))
        for tag, kind, first, time in profile
    ]
    table = op_table(a_chain(*kinds), events)
    assert sorted(tag for row in table.ops for tag in row.kernels) == sorted(tag for tag, *_ in profile)
    assert isclose(sum(row.latency_ns or 0 for row in table.ops), 1000 * sum(time for *_, time in profile))


def test_a_delegates_own_view_of_an_operator_counts_as_a_kernel() -> None:
    event = ProfileEvent(tag="TanH (NC)", type=DELEGATE_OPERATOR, first=0, second=0, elapsed_us=(2,))
    assert _row(op_table(a_chain("TANH"), (event,)), 0).latency_ns == 2000
