"""The static check for the Edge TPU: what it takes, what it names, and how that is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import GraphWriter, ModelWriter, Tensor
from harness.variants.technique import Calibration
from harness.variants.tflite import int8_edgetpu
from harness.variants.tflite.edgetpu import _RULES, _Operator, check, notes
from harness.variants.tflite.quantizer import quantize
from tests.support import models
from tests.unit.harness.variants.models import dense, encode_and_decode, normal


def quantised(content: bytes, *shapes: tuple[int, ...]) -> bytes:
    rng = np.random.default_rng(0)
    sample = {place: rng.normal(size=shape).astype(np.float32) for place, shape in enumerate(shapes)}
    calibration = Calibration(samples={None: (sample,)}, described="one sample")
    return quantize(content, int8_edgetpu.QUANTIZATION, calibration)


def test_a_quantised_convolutional_network_could_be_on_it_whole() -> None:
    verdict, memory = notes(quantised(models.tiny_cnn(), (1, 8, 8, 3)))
    assert verdict == "Edge TPU (static check, not its compiler): all 4 operators could be on it"
    assert memory == "Edge TPU: 0.0 MiB of parameters fit its 8 MiB on-chip memory"


def test_float_operators_stay_on_the_cpu() -> None:
    assert check(models.tiny_cnn()).reasons[0] == "CONV_2D has float32 tensors"


def test_the_note_names_the_reasons_and_the_first_operator() -> None:
    verdict, _ = notes(quantised(models.partitioned(), (1, 16, 16, 8)))
    assert verdict == (
        "Edge TPU (static check, not its compiler): 6 of 9 operators would stay on the CPU, and with operator 1 "
        "everything behind it: 2 x DEQUANTIZE is not supported; 2 x REVERSE_V2 is not supported; "
        "2 x QUANTIZE has float32 tensors"
    )


def test_more_than_8_mib_of_parameters_do_not_fit() -> None:
    _, memory = notes(quantised(dense(normal(3000, 3000)), (1, 3000)))
    assert memory == "Edge TPU: 8.6 MiB of parameters do not fit its 8 MiB on-chip memory"


def test_several_graphs_stay_on_the_cpu() -> None:
    assert check(encode_and_decode()).reasons == {0: "the file has more than one graph"}


def rows(graph: GraphWriter, x: Tensor) -> Tensor:
    return ops.fully_connected(graph, x, normal(4, 4), np.zeros(4, np.float32), name="rows")


@pytest.mark.parametrize(
    ("shape", "made", "reason"),
    [
        ((2, 4), "fully connected", "FULLY_CONNECTED has an output of more than one dimension"),
        ((1, 20_000), "softmax", "SOFTMAX has more than 16000 elements"),
        ((1, 4, 4, 6), "mean of channels", "MEAN reduces channels that are no multiple of 4"),
        ((2, 4, 4, 4), "mean of the batch", "MEAN has a tensor with more than its 3 innermost dimensions above 1"),
    ],
)
def test_a_limit_of_an_operator_is_named(shape: tuple[int, ...], made: str, reason: str) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", shape)
    y = {
        "fully connected": lambda: rows(graph, x),
        "softmax": lambda: ops.softmax(graph, x, name="y"),
        "mean of channels": lambda: ops.mean(graph, x, (3,), name="y"),
        "mean of the batch": lambda: ops.mean(graph, x, (0,), name="y"),
    }[made]()
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    assert list(check(quantised(writer.pack(), shape)).reasons.values()) == [reason]


def an_operator(
    type: str, inputs: tuple[tuple[int, ...], ...], constants: tuple[object, ...], **options: int
) -> _Operator:
    return _Operator(
        type=type,
        options=SimpleNamespace(**options),
        inputs=inputs,
        outputs=((2, 1, 4, 4),),
        constants=constants,
        filled=tuple(each is not None for each in constants),
    )


IMAGE = (1, 4, 4, 4)


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (an_operator("PACK", (IMAGE, IMAGE), (None, None), axis=0), "packs the batch"),
        (an_operator("PACK", (IMAGE, IMAGE), (None, None), axis=1), None),
        (an_operator("PAD", (IMAGE, (4, 2)), (None, [1, 0, 0, 0, 0, 0, 0, 0])), "pads the batch"),
        (an_operator("PAD", (IMAGE, (4, 2)), (None, [0, 0, 1, 1, 1, 1, 0, 0])), None),
        (an_operator("PRELU", (IMAGE, (4, 4, 4)), (None, None)), "has an alpha of more than the channels"),
        (an_operator("PRELU", (IMAGE, (1, 1, 4)), (None, None)), None),
        (an_operator("SPLIT", ((), IMAGE), ([0], None)), "splits the batch"),
        (an_operator("SPLIT", ((), IMAGE), ([3], None)), None),
        (an_operator("CONCATENATION", (IMAGE,) * 3, (None, None, [0])), "joins a constant to several tensors"),
        (an_operator("CONCATENATION", (IMAGE,) * 2, (None, [0])), None),
        (
            an_operator("STRIDED_SLICE", (IMAGE,), (None,), ellipsisMask=0, newAxisMask=1),
            "has an ellipsis or a new axis",
        ),
    ],
)
def test_the_limits_of_the_table_are_those_of_its_copies(operator: _Operator, reason: str | None) -> None:
    assert next((found for rule in _RULES[operator.type] if (found := rule(operator))), None) == reason
