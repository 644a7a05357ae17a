"""Whether LiteRT loads an artefact and runs it once."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import RecipeError


def check_loads(recipe: str, path: Path, signature: str | None = None) -> None:
    """Load the file, run a signature of it once on zeros. Raises RecipeError with the runtime's own words.

    signature None is the first graph.

    May end the process: LiteRT aborts on some damaged files.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        if signature is None:
            _invoke(interpreter)
        else:
            runner = interpreter.get_signature_runner(signature)
            runner(**{name: _zeros(details) for name, details in runner.get_input_details().items()})
    except (RuntimeError, ValueError) as exc:
        raise RecipeError(recipe, f"LiteRT does not run it: {exc}") from exc


def _invoke(interpreter: Any) -> None:  # noqa: ANN401 (LiteRT has no types)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], _zeros(details))
    interpreter.invoke()


def _zeros(details: dict[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """An input of zeros, which stand for 0.0 where the tensor is quantised."""
    return np.full(details["shape"], details["quantization"][1], details["dtype"])
