"""Operators that stay float32 in a float16 program, and why: their weights are told of, never passed over."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.core.errors import RecipeError
from harness.sources.tflite_file import shorten

if TYPE_CHECKING:
    from harness.variants.coreml.weights import Weight

_LARGEST = 65504  # in float16


def widened(recipe: str, weights: Sequence["Weight"], *, cast: bool) -> dict[str, str]:
    """Of each weight that is float32, by its name, what to say of its operator.

    cast: the program was cast to float16, which leaves an operator as it is where a constant of it is beyond float16.
    Raises RecipeError where a weight is float32 for no such reason.
    """
    return {each.name: _reason(recipe, each, cast) for each in weights if each.dtype != "float16"}


def _reason(recipe: str, weight: "Weight", cast: bool) -> str:
    name, operator = shorten(weight.name), shorten(weight.readers[0].name)
    if not cast:
        return f"{operator} computes in float32, as in the source"
    if not any(map(_is_beyond, _operands(weight))):
        raise RecipeError(recipe, f"the weight {name} of {operator} is {weight.dtype} instead of float16")
    return f"{operator} computes in float32: its constants, {name} among them, go beyond float16"


def _operands(weight: "Weight") -> list[Any]:
    """The constants of the operators that read a weight, itself among them."""
    children = weight.operation.outputs[0].child_ops
    inputs = [each for child in children for each in child.inputs.values()]
    return [value for each in inputs for value in (each if isinstance(each, list | tuple) else (each,))]


def _is_beyond(value: Any) -> bool:  # noqa: ANN401 (coremltools has no types)
    import numpy as np

    if value is None or value.val is None or value.dtype.__name__ != "fp32":
        return False
    return bool(np.any(np.abs(np.asarray(value.val)) > _LARGEST))
