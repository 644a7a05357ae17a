"""Whether LiteRT loads an artefact and runs it once."""

from pathlib import Path

import numpy as np

from harness.core.errors import RecipeError
from harness.core.model import TensorSpec
from harness.fidelity.array import Array
from harness.fidelity.litert import REFUSALS, open_on_host
from harness.fidelity.quantization import to_stored
from harness.sources.tflite import read_signature


def check_loads(recipe: str, path: Path, signature: str | None = None) -> None:
    """Load the file, run a signature of it once on zeros. Raises RecipeError with the runtime's own words.

    signature None is the first.

    May end the process: LiteRT aborts on some damaged files.
    """
    chosen = read_signature(path, signature)
    try:
        open_on_host(path, chosen)([_zeros(spec) for spec in chosen.inputs])
    except REFUSALS as exc:
        raise RecipeError(recipe, f"LiteRT does not run it: {exc}") from exc


def _zeros(spec: TensorSpec) -> Array:
    """An input of zeros, which stand for 0.0 where the tensor is quantised, and of empty strings."""
    return to_stored(np.zeros(spec.shape, np.bytes_ if spec.dtype == "string" else np.float32), spec)
