"""The architecture skeleton `mobilenet_v2`: MobileNetV2 1.0 at 224x224, with seeded random weights.

The graph is Keras's (`keras.applications.MobileNetV2`) after TensorFlow's converter: batch normalisation folded into
the convolutions, the padding before strided depthwise convolutions fused into SAME; 65 operators, 300.8 million MACs.
It has the real network's size and latency. Its outputs mean nothing.
Source: Sandler et al. 2018, "MobileNetV2", table 2.
"""

from dataclasses import dataclass

import numpy as np

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Tensor

_CLASSES = 1000
_LAST_CHANNELS = 1280


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A run of inverted residual blocks; the first has the stride."""

    expansion: int
    channels: int
    blocks: int
    stride: int


STAGES = (
    Stage(expansion=1, channels=16, blocks=1, stride=1),
    Stage(expansion=6, channels=24, blocks=2, stride=2),
    Stage(expansion=6, channels=32, blocks=3, stride=2),
    Stage(expansion=6, channels=64, blocks=4, stride=2),
    Stage(expansion=6, channels=96, blocks=3, stride=1),
    Stage(expansion=6, channels=160, blocks=3, stride=2),
    Stage(expansion=6, channels=320, blocks=1, stride=1),
)


class Weights:
    """Seeded weights that keep activations at a useful size through the whole depth.

    Uniform with He's variance (He et al. 2015, equation 10). Filters over more than one channel are centred: inputs
    behind a ReLU6 are all positive, and without centring their mean, the same for every image, would drown the rest.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def draw(self, *shape: int, gain: float = 1.0) -> Array:
        """float32 weights; the fan-in is all dimensions but the first."""
        fan_in = int(np.prod(shape[1:]))
        values = self._rng.random((shape[0], fan_in), np.float32) - np.float32(0.5)
        if shape[-1] > 1:
            values -= values.mean(1, keepdims=True)
        return (values * np.float32(gain * (24 / fan_in) ** 0.5)).reshape(shape)

    def draw_depthwise(self, channels: int) -> Array:
        """3x3 filters, one a channel, (1, 3, 3, channels)."""
        return np.ascontiguousarray(self.draw(channels, 9, 1).reshape(channels, 3, 3).transpose(1, 2, 0)[None])


def build(seed: int = 0) -> bytes:
    """The .tflite: image (1, 224, 224, 3) in [-1, 1] to scores (1, 1000)."""
    weights = Weights(seed)
    writer = ModelWriter("mobilenet_v2 1.0 224 with random weights")
    graph = writer.graph()
    image = graph.input("image", (1, 224, 224, 3))
    x = _pointwise(graph, weights, image, 32, "stem", size=3, stride=2)
    number = 0
    for stage in STAGES:
        for i in range(stage.blocks):
            x = _block(graph, weights, x, stage, stage.stride if i == 0 else 1, f"block{number}")
            number += 1
    x = _pointwise(graph, weights, x, _LAST_CHANNELS, "last")
    x = ops.mean(graph, x, (1, 2), name="pooled")
    x = ops.fully_connected(graph, x, weights.draw(_CLASSES, _LAST_CHANNELS), _zeros(_CLASSES), name="logits")
    scores = ops.softmax(graph, x, name="scores")
    graph.output(scores)
    writer.signature(graph, {"image": image}, {"scores": scores}, "serving_default")
    return writer.pack()


def _block(graph: GraphWriter, weights: Weights, x: Tensor, stage: Stage, stride: int, name: str) -> Tensor:
    """Expand, filter, project; add the input where shapes allow."""
    wide = x.shape[3] * stage.expansion
    out = x if stage.expansion == 1 else _pointwise(graph, weights, x, wide, f"{name}/expand")
    out = ops.depthwise_conv_2d(
        graph,
        out,
        weights.draw_depthwise(wide),
        _zeros(wide),
        name=f"{name}/depthwise",
        stride=stride,
        activation="RELU6",
    )
    out = _pointwise(graph, weights, out, stage.channels, f"{name}/project", activation="NONE")
    return ops.add(graph, x, out, name=f"{name}/add") if stride == 1 and x.shape == out.shape else out


def _pointwise(
    graph: GraphWriter,
    weights: Weights,
    x: Tensor,
    channels: int,
    name: str,
    *,
    size: int = 1,
    stride: int = 1,
    activation: str = "RELU6",
) -> Tensor:
    filters = weights.draw(channels, size, size, x.shape[3])
    return ops.conv_2d(graph, x, filters, _zeros(channels), name=name, stride=stride, activation=activation)


def _zeros(count: int) -> Array:
    return np.zeros(count, np.float32)
