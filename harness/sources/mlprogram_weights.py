"""The weights of an ML Program and how it stores them.

A weight is a constant of floats with two or more dimensions, stored plainly or compressed, that an operation reads
where weights go (`READS`), also by way of operations that only reorder it. Biases, means and scales are none.
"""

from dataclasses import dataclass
from math import prod

from harness.core.units import Bytes

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An operation that reads a weight. name is that of its first output; input is where (`weight`, `y`)."""

    type: str
    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Look-up tables. bits of an index; tables: how many there are; vector: numbers that one entry holds.

    dtype is that of the entries as stored: float16, or int8 where the table itself is quantised.
    """

    bits: int
    tables: int
    vector: int
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Affine quantisation. dtype is that of the numbers as stored, scales the shape of the scales as stored."""

    dtype: str
    scales: Shape
    has_offset: bool

    @property
    def count(self) -> int:
        """How many scales there are: 1 is per tensor."""
        return prod(self.scales)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWeight:
    """A weight.

    name is that of the constant, or of the last `constexpr_` operation that makes it from what is stored. dtype is
    what operations read (`float16`), stored what its numbers are kept in (`int8`, `uint4` for indices of a palette).
    bytes counts everything it is made of: indices, tables, masks, scales.
    nonzero is how many numbers are stored where a mask says which, else None. One weight can be sparse, palettised and
    scaled at once.
    """

    name: str
    shape: Shape
    dtype: str
    stored: str
    bytes: Bytes
    readers: tuple[Reader, ...]
    nonzero: int | None = None
    palette: Palette | None = None
    scaling: Scaling | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def is_compressed(self) -> bool:
        return self.nonzero is not None or self.palette is not None or self.scaling is not None

    @property
    def sparsity(self) -> float | None:
        """Share of the numbers that are not stored, None where all are."""
        return None if self.nonzero is None else 1 - self.nonzero / max(self.elements, 1)
