"""Models and orders for these tests."""

from pathlib import Path

import numpy as np

from harness.core.model import Model
from harness.core.variant import VariantSpec
from harness.sources import tflite_ops as ops
from harness.sources.tflite import read_model
from harness.sources.tflite_writer import ModelWriter
from tests.support.models import tiny_cnn, write_model


def a_model(directory: Path, content: bytes | None = None, *, name: str = "tiny", data: Path | None = None) -> Model:
    """A model on disk; the tiny CNN where no content is given."""
    directory.mkdir(parents=True, exist_ok=True)
    path = write_model(directory, tiny_cnn() if content is None else content, f"{name}.tflite")
    return read_model(path, name=name, data=data)


def a_spec(recipe: str, *, model: str = "tiny", prebuilt: Path | None = None, name: str | None = None) -> VariantSpec:
    return VariantSpec(model=model, name=name or recipe, recipe=recipe, prebuilt=prebuilt)


def dense(weights: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> bytes:
    """One fully connected layer with these weights (outputs, inputs)."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, weights.shape[1]))
    y = ops.fully_connected(graph, x, weights, np.zeros(weights.shape[0], np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def normal(rows: int, columns: int, seed: int = 0) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Weights as trained networks have them."""
    return np.random.default_rng(seed).normal(0, 0.05, (rows, columns)).astype(np.float32)
