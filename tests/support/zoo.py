"""The fixed list of models that per-op is measured on: kinds of network times ways to store them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources import inception_v3, mobilenet_v1, mobilenet_v2
from harness.variants.technique import Calibration
from tests.support import zoo_networks as networks
from tests.support.recipes import compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A network and the recipe it is stored by."""

    network: str
    recipe: str

    @property
    def name(self) -> str:
        return f"{self.network}-{self.recipe}"


NETWORKS: Mapping[str, Callable[[], bytes]] = {
    "mobilenet_v1": mobilenet_v1.NETWORK.write_tflite,
    "mobilenet_v2": mobilenet_v2.NETWORK.write_tflite,
    "inception_v3": inception_v3.NETWORK.write_tflite,
    "residual_cnn": networks.residual_cnn,
    "transformer": networks.transformer,
    "segmentation": networks.segmentation,
    "keyword_spotting": networks.keyword_spotting,
    "mlp": networks.mlp,
    "gated_cnn": networks.gated_cnn,
    "partitioned": networks.partitioned,
}

ZOO = tuple(
    Entry(network=network, recipe=recipe)
    for network, recipes in {
        "mobilenet_v1": ("float32", "int8"),
        "mobilenet_v2": ("float32", "float16", "dynamic-int8", "int8"),
        "inception_v3": ("int8",),
        "residual_cnn": ("float32", "int8"),
        "transformer": ("float32", "dynamic-int8", "int8"),
        "segmentation": ("float32", "float16", "int8"),
        "keyword_spotting": ("float32", "int8"),
        "mlp": ("float32", "dynamic-int8"),
        "gated_cnn": ("float32", "int8"),
        "partitioned": ("float32", "dynamic-int8"),
    }.items()
    for recipe in recipes
)


def write(entry: Entry, directory: Path) -> Path:
    """Build a model of the zoo below directory, once."""
    path = directory / f"{entry.name}.tflite"
    if not path.exists():
        source = NETWORKS[entry.network]()
        path.write_bytes(source if entry.recipe == "float32" else _store(source, entry.recipe))
    return path


def _store(source: bytes, recipe: str) -> bytes:
    calibration = _random_calibration(source) if recipe == "int8" else None
    return compressed(source, recipe, calibration)


def _random_calibration(source: bytes) -> Calibration:
    """Two seeded samples: how far off the ranges are does not change which kernels run."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source, 0)).subgraphs[0]
    rng = np.random.default_rng(0)
    shapes = [tuple(graph.tensors[i].shape) for i in graph.inputs]
    samples = tuple({i: rng.normal(size=s).astype(np.float32) for i, s in enumerate(shapes)} for _ in range(2))
    return Calibration(samples={None: samples}, described="random inputs")
