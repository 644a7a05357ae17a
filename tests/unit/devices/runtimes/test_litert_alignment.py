"""Kernels aligned with operators: known cases, and properties of any case."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.runtimes.litert_alignment import align
from devices.runtimes.litert_kernels import LOST, UNKNOWN, price_of

OPERATORS = st.sampled_from(
    ("CONV_2D", "ADD", "MUL", "RESHAPE", "FULLY_CONNECTED", "TANH", "PAD", "CONCATENATION", "SOFTMAX", "NEW_OPERATOR")
)
TAGS = st.sampled_from(
    (
        "Convolution (NHWC, F32) IGEMM",
        "Add (ND)",
        "Multiply (ND)",
        "Clamp (NC)",
        "Static Reshape (NC)",
        "Fully Connected (NC, F32) GEMM",
        "TanH (NC)",
        "Copy (NC, X32)",
        "Convert (NC, F32, QDU8)",
        "Unheard Of (NC)",
    )
)


def test_one_kernel_each_costs_nothing() -> None:
    found = align(("CONV_2D", "ADD"), ("Convolution (NHWC, F32) IGEMM", "Add (ND)"))
    assert (found.owners, found.cost, found.unexplained) == ((0, 1), 0, 0)


def test_a_reshape_before_a_dense_layer_belongs_to_it() -> None:
    tags = ("Mean (ND) Reduce2", "Static Reshape (NC)", "Fully Connected (NC, F32) GEMM")
    assert align(("MEAN", "FULLY_CONNECTED"), tags).owners == (0, 1, 1)


def test_a_reshape_of_the_model_keeps_its_own_kernel() -> None:
    tags = ("Static Reshape (NC)", "Static Reshape (NC)", "Fully Connected (NC, F32) GEMM")
    assert align(("RESHAPE", "FULLY_CONNECTED"), tags).owners == (0, 1, 1)


def test_a_clamp_after_an_addition_belongs_to_its_fused_activation() -> None:
    assert align(("ADD", "MUL"), ("Add (ND)", "Clamp (NC)", "Multiply (ND)")).owners == (0, 0, 1)


def test_a_clamp_after_an_addition_belongs_to_a_relu_of_the_model() -> None:
    assert align(("ADD", "RELU"), ("Add (ND)", "Clamp (NC)")).owners == (0, 1)


def test_a_conversion_before_a_hybrid_convolution_belongs_to_it() -> None:
    tags = ("Add (ND)", "Convert (NC, F32, QDU8)", "Convolution (NHWC, QDU8, F32, QC8W) IGEMM")
    assert align(("ADD", "CONV_2D"), tags).owners == (0, 1, 1)


def test_a_padding_that_was_fused_has_no_kernel() -> None:
    found = align(("PAD", "CONV_2D"), ("Convolution (NHWC, F32) IGEMM",))
    assert (found.owners, found.unexplained) == ((1,), 0)


def test_a_joining_of_parts_keeps_its_copy_when_a_reshape_before_it_vanished() -> None:
    assert align(("RESHAPE", "CONCATENATION"), ("Copy (NC, X32)",)).owners == (1,)


def test_a_lookup_table_stands_at_the_operator_it_computes() -> None:
    found = align(("CONV_2D", "DEQUANTIZE", "ELU", "QUANTIZE"), ("Convolution (NHWC, QC8) IGEMM", "Invalid Unary Op"))
    assert (found.owners, found.unexplained) == ((0, 2), 0)


def test_an_unknown_kernel_goes_to_the_operator_that_would_have_none() -> None:
    tags = ("Convolution (NHWC, F32) IGEMM", "Unheard Of (NC)", "Convolution (NHWC, F32) IGEMM")
    found = align(("CONV_2D", "TANH", "CONV_2D"), tags)
    assert (found.owners, found.cost, found.unexplained) == ((0, 1, 2), UNKNOWN, 1)


def test_an_operator_without_a_rule_takes_the_kernels_left_over() -> None:
    tags = ("Add (ND)", "Copy (NC, X32)", "Multiply (ND)")
    found = align(("ADD", "NEW_OPERATOR", "MUL"), tags)
    assert (found.owners, found.unexplained) == ((0, 1, 2), 1)


def test_an_operator_that_should_have_run_and_did_not_is_unexplained() -> None:
    found = align(("ADD", "ADD"), ("Add (ND)",))
    assert (found.cost, found.unexplained) == (LOST, 1)


def test_an_attention_composite_takes_all_its_kernels() -> None:
    tags = ("Add (ND)", *("Transpose (ND, X32) Transpose", "Batch Matrix Multiply (NC, F32) GEMM") * 5, "Add (ND)")
    found = align(("ADD", "STABLEHLO_COMPOSITE", "ADD"), tags)
    assert (found.owners, found.unexplained) == ((0, *(1,) * 10, 2), 0)


def test_more_kernels_than_an_operator_ever_has_are_given_all_the_same() -> None:
    assert align(("TANH",), ("Unheard Of (NC)",) * 50).owners == (0,) * 50


def test_kernels_without_any_operator_are_refused() -> None:
    with pytest.raises(ValueError, match="2 kernels and no operator"):
        align((), ("a", "b"))


@given(st.lists(OPERATORS, min_size=1, max_size=30), st.lists(TAGS, max_size=30))
@settings(deadline=None)
def test_every_kernel_has_an_operator_and_the_order_is_kept(operators: list[str], tags: list[str]) -> None:
    found = align(operators, tags)
    assert len(found.owners) == len(tags)
    assert all(0 <= owner < len(operators) for owner in found.owners)
    assert all(before <= after for before, after in pairwise(found.owners))


def _cheapest_of_all(operators: list[str], tags: list[str]) -> int:
    """By trying everything."""
    if len(operators) == 1:
        return price_of(operators[0], tags)
    return min(
        price_of(operators[0], tags[:taken]) + _cheapest_of_all(operators[1:], tags[taken:])
        for taken in range(len(tags) + 1)
    )


@given(st.lists(OPERATORS, min_size=1, max_size=4), st.lists(TAGS, max_size=5))
@settings(deadline=None)
def test_no_other_alignment_is_cheaper(operators: list[str], tags: list[str]) -> None:
    assert align(operators, tags).cost == _cheapest_of_all(operators, tags)


@given(st.lists(OPERATORS, min_size=1, max_size=12), st.lists(TAGS, max_size=12))
@settings(deadline=None)
def test_repeating_a_model_never_costs_more_than_twice_the_price(operators: list[str], tags: list[str]) -> None:
    assert align(operators * 2, tags * 2).cost <= 2 * align(operators, tags).cost


def test_a_network_of_600_operators_is_aligned_within_a_second() -> None:
    operators = ("CONV_2D", "ADD", "DEPTHWISE_CONV_2D", "PAD", "CONCATENATION", "MUL") * 100
    tags = (
        "Fully Connected (NC, F32) GEMM",
        "Add (ND)",
        "Clamp (NC)",
        "Convolution (NHWC, F32) DWConv",
        "Copy (NC, X32)",
        "Multiply (ND)",
    ) * 100
    began = time.process_time()
    found = align(operators, tags)
    assert found.unexplained == 0
    assert time.process_time() - began < 1.0
