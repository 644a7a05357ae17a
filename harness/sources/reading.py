"""Model files read, whatever their format: by the ending of their names."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from harness.core.model import Graph, Model
from harness.sources.torch_module import ENDINGS as TORCH

ENDINGS = {".mlpackage": "mlpackage", ".mlmodel": "mlpackage"}
"""Endings with their formats; any other file is taken for a .tflite."""


def is_torch(path: Path) -> bool:
    """Whether a file is a torch module, which is converted before it is read."""
    return path.suffix.lower() in TORCH


def format_of(path: Path) -> str:
    return ENDINGS.get(path.suffix.lower(), "tflite")


def read_model(
    path: Path,
    *,
    name: str,
    data: Path | None = None,
    metric: str | None = None,
    random_weights: bool = False,
    signature: str | None = None,
) -> Model:
    """Read a source model, to be run by the signature of that key, by its first without one. Raises ModelUnreadable."""
    model: Model = _reader(path).read_model(
        path, name=name, data=data, metric=metric, random_weights=random_weights, signature=signature
    )
    return model


def read_graph(path: Path, signature: str | None = None) -> Graph:
    """Read the operators of the graph that a signature runs, the first one without. Raises ModelUnreadable."""
    graph: Graph = _reader(path).read_graph(path, signature)
    return graph


def read_macs(path: Path, signature: str | None = None) -> int:
    """Multiply-accumulates of one inference, of the operators that have a formula. Raises ModelUnreadable."""
    return sum(node.macs or 0 for node in read_graph(path, signature).nodes)


def signature_in(path: Path, model: Model) -> str | None:
    """The key by which a variant of a model runs what the model runs. Raises ModelUnreadable."""
    key: str | None = _reader(path).signature_in(path, model)
    return key


def _reader(path: Path) -> ModuleType:
    return import_module(f"harness.sources.{format_of(path)}")  # each has the same functions
