"""The replay of TFLite's partitioning, and events paired with it."""

from devices.runtimes.litert_partitions import pair, replay, runs_of_kernels
from harness.core.model import Graph
from tests.unit.devices.runtimes.graphs import a_chain, a_node, kernel, own

X, RELU = "CUSTOM:x", "RELU"


def _cuts(graph: Graph, delegated: set[int]) -> list[tuple[bool, list[int]]]:
    subsets = replay(graph, delegated)
    assert subsets is not None
    return [(subset.delegated, [node.index for node in subset.nodes]) for subset in subsets]


def test_a_graph_that_a_delegate_takes_whole_is_one_subset() -> None:
    assert _cuts(a_chain(RELU, RELU, RELU), {0, 1, 2}) == [(True, [0, 1, 2])]


def test_an_operator_left_out_cuts_a_chain_in_three() -> None:
    assert _cuts(a_chain(RELU, X, RELU), {0, 2}) == [(True, [0]), (False, [1]), (True, [2])]


def test_the_first_ready_operator_decides_which_kind_comes_first() -> None:
    assert _cuts(a_chain(X, RELU), {1}) == [(False, [0]), (True, [1])]


def test_operators_of_a_second_branch_join_the_earlier_subset_out_of_file_order() -> None:
    # 0 -> 1 -> 2, and 3 -> 4 beside it, which wait for nothing: they run with 0, before 1 and 2 of the file.
    nodes = (
        a_node(0, RELU, (0,), (1,)),
        a_node(1, X, (1,), (2,)),
        a_node(2, RELU, (2,), (3,)),
        a_node(3, RELU, (0,), (4,)),
        a_node(4, RELU, (4,), (5,)),
    )
    assert _cuts(Graph(nodes=nodes, inputs=(0,)), {0, 2, 3, 4}) == [(True, [0, 3, 4]), (False, [1]), (True, [2])]


def test_an_operator_that_stands_before_what_it_needs_is_taken_in_a_later_pass() -> None:
    nodes = (a_node(0, RELU, (2,), (3,)), a_node(1, RELU, (0,), (2,)))
    assert _cuts(Graph(nodes=nodes, inputs=(0,)), {0, 1}) == [(True, [1, 0])]


def test_a_tensor_that_nothing_makes_is_ready() -> None:
    nodes = (a_node(0, RELU, (7,), (1,)),)
    assert _cuts(Graph(nodes=nodes, inputs=(0,)), {0}) == [(True, [0])]


def test_nodes_that_wait_for_each_other_have_no_order() -> None:
    nodes = (a_node(0, RELU, (2,), (1,)), a_node(1, RELU, (1,), (2,)))
    assert replay(Graph(nodes=nodes, inputs=()), {0, 1}) is None


def test_a_partition_gets_the_kernels_between_the_runtimes_own_operators() -> None:
    events = (kernel(0, "a"), kernel(1, "b"), own(1), kernel(0, "c"))
    subsets = replay(a_chain(RELU, X, RELU), {0, 2})
    assert subsets is not None
    partitions = pair(subsets, events)
    assert partitions is not None
    assert [partition.events for partition in partitions] == [(0, 1), (3,)]


def test_a_partition_that_was_folded_away_has_no_kernels() -> None:
    subsets = replay(a_chain("RESHAPE", X, RELU), {0, 2})
    assert subsets is not None
    partitions = pair(subsets, (own(1), kernel(0, "c")))
    assert partitions is not None
    assert [partition.events for partition in partitions] == [(), (1,)]


def test_kernels_that_restart_their_numbering_where_no_cut_is_do_not_fit() -> None:
    subsets = replay(a_chain(RELU, RELU), {0, 1})
    assert subsets is not None
    assert pair(subsets, (kernel(0, "a"), kernel(0, "b"))) is None


def test_own_operators_in_another_order_do_not_fit() -> None:
    subsets = replay(a_chain(X, X, RELU), {2})
    assert subsets is not None
    assert pair(subsets, (own(1), own(0), kernel(0, "a"))) is None


def test_events_alone_show_partitions_by_their_numbering() -> None:
    events = (kernel(0, "a"), kernel(1, "b"), kernel(0, "c"), own(3), kernel(0, "d"))
    assert list(runs_of_kernels(events)) == [(0, 1), (2,), (4,)]
