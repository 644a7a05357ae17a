"""What a reference execution gives."""

from dataclasses import dataclass

from harness.fidelity.array import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Output:
    """One output of a model over a dataset.

    values (n, *shape), float64, dequantised; complex ones have a last dimension of 2. None where there is nothing to
    compare, and `unlike` says why. sized_by_values: the file does not have the shape that came out.
    """

    name: str
    values: Array | None
    unlike: str | None = None
    sized_by_values: bool = False
