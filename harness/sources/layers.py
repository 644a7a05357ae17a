"""Layers that every format of the shipped networks has: one description of a network, a writer for each format.

Shapes and weights are TFLite's, NHWC, whatever the format: a writer turns both into its own order, so that the same
weights give the same numbers everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """What a layer yields: its shape, (1, height, width, channels) for images, and the writer's own handle of it.

    image is the shape of the image that was flattened to it, where that is so.
    """

    shape: tuple[int, ...]
    handle: Any
    image: tuple[int, ...] | None = None


class Layers(Protocol):
    """A network under construction, of one input. Names are unique in it; activations: `NONE`, `RELU`, `RELU6`."""

    image: Tensor
    """The input `image`, float32 (1, height, width, channels)."""

    def convolve(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, padding: str, activation: str
    ) -> Tensor:
        """filters (out, height, width, in), bias (out,), padding `SAME` or `VALID` as TensorFlow means them."""

    def filter_depthwise(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, activation: str
    ) -> Tensor:
        """Padded as SAME; filters (1, height, width, channels), one a channel."""

    def dense(self, x: Tensor, weights: Array, bias: Array, *, name: str, activation: str = "NONE") -> Tensor:
        """x (1, in); weights (out, in)."""

    def pad(self, x: Tensor, amount: int, *, name: str) -> Tensor:
        """Zeros on all four sides of an image."""

    def pool_largest(self, x: Tensor, *, name: str, size: int, stride: int) -> Tensor:
        """The greatest of square windows, not padded."""

    def pool_average(self, x: Tensor, *, name: str, size: int) -> Tensor:
        """Mean of square windows at each place, padded as SAME; what is outside the image does not count."""

    def average(self, x: Tensor, *, name: str, keep: bool = False) -> Tensor:
        """Mean over the image, (1, channels); keep leaves it (1, 1, 1, channels)."""

    def flatten(self, x: Tensor, *, name: str) -> Tensor:
        """An image as a row, (1, height * width * channels)."""

    def split_rows(self, x: Tensor, width: int, *, name: str) -> Tensor:
        """The channels at each place cut into rows of that width: (1, height * width * channels / width, width)."""

    def join(self, parts: Sequence[Tensor], axis: int, *, name: str) -> Tensor:
        """Parts one behind the other along an axis of their shapes."""

    def add(self, left: Tensor, right: Tensor, *, name: str, activation: str = "NONE") -> Tensor:
        """Elementwise sum of one shape."""

    def normalise(self, x: Tensor, scale: Array, offset: Array, *, name: str) -> Tensor:
        """A batch normalisation with no convolution to go into, and ReLU: `<name>/scaled`, then `<name>/active`."""

    def softmax(self, x: Tensor, *, name: str) -> Tensor:
        """Softmax over the last dimension."""

    def end(self, outputs: Mapping[str, Tensor]) -> None:
        """Name what the network gives, in this order. The last call."""
