"""What the architecture skeletons share: seeded weights, and layers as TensorFlow's converter leaves them.

A batch normalisation behind a convolution is folded into it: only the bias of its four vectors is left. Padding that
comes to the same as SAME is folded too. ReLU is part of the operator before it.
"""

import numpy as np

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Tensor

CLASSES = 1000


class Weights:
    """Seeded weights that keep activations at a useful size through the whole depth.

    Uniform with He's variance (He et al. 2015, equation 10), the deviation times gain. Filters over more than one
    channel are centred: inputs behind a ReLU are all positive, and without centring their mean, the same for every
    image, would drown the rest. centred is how much of the mean goes, 1 for all of it: the more goes, the more two
    images differ behind each layer, but noise grows with them. At 0.7 int8 keeps 15 dB or more of the logits of all
    these networks, and they still tell images apart. gain makes up for the variance that goes with the mean.
    """

    def __init__(self, seed: int, *, centred: float = 0.7, gain: float = 1.18) -> None:
        self._rng = np.random.default_rng(seed)
        self._centred, self._gain = np.float32(centred), gain

    def draw(self, *shape: int, gain: float = 1.0) -> Array:
        """float32 weights; the fan-in is all dimensions but the first."""
        fan_in = int(np.prod(shape[1:]))
        values = self._rng.random((shape[0], fan_in), np.float32) - np.float32(0.5)
        if shape[-1] > 1:
            values -= values.mean(1, keepdims=True) * self._centred
        return (values * np.float32(gain * self._gain * (24 / fan_in) ** 0.5)).reshape(shape)

    def draw_around(self, centre: float, spread: float, count: int) -> Array:
        """float32 values (count,), within spread of centre."""
        return self._rng.uniform(centre - spread, centre + spread, count).astype(np.float32)

    def draw_depthwise(self, channels: int) -> Array:
        """3x3 filters, one a channel, (1, 3, 3, channels)."""
        return np.ascontiguousarray(self.draw(channels, 9, 1).reshape(channels, 3, 3).transpose(1, 2, 0)[None])


class Skeleton:
    """A classifier under construction: image (1, size, size, 3) in [-1, 1] to scores (1, 1000)."""

    def __init__(self, description: str, size: int, weights: Weights) -> None:
        self._writer = ModelWriter(f"{description} with random weights")
        self.weights = weights
        self.graph: GraphWriter = self._writer.graph()
        self.image = self.graph.input("image", (1, size, size, 3))

    def convolve(
        self,
        x: Tensor,
        channels: int,
        name: str,
        *,
        size: int | tuple[int, int] = 1,
        stride: int = 1,
        padding: str = "SAME",
        activation: str = "RELU",
        gain: float = 1.0,
    ) -> Tensor:
        """Convolution, batch normalisation folded in, activation."""
        height, width = (size, size) if isinstance(size, int) else size
        filters = self.weights.draw(channels, height, width, x.shape[3], gain=gain)
        bias = np.zeros(channels, np.float32)
        return ops.conv_2d(
            self.graph, x, filters, bias, name=name, stride=stride, padding=padding, activation=activation
        )

    def filter_depthwise(self, x: Tensor, name: str, *, stride: int) -> Tensor:
        """3x3 depthwise convolution, batch normalisation folded in, ReLU6."""
        channels = x.shape[3]
        filters = self.weights.draw_depthwise(channels)
        bias = np.zeros(channels, np.float32)
        return ops.depthwise_conv_2d(self.graph, x, filters, bias, name=name, stride=stride, activation="RELU6")

    def pad(self, x: Tensor, amount: int, name: str) -> Tensor:
        """Zeros on all four sides: Keras's ZeroPadding2D where it is not what SAME does."""
        return ops.pad(self.graph, x, ((0, 0), (amount, amount), (amount, amount), (0, 0)), name=name)

    def classify(self, x: Tensor, *, gain: float = 1.0) -> None:
        """Mean over the image and a dense layer, then end the network."""
        x = ops.mean(self.graph, x, (1, 2), name="pooled")
        weights = self.weights.draw(CLASSES, x.shape[1], gain=gain)
        self.end(ops.fully_connected(self.graph, x, weights, np.zeros(CLASSES, np.float32), name="logits"))

    def end(self, logits: Tensor) -> None:
        """Softmax, and the names that callers use."""
        scores = ops.softmax(self.graph, logits, name="scores")
        self.graph.output(scores)
        self._writer.signature(self.graph, {"image": self.image}, {"scores": scores}, "serving_default")

    def pack(self) -> bytes:
        """The .tflite."""
        return self._writer.pack()
