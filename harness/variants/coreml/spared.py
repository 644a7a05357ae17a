"""Which weights a technique leaves alone, and why: sentences about one weight, without its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.variants.coreml.toolkit_calls import LEAST_ELEMENTS
from harness.variants.technique import Step

if TYPE_CHECKING:
    from harness.variants.coreml.weights import Weight

Spare = Callable[[Step, "Weight"], str | None]
"""Why a step leaves a weight alone, None where it does not."""


def never(_step: Step, _weight: "Weight") -> None:
    """For what no weight is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spares:
    """What a technique leaves alone: by_shape is known in the plan, by_values from the numbers alone."""

    by_shape: Spare = never
    by_values: Spare = never


def always(weight: "Weight") -> str | None:
    """What holds for every technique."""
    if weight.elements <= LEAST_ELEMENTS:
        return f"has {weight.elements} elements, and more than {LEAST_ELEMENTS} are needed"
    if weight.is_output:
        return "is an output of the program too"
    return None


def by_numbers(weight: "Weight") -> str | None:
    """What holds for every technique, of the numbers: there is nothing to cluster, to scale or to order."""
    import numpy as np

    values = weight.values()
    if not np.isfinite(values).all():
        return "has values that are infinite or no numbers"
    return None if values.any() else "has zeros alone"


def indivisible(weight: "Weight", axis: int, size: int, what: str) -> str | None:
    """Where the channels along an axis do not divide into parts of a size."""
    channels = weight.shape[axis]
    if channels % size == 0:
        return None
    side = "output" if axis == weight.output_axis else "input"
    return f"has {channels} {side} channels, which {what} of {size} do not divide"


def ambiguous(weight: "Weight") -> str | None:
    """Where the toolkit, which asks for channels also where it needs none, neither scales nor clusters."""
    if not weight.is_ambiguous:
        return None
    types = " and ".join(dict.fromkeys(reader.type for reader in weight.readers))
    return f"is read by {types} along different axes, so that it has no channels"


def too_few(weight: "Weight", axis: int, size: int, what: str) -> str | None:
    """Where channels are fewer than twice a size, from which on the toolkit prunes nothing."""
    channels = weight.shape[axis]
    side = "output" if axis == weight.output_axis else "input"
    return f"has {channels} {side} channels, fewer than two {what} of {size}" if 2 * size > channels else None


def unlike(weight: "Weight") -> str | None:
    """Where structure is known for convolutions and linear layers alone."""
    wrong = [reader for reader in weight.readers if reader.type not in ("conv", "linear")]
    return f"is read by {wrong[0].type}; only conv and linear have such a pattern" if wrong else None
