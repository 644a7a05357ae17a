"""Changes float32 weights where they lie in the file: nothing moves, nothing is repacked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import RecipeRefused
from harness.variants.technique import Applies
from harness.variants.tflite.weights import Weight, read_weights, unique

Floats = NDArray[np.float32]


def every(_weight: Weight) -> bool:
    """Any operator."""
    return True


def edit_weights(
    content: bytes, recipe: str, change: Callable[[Floats, Weight], Floats], applies: Applies = every
) -> bytes:
    """The file with `change` applied to the values of every editable weight that `applies` says, each buffer once.

    change gets float32 in the weight's own shape, with the weight, and returns that shape. Raises RecipeRefused on
    weights that are not finite, or that an operator shares with one that is to be left alone.
    """
    weights = [weight for weight in read_weights(content) if weight.editable]
    spared = {weight.buffer for weight in weights if not applies(weight)}
    edited = bytearray(content)
    for weight in unique(tuple(weight for weight in weights if applies(weight))):
        if weight.buffer in spared:
            reason = f"the weight {weight.name!r} is shared with an operator of another setting; give both the same"
            raise RecipeRefused(recipe, reason)
        stored = np.frombuffer(edited, np.dtype("<f4"), weight.elements, weight.offset)
        if not np.isfinite(stored).all():
            raise RecipeRefused(recipe, f"the weight {weight.name!r} holds NaN or infinity")
        stored[:] = change(stored.astype(np.float32).reshape(weight.shape), weight).reshape(-1)
    return bytes(edited)
