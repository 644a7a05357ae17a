"""Why a cell is as fast as it is: read from profiles of real runs, and from what a runtime says without one."""

from dataclasses import replace

import pytest

from devices.runtimes.evidence import with_counts
from devices.runtimes.litert_ops import op_table
from harness.core.judgement import Verdict
from harness.core.launch import Api, Delegation, OpTable
from harness.core.outcome import Measurement
from harness.explain import explain
from harness.op_pairs import pair_operators
from harness.placement import complete_delegation
from tests.support import recorded
from tests.support.measurements import a_cell, a_measurement, some_ops
from tests.support.results import a_comparison


def a_recorded(name: str) -> Measurement:
    recording = recorded.read(f"mobilenet_v2-{name}")
    return profiled(op_table(recording.graph, recording.events))


def profiled(table: OpTable) -> Measurement:
    return replace(a_measurement(), ops=table, delegation=complete_delegation(None, table))


SOURCE = a_recorded("float32")


def told(variant: str, measured: Measurement, ratio: float, *, unit: str = "cpu") -> str:
    return " ".join(explain(a_cell(variant, unit=unit), measured, SOURCE, a_comparison(ratio)))


def test_source_is_told_by_its_own_kernels() -> None:
    assert explain(a_cell("float32"), SOURCE, None, None) == (
        "All 65 operators run in XNNPACK, in 1 partition.",
        "Of the operators' time 78 % in Fully Connected (NC, F32) GEMM, 18 % in Convolution (NHWC, F32) DWConv.",
    )


def test_int8_is_told_by_the_kernels_that_took_over() -> None:
    words = told("int8", a_recorded("int8"), 0.45)
    assert "64 of 65 operators run in XNNPACK, in 1 partition (source: all 65 in 1 partition)." in words
    assert "Fully Connected (NC, QS8, QC8W) GEMM" in words
    assert "Of the time saved, CONV_2D accounts for 91 %" in words


def test_dynamic_int8_is_told_by_what_the_delegate_left() -> None:
    words = told("dynamic-int8", a_recorded("dynamic-int8"), 3.3)
    assert "48 of 65 operators run in XNNPACK, in 18 partitions" in words
    assert "LiteRT's own kernels take 85 % of the operators' time (DEPTHWISE_CONV_2D)" in words
    assert "Of the time added, DEPTHWISE_CONV_2D accounts for all and more" in words


def test_float16_is_told_by_the_kernels_that_stayed() -> None:
    assert explain(a_cell("float16"), a_recorded("float16"), SOURCE, a_comparison(1.0)) == (
        "All 118 operators run in XNNPACK, in 1 partition, as in the source.",
        "53 added DEQUANTIZE are folded (weights are widened on loading), and the kernels are those of the source.",
    )


def test_sparse_weights_change_no_kernel() -> None:
    assert "The kernels are those of the source, operator by operator." in told("sparse-50", SOURCE, 1.0)


def test_int16x8_is_told_by_reference_kernels() -> None:
    words = told("int16x8", a_recorded("float32-builtin"), 8.0)
    assert "None of the 65 operators runs in XNNPACK (source: all 65 in 1 partition)" in words
    assert "for 16-bit activations these are reference kernels" in words


@pytest.mark.parametrize(
    ("taken", "unit", "words"),
    [
        (1, "cpu", "The only operator runs in XNNPACK, in 1 partition."),
        (0, "cpu", "The only operator does not run in a delegate: LiteRT's own kernels do the work."),
        (0, "cpu/builtin", "The only operator runs in LiteRT's own kernels, as was asked for."),
    ],
)
def test_a_single_operator_is_told_in_the_singular(taken: int, unit: str, words: str) -> None:
    state = Delegation(delegate="xnnpack", full=taken == 1, taken=taken, total=1, partitions=taken)
    measured = replace(a_measurement(), delegation=state)
    assert explain(a_cell("float32", unit=unit), measured, None, None)[0] == words


def test_one_operator_of_several_runs_and_a_source_of_one_has_no_all() -> None:
    one = Delegation(delegate="xnnpack", full=False, taken=1, total=9, partitions=1)
    whole = Delegation(delegate="xnnpack", full=True, taken=1, total=1, partitions=1)
    measured, source = (replace(a_measurement(), delegation=state) for state in (one, whole))
    words = explain(a_cell("int8"), measured, source, a_comparison(1.0))[0]
    assert words == "1 of 9 operators runs in XNNPACK, in 1 partition (source: 1 of 1 in 1 partition)."


def test_builtin_kernels_that_were_asked_for_are_no_surprise() -> None:
    builtin = a_recorded("float32-builtin")
    words = explain(a_cell("int8", unit="cpu/builtin"), builtin, builtin, a_comparison(0.9))
    assert words[0] == "All 65 operators run in LiteRT's own kernels, as was asked for."


def test_names_of_builtin_kernels_prove_no_sameness() -> None:
    """CONV_2D is called so whatever its types."""
    builtin = a_recorded("float32-builtin")
    assert "those of the source" not in " ".join(explain(a_cell("int8"), builtin, builtin, a_comparison(0.5)))


def test_conversions_at_every_inference_are_told_with_their_share() -> None:
    words = told("weight-int4", with_conversions(SOURCE, share=0.5), 2.0)
    assert "3 added DEQUANTIZE take 50 % of the operators' time, at every inference" in words
    assert "Of the time added, DEQUANTIZE accounts for 100 %" in words


def test_conversions_that_keep_a_delegate_out_are_told() -> None:
    assert "3 added DEQUANTIZE stay outside it too" in told("weight-int4", with_conversions(SOURCE, share=0.0), 2.0)


def with_conversions(measured: Measurement, *, share: float) -> Measurement:
    """Three DEQUANTIZE of LiteRT's own that take such a share of the time."""
    assert measured.ops is not None
    total = sum(op.latency_ns or 0 for op in measured.ops.ops)
    added = tuple(
        replace(
            measured.ops.ops[0],
            index=len(measured.ops.ops) + i,
            name=f"widened-{i}",
            type="DEQUANTIZE",
            kernels=("DEQUANTIZE",),
            placed_on="cpu/builtin",
            latency_ns=share / (1 - share) * total / 3,
        )
        for i in range(3)
    )
    return profiled(replace(measured.ops, ops=(*added, *measured.ops.ops)))


@pytest.mark.parametrize(
    ("delegation", "words"),
    [
        (Delegation(delegate="webgpu", full=True), "The whole graph runs in WebGPU."),
        (
            Delegation(delegate=None, full=False),
            "Not the whole graph runs in a delegate; how much of it does is not known.",
        ),
        (
            Delegation(delegate="xnnpack", full=False, taken=3, total=9, partitions=2),
            "3 of 9 operators run in XNNPACK, in 2 partitions.",
        ),
    ],
)
def test_without_operators_the_delegate_is_told(delegation: Delegation, words: str) -> None:
    measured = replace(a_measurement(), delegation=delegation)
    assert explain(a_cell("float32"), measured, None, None) == (words,)


def test_builtin_kernels_are_told_without_operators() -> None:
    measured = replace(a_measurement(), delegation=Delegation(delegate=None, full=False))
    words = "The whole graph runs in LiteRT's own kernels, as was asked for."
    assert explain(a_cell("float32", unit="cpu/builtin"), measured, None, None) == (words,)


def test_what_nobody_knows_is_not_told() -> None:
    assert explain(a_cell("int8"), a_measurement(), a_measurement(), a_comparison(0.5)) == ()


def test_another_api_than_the_sources_is_told() -> None:
    measured = replace(a_measurement(), api=Api.INTERPRETER)
    source = replace(a_measurement(), api=Api.COMPILED_MODEL)
    words = "It ran through the Interpreter API, its source through the compiled-model API."
    assert explain(a_cell("int8"), measured, source, a_comparison(0.9)) == (words,)


@pytest.mark.parametrize("doubt", [{"coverage": 0.4}, {"coverage": None}, {"approximate": True}])
def test_doubtful_operator_times_are_not_told(doubt: dict[str, float | None]) -> None:
    assert SOURCE.ops is not None
    measured = profiled(replace(SOURCE.ops, **doubt))  # type: ignore[arg-type]
    assert explain(a_cell("float32"), measured, None, None) == ("All 65 operators run in XNNPACK, in 1 partition.",)


def test_a_profile_that_contradicts_the_latency_is_not_told() -> None:
    assert "Of the time" not in told("int8", a_recorded("int8"), 1.4)


@pytest.mark.parametrize("verdict", [Verdict.SAME, Verdict.INCONCLUSIVE])
def test_a_change_without_a_verdict_is_not_told(verdict: Verdict) -> None:
    found = explain(a_cell("int8"), a_recorded("int8"), SOURCE, a_comparison(0.45, verdict=verdict))
    assert "Of the time" not in " ".join(found)


def test_a_change_that_no_type_accounts_for_is_spread() -> None:
    before = some_ops(12)
    ops = tuple(
        replace(before.ops[0], index=i, name=f"op-{i}", type=f"KIND_{i}", kernels=("k",), latency_ns=100.0)
        for i in range(12)
    )
    slower = tuple(replace(op, latency_ns=110.0) for op in ops)
    source, measured = profiled(replace(before, ops=ops)), profiled(replace(before, ops=slower))
    words = " ".join(explain(a_cell("int8"), measured, source, a_comparison(1.1)))
    assert "Of the time added, no type accounts for a tenth: it is spread over 12 types." in words


@pytest.mark.parametrize("lost", ["an operator", "kernels"])
def test_kernels_that_only_the_source_has_are_not_those_of_the_source(lost: str) -> None:
    assert "those of the source" not in told("pruned", without(lost), 1.0)


def test_kernels_that_the_source_lacks_are_not_those_of_the_source() -> None:
    words = explain(a_cell("sparse-50"), SOURCE, without("kernels"), a_comparison(1.0))
    assert "those of the source" not in " ".join(words)


def without(lost: str) -> Measurement:
    """The source without its first operator, or with that folded into another."""
    assert SOURCE.ops is not None
    first, *rest = SOURCE.ops.ops
    left = rest if lost == "an operator" else [replace(first, kernels=(), latency_ns=None), *rest]
    return profiled(replace(SOURCE.ops, ops=tuple(left)))


def test_estimated_operators_prove_nothing() -> None:
    table = some_ops(9)
    invented = replace(table, ops=tuple(replace(op, label="estimated") for op in table.ops))
    assert complete_delegation(None, invented) is None
    assert explain(a_cell("float32"), profiled(invented), None, None) == ()


def test_every_operator_is_in_one_pair() -> None:
    before, after = some_ops(9), some_ops(12, seed=1)
    renamed = replace(after, ops=(replace(after.ops[0], name="other"), *after.ops[1:]))
    pairs = pair_operators(before, renamed)
    assert {id(pair.before) for pair in pairs if pair.before} == {id(op) for op in before.ops}
    assert {id(pair.after) for pair in pairs if pair.after} == {id(op) for op in renamed.ops}
    assert (pairs[8].before, pairs[8].after) == (before.ops[0], renamed.ops[0])


def test_the_runtimes_own_counts_stand() -> None:
    given = Delegation(delegate="xnnpack", full=False, taken=1, total=2, partitions=1)
    assert complete_delegation(given, some_ops(9)) is given


def test_counts_come_from_where_operators_ran() -> None:
    assert complete_delegation(Delegation(delegate=None, full=True), some_ops(9)) == Delegation(
        delegate="xnnpack", full=True, taken=9, total=9, partitions=1
    )


def test_operators_folded_away_count_as_taken_as_the_device_counts_them() -> None:
    table, told = a_recorded("float16").ops, Delegation(delegate="xnnpack", full=None)
    assert table is not None
    assert complete_delegation(told, table) == replace(with_counts(told, table) or told, full=True)


def test_where_an_operators_place_is_unknown_nothing_is_counted() -> None:
    table = some_ops(3)
    assert complete_delegation(None, replace(table, ops=(replace(table.ops[0], placed_on=None),))) is None
