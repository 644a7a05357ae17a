"""Whether XNNPACK's sparse kernels can apply: one network that its documentation describes, and one flaw at a time."""

from dataclasses import dataclass

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from harness.sources import mobilenet_v2
from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Tensor, pack
from harness.variants.tflite.sparse_kernels import Verdict, verdict
from tests.support.recipes import compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A small MobileNet as sparse inference wants it; each field is a place to break it."""

    stem_padding: tuple[int, int] = (1, 1)
    stem_channels: int = 3
    filter_padding: tuple[int, int] | None = (1, 1)
    filter_size: int = 3
    filter_stride: int = 2
    between: str = "RELU6"
    pooled_axes: tuple[int, ...] = (1, 2)
    pointwise_stride: int = 1
    with_tap: bool = False

    def build(self) -> bytes:
        writer = ModelWriter()
        graph = writer.graph()
        image = graph.input("image", (1, 33, 33, self.stem_channels))
        x = padded(graph, image, self.stem_padding, "stem")
        x = ops.conv_2d(
            graph, x, weights(32, 3, 3, self.stem_channels), bias(32), name="stem", stride=2, padding="VALID"
        )
        x = self._block(graph, x)
        tap = x
        x = ops.conv_2d(graph, x, weights(96, 1, 1, 64), bias(96), name="last", stride=self.pointwise_stride)
        x = ops.mean(graph, x, self.pooled_axes, name="pooled", keep=True)
        x = ops.reshape(graph, x, (1, x.shape[1] * x.shape[2] * x.shape[3]), name="flat")
        outputs = {"y": ops.fully_connected(graph, x, weights(10, x.shape[1]), bias(10), name="y")}
        if self.with_tap:
            outputs["tap"] = ops.softmax(graph, tap, name="tap")
        graph.output(*outputs.values())
        writer.signature(graph, {"image": image}, outputs, "serving_default")
        return writer.pack()

    def _block(self, graph: GraphWriter, x: Tensor) -> Tensor:
        """Expand, filter, project, and add what a second projection makes."""
        x = ops.conv_2d(graph, x, weights(64, 1, 1, 32), bias(64), name="expand", activation="RELU6")
        x = ops.unary(graph, self.between, x, name="between")
        padding = "SAME" if self.filter_padding is None else "VALID"
        if self.filter_padding is not None:
            x = padded(graph, x, self.filter_padding, "filter")
        filters = weights(1, self.filter_size, self.filter_size, 64)
        x = ops.depthwise_conv_2d(
            graph, x, filters, bias(64), name="filter", stride=self.filter_stride, padding=padding
        )
        projected = ops.conv_2d(graph, x, weights(64, 1, 1, 64), bias(64), name="project")
        return ops.add(graph, x, projected, name="sum")


def weights(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def bias(channels: int) -> Array:
    return np.zeros(channels, np.float32)


def padded(graph: GraphWriter, x: Tensor, sides: tuple[int, int], name: str) -> Tensor:
    return ops.pad(graph, x, ((0, 0), sides, sides, (0, 0)), name=f"{name}/padded")


def encoded(content: bytes, percent: int = 80) -> bytes:
    return compressed(content, f"sparse-{percent}-encoded")


def test_the_documented_network_can_run_sparse() -> None:
    assert verdict(encoded(Network().build())) == Verdict(able=3, pointwise=3, reason=None)


def test_the_verdict_says_what_was_never_tried() -> None:
    assert str(verdict(encoded(Network().build()))) == (
        "XNNPACK's sparse kernels can apply on ARM, by the file (never run there): 3 of 3 1x1 convolutions; "
        "on x86-64 expect the speed of dense weights"
    )


FLAWS = {
    "uneven stem": (
        Network(stem_padding=(0, 1)),
        "CONV_2D 'stem' needs a PAD of 1 on each side and has (0, 1, 0, 1) at top, bottom, left and right",
    ),
    "four channels": (
        Network(stem_channels=4),
        "CONV_2D 'stem' is neither 1x1 nor 3x3 with stride 2 on 3 channels",
    ),
    "uneven filter": (
        Network(filter_padding=(0, 1)),
        "DEPTHWISE_CONV_2D 'filter' needs a PAD of 1 on each side and has (0, 1, 0, 1) at top, bottom, left and right",
    ),
    "SAME with a stride": (
        Network(filter_padding=None),
        "DEPTHWISE_CONV_2D 'filter' needs a PAD of 1 on each side and has SAME padding",
    ),
    "7x7": (
        Network(filter_size=7, filter_padding=(3, 3)),
        "DEPTHWISE_CONV_2D 'filter' is neither 3x3 nor 5x5 with stride 1 or 2",
    ),
    "an operator without a sparse twin": (Network(between="TANH"), "TANH 'between' has no sparse kernel beside it"),
    "a mean over channels": (
        Network(pooled_axes=(3,)),
        "MEAN 'pooled' does not average over height and width",
    ),
    "a value read outside": (Network(with_tap=True), "SOFTMAX 'tap' has no sparse kernel beside it"),
}


@pytest.mark.parametrize(("network", "reason"), FLAWS.values(), ids=FLAWS.keys())
def test_a_flaw_is_named_with_its_operator(network: Network, reason: str) -> None:
    found = verdict(encoded(network.build()))
    assert (found.able, found.reason) == (0, reason)


@pytest.mark.parametrize(
    "network",
    [
        Network(filter_stride=1, filter_padding=None),
        Network(filter_size=5, filter_padding=(2, 2)),
        Network(filter_size=5, filter_stride=1, filter_padding=None),
        Network(between="LOGISTIC"),
    ],
    ids=["stride 1", "5x5", "5x5 stride 1", "another unary"],
)
def test_what_the_documentation_allows_may_stay(network: Network) -> None:
    assert verdict(encoded(network.build())).able == 3


def test_two_thirds_of_zeros_are_not_enough() -> None:
    found = verdict(encoded(Network().build(), 66))
    assert (found.able, found.reason) == (
        0,
        "66% of the weights in the 1x1 convolutions are zero, more than two thirds must be",
    )
    assert verdict(encoded(Network().build(), 67)).able == 3


def test_a_strided_convolution_is_left_out_and_named() -> None:
    found = verdict(encoded(Network(pointwise_stride=2).build()))
    assert (found.able, found.pointwise, found.reason) == (0, 3, "CONV_2D 'last' is strided or padded")


def test_dense_weights_never_run_sparse() -> None:
    assert verdict(Network().build()).reason == "no weight is stored in the sparse encoding"


def test_without_pointwise_convolutions_there_is_nothing_to_gain() -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 64))
    y = ops.fully_connected(graph, x, weights(96, 64), bias(96), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    assert verdict(encoded(writer.pack())).reason == "it has no 1x1 convolution"


def test_keras_padding_keeps_mobilenet_dense() -> None:
    """As measured on an emulated ARM core: 0.91 of the dense latency, against 0.28 with symmetric padding."""
    assert verdict(encoded(mobilenet_v2.NETWORK.write_tflite(), 90)).able == 0


def test_a_convolution_without_options_is_no_part_of_it() -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(encoded(Network().build()), 0))
    last = next(
        o for o in reversed(model.subgraphs[0].operators) if isinstance(o.builtinOptions, schema.Conv2DOptionsT)
    )
    last.builtinOptions, last.builtinOptionsType = None, 0
    assert verdict(pack(model)).reason == "CONV_2D 'last' has no options in the file"
