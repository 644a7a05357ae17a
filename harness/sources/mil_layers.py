"""Layers written as an ML Program by coremltools' builder: float32, channels second, for iOS15 and newer.

Weights come in TFLite's order and are transposed. SAME is written as the padding that TensorFlow means by it, which
Core ML's own `same` is not for even sizes. What TFLite fuses into an operator is one of its own behind it: the
convolution has the layer's name, its activation `<name>/relu`. Core ML's names have `_` where these have `/`.
Operators: coremltools, converters/mil/mil/ops/defs/iOS15.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.target import Target
from harness.sources.layers import Array, Layers, Tensor
from harness.sources.mil_package import write_package
from harness.toolkit import import_coremltools, quietly

TARGET = Target.IOS15
"""What the shipped models are written for: the oldest target of ML Programs."""
_ACTIVATIONS = {"RELU": "relu", "RELU6": "relu6"}
_EPSILON = 1e-5  # coremltools makes a batch norm of a product and a sum, but without taking its epsilon back
_CHANNELS_SECOND = (0, 3, 1, 2)
_CHANNELS_LAST = (0, 2, 3, 1)


def write_layers(lay: Callable[[Layers], None], path: Path, description: str, image: Sequence[int]) -> None:
    """Write the network that lay describes as an `.mlpackage`, a folder that is not there yet. Raises OSError."""
    ct = import_coremltools()
    with tempfile.TemporaryDirectory() as scratch, quietly():
        model = ct.convert(
            _program(lay, image),
            source="milinternal",
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=getattr(ct.target, TARGET),
            skip_model_load=True,
            package_dir=f"{scratch}/converted.mlpackage",
        )
        model.short_description = description
        write_package(model, path)


def _program(lay: Callable[[Layers], None], image: Sequence[int]) -> Any:  # noqa: ANN401 (coremltools has no types)
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb

    def build(image: Any) -> list[Any]:  # noqa: ANN401 (the input is called as the argument is)
        layers = MilLayers(mb, image)
        lay(layers)
        return layers.outputs

    spec = mb.TensorSpec(shape=tuple(image[i] for i in _CHANNELS_SECOND))
    return mb.program(input_specs=[spec], opset_version=getattr(ct.target, TARGET))(build)


class MilLayers(Layers):
    """A program under construction, inside the builder's function; `outputs` are its own after `end`."""

    def __init__(self, builder: Any, image: Any) -> None:  # noqa: ANN401 (coremltools has no types)
        self._mb = builder
        self.image = _layer(image)
        self.outputs: list[Any] = []

    def convolve(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, padding: str, activation: str
    ) -> Tensor:
        weights = filters.transpose(0, 3, 1, 2)
        return self._slide(x, weights, bias, name, stride, padding, activation, groups=1)

    def filter_depthwise(
        self, x: Tensor, filters: Array, bias: Array, *, name: str, stride: int, activation: str
    ) -> Tensor:
        weights = filters.transpose(3, 0, 1, 2)
        return self._slide(x, weights, bias, name, stride, "SAME", activation, groups=len(weights))

    def dense(self, x: Tensor, weights: Array, bias: Array, *, name: str, activation: str = "NONE") -> Tensor:
        out = self._mb.linear(x=x.handle, weight=_after(x, weights), bias=bias, name=name)
        return self._activate(out, name, activation)

    def pad(self, x: Tensor, amount: int, *, name: str) -> Tensor:
        around = [0, 0, 0, 0, amount, amount, amount, amount]
        return _layer(self._mb.pad(x=x.handle, pad=around, mode="constant", constant_val=0.0, name=name))

    def pool_largest(self, x: Tensor, *, name: str, size: int, stride: int) -> Tensor:
        windows = {"kernel_sizes": [size, size], "strides": [stride, stride], "pad_type": "valid"}
        return _layer(self._mb.max_pool(x=x.handle, **windows, name=name))

    def pool_average(self, x: Tensor, *, name: str, size: int) -> Tensor:
        windows = {"kernel_sizes": [size, size], "strides": [1, 1], "exclude_padding_from_average": True}
        around = _padding(x, (size, size), 1, "SAME")
        return _layer(self._mb.avg_pool(x=x.handle, **windows, pad_type="custom", pad=around, name=name))

    def average(self, x: Tensor, *, name: str, keep: bool = False) -> Tensor:
        return _layer(self._mb.reduce_mean(x=x.handle, axes=[2, 3], keep_dims=keep, name=name))

    def flatten(self, x: Tensor, *, name: str) -> Tensor:
        row = self._mb.reshape(x=x.handle, shape=[1, prod(x.shape)], name=name)
        return Tensor(shape=row.shape, handle=row, image=x.shape)

    def split_rows(self, x: Tensor, width: int, *, name: str) -> Tensor:
        last = self._mb.transpose(x=x.handle, perm=_CHANNELS_LAST, name=f"{name}/channels_last")
        return _layer(self._mb.reshape(x=last, shape=[1, prod(x.shape) // width, width], name=name))

    def join(self, parts: Sequence[Tensor], axis: int, *, name: str) -> Tensor:
        place = _CHANNELS_SECOND.index(axis) if len(parts[0].shape) == 4 else axis
        return _layer(self._mb.concat(values=[part.handle for part in parts], axis=place, name=name))

    def add(self, left: Tensor, right: Tensor, *, name: str, activation: str = "NONE") -> Tensor:
        return self._activate(self._mb.add(x=left.handle, y=right.handle, name=name), name, activation)

    def normalise(self, x: Tensor, scale: Array, offset: Array, *, name: str) -> Tensor:
        mean, variance = np.zeros_like(scale), np.full_like(scale, 1 - _EPSILON)
        out = self._mb.batch_norm(
            x=x.handle, mean=mean, variance=variance, gamma=scale, beta=offset, epsilon=_EPSILON, name=f"{name}/active"
        )
        return self._activate(out, f"{name}/active", "RELU")

    def softmax(self, x: Tensor, *, name: str) -> Tensor:
        return _layer(self._mb.softmax(x=x.handle, axis=-1, name=name))

    def end(self, outputs: Mapping[str, Tensor]) -> None:
        self.outputs = [
            tensor.handle if tensor.handle.name == name else self._mb.identity(x=tensor.handle, name=name)
            for name, tensor in outputs.items()  # the builder calls an output as its operation is called
        ]

    def _slide(
        self,
        x: Tensor,
        weights: Array,
        bias: Array,
        name: str,
        stride: int,
        padding: str,
        activation: str,
        *,
        groups: int,
    ) -> Tensor:
        out = self._mb.conv(
            x=x.handle,
            weight=np.ascontiguousarray(weights),
            bias=bias,
            strides=[stride, stride],
            pad_type="custom",
            pad=_padding(x, weights.shape[2:], stride, padding),
            groups=groups,
            name=name,
        )
        return self._activate(out, name, activation)

    def _activate(self, x: Any, name: str, activation: str) -> Tensor:  # noqa: ANN401 (coremltools has no types)
        if activation == "NONE":
            return _layer(x)
        return _layer(getattr(self._mb, _ACTIVATIONS[activation])(x=x, name=f"{name}/{_ACTIVATIONS[activation]}"))


def _layer(variable: Any) -> Tensor:  # noqa: ANN401 (coremltools has no types)
    shape = tuple(int(size) for size in variable.shape)
    return Tensor(shape=tuple(shape[i] for i in _CHANNELS_LAST) if len(shape) == 4 else shape, handle=variable)


def _after(x: Tensor, weights: Array) -> Array:
    """Weights (out, in) of a dense layer; behind a flattened image their columns go in the order of its channels."""
    if x.image is None:
        return weights
    _, height, width, channels = x.image
    by_place = weights.reshape(-1, height, width, channels)
    return np.ascontiguousarray(by_place.transpose(_CHANNELS_SECOND)).reshape(weights.shape)


def _padding(x: Tensor, size: Sequence[int], stride: int, padding: str) -> list[int]:
    """Rows above and below, columns left and right; an odd one goes below and right, as in TensorFlow."""
    if padding == "VALID":
        return [0, 0, 0, 0]
    totals = [
        max((ceil(length / stride) - 1) * stride + window - length, 0)
        for length, window in zip(x.shape[1:3], size, strict=True)
    ]
    return [amount for total in totals for amount in (total // 2, total - total // 2)]
