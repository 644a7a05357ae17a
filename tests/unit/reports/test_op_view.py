"""Operators in the document: what the profiler's clock cannot tell is unknown, not zero."""

from dataclasses import replace

import pytest

from harness.core.launch import OpTable
from reports.op_view import mapping_fields, op_fields
from tests.support.results import some_ops


def a_table(first_ns: float | None, *, resolution_ns: float | None = 1000.0, coverage: float | None = 0.96) -> OpTable:
    table = some_ops(6)
    first = replace(table.ops[0], latency_ns=first_ns, share=0.1)
    return replace(table, ops=(first, *table.ops[1:]), resolution_ns=resolution_ns, coverage=coverage)


@pytest.mark.parametrize("latency_ns", [0.0, 480.0, 999.9])
def test_a_time_below_the_clock_is_unknown(latency_ns: float) -> None:
    first = op_fields(a_table(latency_ns))[0]
    assert (first["latency_ns"], first["label"], first["share"]) == (None, "below_resolution", None)


def test_a_time_of_one_step_of_the_clock_stands() -> None:
    first = op_fields(a_table(1000.0))[0]
    assert (first["latency_ns"], first["label"], first["share"]) == (1000.0, "measured", 0.1)


def test_no_time_at_all_is_unknown_where_the_clock_is_unknown_too() -> None:
    assert op_fields(a_table(0.0, resolution_ns=None))[0]["latency_ns"] is None


def test_a_folded_operator_is_not_below_the_clock() -> None:
    folded = op_fields(a_table(5000.0))[4]
    assert (folded["latency_ns"], folded["label"]) == (None, "measured")


def test_shares_are_left_out_where_little_of_the_run_was_seen() -> None:
    rows = op_fields(a_table(5000.0, coverage=0.79))
    assert [row["share"] for row in rows] == [None] * 6
    assert rows[0]["latency_ns"] == 5000.0


@pytest.mark.parametrize("coverage", [0.8, None])
def test_shares_stand_where_enough_was_seen_or_nobody_knows(coverage: float | None) -> None:
    assert op_fields(a_table(5000.0, coverage=coverage))[0]["share"] == 0.1


@pytest.mark.parametrize(("latency_ns", "shown"), [(0.0, None), (480.0, None), (2500.0, 2500.0)])
def test_kernels_of_no_operator_have_their_time_where_it_can_be_told(latency_ns: float, shown: float | None) -> None:
    table = a_table(latency_ns)
    stray = replace(table.ops[0], index=-1)
    assert mapping_fields(replace(table, ops=(stray, *table.ops[1:])))["unmapped_ns"] == shown


def test_without_stray_kernels_nothing_is_unmapped() -> None:
    assert mapping_fields(a_table(0.0))["unmapped_ns"] == 0
