"""A layer written in both formats computes the same: LiteRT on the one, the reference of ML Programs on the other."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.fidelity.evaluation import Dataset
from harness.fidelity.litert import run_on_host
from harness.fidelity.mil.reference import run_program
from harness.sources.layers import Layers, Tensor
from harness.sources.mil_layers import write_layers
from harness.sources.tflite_layers import TfliteLayers
from tests.support.models import write_model

Array = NDArray[Any]
IMAGE = (1, 7, 10, 6)
RNG_SEED = 5


def drawn(*shape: int) -> Array:
    return np.random.default_rng(RNG_SEED).standard_normal(shape).astype(np.float32)


def convolution(size: int, stride: int, padding: str, activation: str) -> Callable[[Layers], Tensor]:
    def lay(net: Layers) -> Tensor:
        weights, bias = drawn(9, size, size + 1, 6), drawn(9)
        options = {"stride": stride, "padding": padding, "activation": activation}
        return net.convolve(net.image, weights, bias, name="out", **options)  # type: ignore[arg-type]

    return lay


def depthwise(stride: int) -> Callable[[Layers], Tensor]:
    def lay(net: Layers) -> Tensor:
        weights, bias = drawn(1, 3, 3, 6), drawn(6)
        return net.filter_depthwise(net.image, weights, bias, name="out", stride=stride, activation="RELU6")

    return lay


def dense_behind_an_image(net: Layers) -> Tensor:
    flat = net.flatten(net.image, name="flat")
    hidden = net.dense(flat, drawn(8, 420), drawn(8), name="hidden", activation="RELU")
    return net.dense(hidden, drawn(5, 8), drawn(5), name="out")


def dense_behind_a_mean(net: Layers) -> Tensor:
    return net.dense(net.average(net.image, name="mean"), drawn(5, 6), drawn(5), name="out")


def rows_of_two_maps(net: Layers) -> Tensor:
    pooled = net.pool_largest(net.image, name="pool", size=2, stride=2)
    parts = [net.split_rows(x, 3, name=f"rows{i}") for i, x in enumerate((net.image, pooled))]
    return net.softmax(net.join(parts, 1, name="joined"), name="out")


def channels_of_two_images(net: Layers) -> Tensor:
    pooled = net.pool_average(net.image, name="pool", size=3)
    return net.join((net.image, pooled), 3, name="out")


LAYERS = {
    "convolution": convolution(3, 1, "SAME", "NONE"),
    "convolution-strided": convolution(3, 2, "SAME", "RELU"),
    "convolution-strided-past-its-window": convolution(1, 3, "SAME", "RELU"),
    "convolution-valid": convolution(2, 2, "VALID", "RELU6"),
    "depthwise": depthwise(1),
    "depthwise-strided": depthwise(2),
    "dense-behind-an-image": dense_behind_an_image,
    "dense-behind-a-mean": dense_behind_a_mean,
    "mean-kept": lambda net: net.flatten(net.average(net.image, name="mean", keep=True), name="out"),
    "pad": lambda net: net.pad(net.image, 2, name="out"),
    "pool-largest": lambda net: net.pool_largest(net.image, name="out", size=3, stride=2),
    "channels-of-two-images": channels_of_two_images,
    "rows-of-two-maps": rows_of_two_maps,
    "add": lambda net: net.add(net.image, net.image, name="out", activation="RELU"),
    "normalise": lambda net: net.normalise(net.image, drawn(6), drawn(6), name="out"),
}


@pytest.mark.parametrize("lay", LAYERS.values(), ids=LAYERS)
def test_a_layer_is_the_same_in_both_formats(lay: Callable[[Layers], Tensor], tmp_path: Path) -> None:
    tflite, program = outputs(lay, tmp_path)
    np.testing.assert_allclose(program, tflite, rtol=1e-5, atol=1e-5)


def outputs(lay: Callable[[Layers], Tensor], folder: Path) -> Iterator[Array]:
    """What the layer gives for a random image, by LiteRT and by the reference; images with their channels last."""

    def end(net: Layers) -> None:
        net.end({"out": lay(net)})

    layers = TfliteLayers("one layer", IMAGE)
    end(layers)
    write_layers(end, folder / "layer.mlpackage", "one layer", IMAGE)
    image = drawn(*IMAGE)
    (tflite,) = run_on_host(write_model(folder, layers.pack()), dataset(image))
    (program,) = run_program(folder / "layer.mlpackage", dataset(image.transpose(0, 3, 1, 2)))
    assert tflite.values is not None
    assert program.values is not None
    yield tflite.values[0]
    yield program.values[0].transpose(0, 2, 3, 1) if tflite.values[0].ndim == 4 else program.values[0]


def dataset(image: Array) -> Dataset:
    return Dataset(inputs={"image": image[np.newaxis]}, labels=None, source="a random image")
