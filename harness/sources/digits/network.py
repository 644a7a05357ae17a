"""The graph of the `digits` network, from its weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, ModelWriter

WEIGHTS = Path(__file__).with_name("weights.npz")

SHAPES: dict[str, tuple[int, ...]] = {
    "conv1": (32, 3, 3, 1),
    "conv2": (32, 3, 3, 32),
    "dense": (192, 512),
    "logits": (10, 192),
}
"""Weights by layer as TFLite has them: convolution (out, height, width, in), dense (out, in). A bias (out,) each."""


def load_weights() -> dict[str, Array]:
    """The shipped weights: `<layer>/weights` and `<layer>/bias`, float32."""
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        return dict(arrays)


def build(weights: Mapping[str, Array]) -> bytes:
    """The .tflite: image (1, 8, 8, 1) in [0, 1] to logits (1, 10)."""
    writer = ModelWriter("digits: a CNN trained on scikit-learn's handwritten digits")
    graph = writer.graph()
    x = image = graph.input("image", (1, 8, 8, 1))
    for layer in ("conv1", "conv2"):
        x = ops.conv_2d(graph, x, weights[f"{layer}/weights"], weights[f"{layer}/bias"], name=layer, activation="RELU")
    x = ops.max_pool_2d(graph, x, name="pool")
    x = ops.reshape(graph, x, (1, 512), name="flat")
    x = ops.fully_connected(graph, x, weights["dense/weights"], weights["dense/bias"], name="dense", activation="RELU")
    logits = ops.fully_connected(graph, x, weights["logits/weights"], weights["logits/bias"], name="logits")
    graph.output(logits)
    writer.signature(graph, {"image": image}, {"logits": logits}, "serving_default")
    return writer.pack()
