"""Multiply-accumulates by the shapes in the file."""

from harness.sources.macs import macs
from harness.sources.tflite_file import OperatorRecord, TensorRecord


def _macs(kind: str, *shapes: tuple[int, ...], adj_x: bool = False) -> int | None:
    """Of an operator with inputs of all shapes but the last, which is the output's."""
    tensors = tuple(
        TensorRecord(
            name="",
            shape=shape,
            signature_shape=(),
            dtype="float32",
            buffer=None,
            buffer_bytes=0,
            scales=(),
            zero_points=(),
            sparse=False,
            external=False,
        )
        for shape in shapes
    )
    inputs = tuple(range(len(shapes) - 1))
    return macs(OperatorRecord(type=kind, inputs=inputs, outputs=(len(shapes) - 1,), adj_x=adj_x), tensors)


def test_convolution() -> None:
    assert _macs("CONV_2D", (1, 8, 8, 3), (16, 3, 3, 3), (1, 4, 4, 16)) == 4 * 4 * 16 * 27


def test_grouped_convolution_counts_a_groups_channels() -> None:
    assert _macs("CONV_2D", (1, 8, 8, 6), (16, 3, 3, 3), (1, 4, 4, 16)) == 4 * 4 * 16 * 27


def test_depthwise_convolution() -> None:
    assert _macs("DEPTHWISE_CONV_2D", (1, 8, 8, 16), (1, 3, 3, 16), (1, 8, 8, 16)) == 8 * 8 * 16 * 9


def test_convolution_in_three_dimensions() -> None:
    assert _macs("CONV_3D", (1, 4, 4, 4, 2), (3, 3, 3, 2, 5), (1, 4, 4, 4, 5)) == 64 * 5 * 54


def test_fully_connected_counts_every_row() -> None:
    assert _macs("FULLY_CONNECTED", (6, 64), (10, 64), (6, 10)) == 6 * 10 * 64


def test_transposed_convolution_counts_inputs() -> None:
    assert _macs("TRANSPOSE_CONV", (4,), (5, 3, 3, 4), (1, 6, 6, 4), (1, 12, 12, 5)) == 6 * 6 * 4 * 5 * 9


def test_batch_matmul_on_either_side() -> None:
    assert _macs("BATCH_MATMUL", (2, 3, 4), (2, 4, 5), (2, 3, 5)) == 2 * 3 * 5 * 4
    assert _macs("BATCH_MATMUL", (2, 4, 3), (2, 4, 5), (2, 3, 5), adj_x=True) == 2 * 3 * 5 * 4


def test_no_formula_is_unknown_not_zero() -> None:
    assert _macs("SOFTMAX", (1, 10), (1, 10)) is None


def test_an_open_shape_is_unknown() -> None:
    assert _macs("FULLY_CONNECTED", (-1, 64), (10, 64), (-1, 10)) is None


def test_a_shape_that_does_not_fit_the_operator_is_unknown() -> None:
    assert _macs("DEPTHWISE_CONV_2D", (1, 8, 8, 16), (3,), (1, 8, 8, 16)) is None
    assert _macs("CONV_2D", (1, 8, 8, 3), (1, 4, 4, 16)) is None
