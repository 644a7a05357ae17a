"""Layers written as TFLite operators: activations fused, the graph as TensorFlow's converter leaves it."""

from collections.abc import Mapping, Sequence
from math import prod

from harness.sources import tflite_ops as ops
from harness.sources import tflite_writer as writer
from harness.sources.layers import Array, Layers, Tensor


class TfliteLayers(Layers):
    """A .tflite file under construction."""

    def __init__(self, description: str, image: Sequence[int]) -> None:
        self._writer = writer.ModelWriter(description)
        self._graph = self._writer.graph()
        self.image = _layer(self._graph.input("image", image))

    def convolve(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, padding: str, activation: str
    ) -> Tensor:
        out = ops.conv_2d(
            self._graph, x.handle, filters, bias, name=name, stride=stride, padding=padding, activation=activation
        )
        return _layer(out)

    def filter_depthwise(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, activation: str
    ) -> Tensor:
        out = ops.depthwise_conv_2d(
            self._graph, x.handle, filters, bias, name=name, stride=stride, activation=activation
        )
        return _layer(out)

    def dense(self, x: Tensor, weights: Array, bias: Array, *, name: str, activation: str = "NONE") -> Tensor:
        return _layer(ops.fully_connected(self._graph, x.handle, weights, bias, name=name, activation=activation))

    def pad(self, x: Tensor, amount: int, *, name: str) -> Tensor:
        around = ((0, 0), (amount, amount), (amount, amount), (0, 0))
        return _layer(ops.pad(self._graph, x.handle, around, name=name))

    def pool_largest(self, x: Tensor, *, name: str, size: int, stride: int) -> Tensor:
        return _layer(ops.max_pool_2d(self._graph, x.handle, name=name, size=size, stride=stride))

    def pool_average(self, x: Tensor, *, name: str, size: int) -> Tensor:
        return _layer(ops.average_pool_2d(self._graph, x.handle, name=name, size=size, stride=1, padding="SAME"))

    def average(self, x: Tensor, *, name: str, keep: bool = False) -> Tensor:
        return _layer(ops.mean(self._graph, x.handle, (1, 2), name=name, keep=keep))

    def flatten(self, x: Tensor, *, name: str) -> Tensor:
        return self._reshape(x, (1, prod(x.shape)), name)

    def split_rows(self, x: Tensor, width: int, *, name: str) -> Tensor:
        return self._reshape(x, (1, prod(x.shape) // width, width), name)

    def join(self, parts: Sequence[Tensor], axis: int, *, name: str) -> Tensor:
        return _layer(ops.concatenation(self._graph, [part.handle for part in parts], axis, name=name))

    def add(self, left: Tensor, right: Tensor, *, name: str, activation: str = "NONE") -> Tensor:
        return _layer(ops.add(self._graph, left.handle, right.handle, name=name, activation=activation))

    def normalise(self, x: Tensor, scale: Array, offset: Array, *, name: str) -> Tensor:
        factors = self._graph.constant(f"{name}/scale", scale)
        summands = self._graph.constant(f"{name}/offset", offset)
        scaled = ops.mul(self._graph, x.handle, factors, name=f"{name}/scaled")
        return _layer(ops.add(self._graph, scaled, summands, name=f"{name}/active", activation="RELU"))

    def softmax(self, x: Tensor, *, name: str) -> Tensor:
        return _layer(ops.softmax(self._graph, x.handle, name=name))

    def end(self, outputs: Mapping[str, Tensor]) -> None:
        handles = {name: tensor.handle for name, tensor in outputs.items()}
        self._graph.output(*handles.values())
        self._writer.signature(self._graph, {"image": self.image.handle}, handles, "serving_default")

    def pack(self) -> bytes:
        """The .tflite; the same network gives the same bytes."""
        return self._writer.pack()

    def _reshape(self, x: Tensor, shape: Sequence[int], name: str) -> Tensor:
        return _layer(ops.reshape(self._graph, x.handle, shape, name=name))


def _layer(tensor: writer.Tensor) -> Tensor:
    return Tensor(shape=tensor.shape, handle=tensor)
