"""Whether LiteRT loads an artefact and runs it once."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import RecipeError


def check_loads(recipe: str, path: Path) -> None:
    """Load the file, run it once on zeros. Raises RecipeError with the runtime's own words.

    May end the process: LiteRT aborts on some damaged files.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        for details in interpreter.get_input_details():
            interpreter.set_tensor(details["index"], _zeros(details))
        interpreter.invoke()
    except (RuntimeError, ValueError) as exc:
        raise RecipeError(recipe, f"LiteRT does not run it: {exc}") from exc


def _zeros(details: dict[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """An input of zeros, which stand for 0.0 where the tensor is quantised."""
    return np.full(details["shape"], details["quantization"][1], details["dtype"])
