"""The graph of the `digits` network, from its weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness.sources.layers import Array, Layers

WEIGHTS = Path(__file__).with_name("weights.npz")
_DESCRIPTION = "digits: a CNN trained on scikit-learn's handwritten digits"
_IMAGE = (1, 8, 8, 1)

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
    from harness.sources.tflite_layers import TfliteLayers

    layers = TfliteLayers(_DESCRIPTION, _IMAGE)
    _lay(layers, weights)
    return layers.pack()


def write_mlpackage(weights: Mapping[str, Array], path: Path) -> None:
    """The `.mlpackage`, image (1, 1, 8, 8) to logits (1, 10), as a folder that is not there yet. Raises OSError."""
    from harness.sources.mil_layers import write_layers

    write_layers(lambda layers: _lay(layers, weights), path, _DESCRIPTION, _IMAGE)


def _lay(layers: Layers, weights: Mapping[str, Array]) -> None:
    def of(layer: str) -> tuple[Array, Array]:
        return weights[f"{layer}/weights"], weights[f"{layer}/bias"]

    x = layers.image
    for layer in ("conv1", "conv2"):
        x = layers.convolve(x, *of(layer), name=layer, stride=1, padding="SAME", activation="RELU")
    x = layers.flatten(layers.pool_largest(x, name="pool", size=2, stride=2), name="flat")
    x = layers.dense(x, *of("dense"), name="dense", activation="RELU")
    layers.end({"logits": layers.dense(x, *of("logits"), name="logits")})
