"""The arithmetic of the benchmarks per_op and parity."""

from dataclasses import replace

from devices.runtimes.litert_ops import op_table
from tests.benchmarks.parity import ALTERNATIONS, Alternation, Figures, alternate, ratios
from tests.benchmarks.per_op import PerOp, unaccounted, value_of
from tests.unit.devices.runtimes.graphs import a_chain, kernel, own

GOOD = PerOp(
    model="m",
    coverage=0.97,
    builtin_coverage=0.995,
    unaccounted=0,
    cost=0.1,
    approximate=False,
    partitions=1,
    operators=10,
    agree_alone=10,
    agree_merged=0,
    median_ms=2.0,
)


def test_per_op_is_the_lowest_coverage() -> None:
    assert value_of([GOOD, replace(GOOD, coverage=0.93)]) == 0.93


def test_per_op_is_0_with_an_operator_unaccounted_for() -> None:
    assert value_of([GOOD, replace(GOOD, unaccounted=1)]) == 0


def test_per_op_is_0_where_the_runtimes_own_kernels_cover_too_little() -> None:
    assert value_of([replace(GOOD, builtin_coverage=0.98)]) == 0


def test_a_kernel_without_an_operator_is_unaccounted_for() -> None:
    assert unaccounted(op_table(a_chain("CUSTOM:x"), (own(0), kernel(0, "Convert (NC)"))), set()) == 1


def test_an_operator_that_vanished_counts_only_where_it_does_not_vanish_elsewhere() -> None:
    table = op_table(a_chain("PAD", "CONV_2D"), (kernel(0, "Convolution (NHWC, F32) IGEMM"),))
    assert (unaccounted(table, set()), unaccounted(table, {0, 1})) == (0, 1)


def test_neither_side_of_the_parity_benchmark_is_always_first() -> None:
    order: list[str] = []
    figures = Figures(minimum=1, median=2)

    def ours(number: int) -> Figures:
        order.append(f"ours {number}")
        return figures

    def peer() -> Figures:
        order.append("peer")
        return figures

    alternate(ours, peer)
    assert order[:4] == ["ours 0", "peer", "peer", "ours 1"]
    assert len(order) == 2 * ALTERNATIONS


def test_parity_compares_medians_over_the_alternations() -> None:
    ours, peer = Figures(minimum=11, median=30), Figures(minimum=10, median=20)
    outlier = Alternation(ours=replace(ours, minimum=99), peer=peer)
    usual = Alternation(ours=ours, peer=peer)
    assert ratios([usual, usual, outlier]) == {"minimum": 1.1, "median": 1.5}
