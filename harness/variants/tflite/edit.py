"""Changes float32 weights where they lie in the file: nothing moves, nothing is repacked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import RecipeRefused
from harness.variants.tflite.weights import read_weights, unique

Floats = NDArray[np.float32]


def edit_weights(content: bytes, recipe: str, change: Callable[[Floats], Floats]) -> bytes:
    """The file with `change` applied to the values of every editable weight, each buffer once.

    change gets and returns flat float32 of one length. Raises RecipeRefused on weights that are not finite.
    """
    edited = bytearray(content)
    for weight in unique(read_weights(content)):
        if not weight.editable:
            continue
        stored = np.frombuffer(edited, np.dtype("<f4"), weight.elements, weight.offset)
        if not np.isfinite(stored).all():
            raise RecipeRefused(recipe, f"the weight {weight.name!r} holds NaN or infinity")
        stored[:] = change(stored.astype(np.float32))
    return bytes(edited)
