"""What the architecture skeletons share: seeded weights, and layers as TensorFlow's converter leaves them.

A batch normalisation behind a convolution is folded into it: only the bias of its four vectors is left. Padding that
comes to the same as SAME is folded too. One description of a network is written in every format.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.sources.layers import Array, Layers, Tensor

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
    """A network under construction: layers of either format, their weights drawn as they are asked for."""

    def __init__(self, layers: Layers, weights: Weights) -> None:
        self.layers = layers
        self.weights = weights

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
        return self.layers.convolve(
            x, filters, _zeros(channels), name=name, stride=stride, padding=padding, activation=activation
        )

    def filter_depthwise(self, x: Tensor, name: str, *, stride: int) -> Tensor:
        """3x3 depthwise convolution, batch normalisation folded in, ReLU6."""
        channels = x.shape[3]
        filters = self.weights.draw_depthwise(channels)
        return self.layers.filter_depthwise(x, filters, _zeros(channels), name=name, stride=stride, activation="RELU6")

    def classify(self, x: Tensor, *, gain: float = 1.0) -> None:
        """Mean over the image and a dense layer, then end the network."""
        pooled = self.layers.average(x, name="pooled")
        weights = self.weights.draw(CLASSES, pooled.shape[1], gain=gain)
        self.score(self.layers.dense(pooled, weights, _zeros(CLASSES), name="logits"))

    def score(self, logits: Tensor) -> None:
        """Softmax, and the end of the network."""
        self.layers.end({"scores": self.layers.softmax(logits, name="scores")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A shipped architecture, written alike in every format: image (1, image, image, 3) in [-1, 1] to its outputs.

    An `.mlpackage` has the same tensors with the channels second. weights makes them from a seed.
    """

    description: str
    image: int
    build: Callable[[Skeleton], None]
    weights: Callable[[int], Weights] = Weights

    def write_tflite(self, seed: int = 0) -> bytes:
        """The bytes of a .tflite."""
        from harness.sources.tflite_layers import TfliteLayers

        layers = TfliteLayers(f"{self.description} with random weights", self._shape)
        self._lay(layers, seed)
        return layers.pack()

    def write_mlpackage(self, path: Path, seed: int = 0) -> None:
        """A folder that is not there yet. Raises OSError."""
        from harness.sources.mil_layers import write_layers

        write_layers(
            lambda layers: self._lay(layers, seed), path, f"{self.description} with random weights", self._shape
        )

    @property
    def _shape(self) -> tuple[int, ...]:
        return (1, self.image, self.image, 3)

    def _lay(self, layers: Layers, seed: int) -> None:
        self.build(Skeleton(layers, self.weights(seed)))


def _zeros(count: int) -> Array:
    return np.zeros(count, np.float32)
