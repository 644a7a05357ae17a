"""The table of kernels: what a tag is called, and what it is to an operator."""

import pytest

from devices.runtimes.litert_kernels import ELIDED, LOST, Part, kernel_name, part_of, price_of


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("Fully Connected (NC, QDU8, F32, QC8W) GEMM", "fullyconnected"),
        ("Convolution (NHWC, F32) DWConv", "convolution"),
        ("LeakyReLU (NC)", "leakyrelu"),
        ("Leaky ReLU (NC, F32)", "leakyrelu"),
        ("Invalid Unary Op", "invalidunaryop"),
        ("", ""),
    ],
)
def test_a_kernels_name_is_what_stands_before_its_layout(tag: str, name: str) -> None:
    assert kernel_name(tag) == name


# Each of these was seen when the operator was run alone: tests/support/one_op.py, docs/per-op.md.
@pytest.mark.parametrize(
    ("operator", "tag"),
    [
        ("CONV_2D", "Fully Connected (NC, F32) GEMM"),
        ("DEPTHWISE_CONV_2D", "Convolution (NHWC, F32) IGEMM"),
        ("TRANSPOSE_CONV", "Deconvolution (NHWC, F32) Subconv2D"),
        ("BATCH_MATMUL", "Batch Matrix Multiply (NC, F32) GEMM"),
        ("MUL", "Square (NC)"),
        ("MAXIMUM", "Clamp (NC)"),
        ("AVERAGE_POOL_2D", "Copy (NC, X32)"),
        ("ROUND", "Bankders Rounding (NC)"),
        ("GELU", "ApproxGELU (NC)"),
        ("SPLIT", "Copy (NC, X32)"),
        ("MEAN", "Mean Squared (ND) Reduce2"),
        ("DEPTH_TO_SPACE", "Depth To Space (NHWC, X32) Transpose"),
        ("QUANTIZE", "Convert (NC)"),
    ],
)
def test_a_kernel_that_was_seen_alone_is_the_operators_main_one(operator: str, tag: str) -> None:
    assert part_of(operator, tag) is Part.MAIN


def test_a_kernel_of_another_kind_is_unknown() -> None:
    assert part_of("CONV_2D", "Softmax (NC, F32)") is Part.UNKNOWN


def test_a_kernel_that_only_moves_data_is_a_stray() -> None:
    assert part_of("SOFTMAX", "Copy (NC, X32)") is Part.STRAY


def test_any_kernel_of_an_operator_without_a_rule_is_unknown() -> None:
    assert part_of("NEW_OPERATOR", "Copy (NC, X32)") is Part.UNKNOWN


def test_an_operator_that_the_delegate_folds_away_vanishes_at_little_cost() -> None:
    assert price_of("RESHAPE", ()) == ELIDED
    assert price_of("CONV_2D", ()) == LOST


def test_an_explained_helper_costs_less_than_one_on_the_wrong_side() -> None:
    expected = price_of("ADD", ("Add (ND)", "Clamp (NC)"))
    assert 0 < expected < price_of("ADD", ("Clamp (NC)", "Add (ND)"))


def test_an_unknown_kernel_costs_more_than_two_operators_lost() -> None:
    assert price_of("CONV_2D", ("Unheard Of (NC)",)) > 2 * LOST
