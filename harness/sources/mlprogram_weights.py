"""The weights of an ML Program: what they are, how they are stored, what they make of the whole.

A weight is a constant of floats with two or more dimensions, stored plainly or compressed, that an operation reads
where weights go (`mlprogram_readers.READS`), also by way of operations that only reorder it. Biases, means and scales
are none.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from harness.core.units import Bytes

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An operation that reads a weight. name is that of its first output; input is where (`weight`, `y`).

    groups are a convolution's; transposed: a matmul turns it round. through is the first operation that reorders the
    weight on its way (`transpose`), None where it is read as it is.
    """

    type: str
    name: str
    input: str
    groups: int = 1
    transposed: bool = False
    through: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Look-up tables. bits of an index; tables: how many there are; vector: numbers that one entry holds.

    group is how many channels share a table, None where one table serves all. dtype is that of the entries as stored:
    float16, or int8 where the table itself is quantised.
    """

    bits: int
    tables: int
    vector: int
    group: int | None
    dtype: str

    @property
    def recipe(self) -> str:
        """The name of the technique that stores a weight in this way: `palette-4-group-16`."""
        words = [f"palette-{self.bits}"]
        words += [f"vector-{self.vector}"] if self.vector > 1 else []
        words += [f"group-{self.group}"] if self.group is not None else []
        words += ["int8-lut"] if self.dtype == "int8" else []
        return "-".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Affine quantisation. dtype is that of the numbers as stored, scales the shape of the scales as stored.

    block is how many numbers along one dimension share a scale, None where a whole channel or the whole weight does.
    """

    dtype: str
    scales: Shape
    block: int | None
    has_offset: bool

    @property
    def count(self) -> int:
        """How many scales there are: 1 is per tensor."""
        return prod(self.scales)

    @property
    def recipe(self) -> str:
        """The name of the technique that stores a weight in this way: `weight-int4-block-32`."""
        return f"weight-{self.dtype}" + (f"-block-{self.block}" if self.block is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWeight:
    """A weight.

    name is that of the constant, or of the last `constexpr_` operation that makes it from what is stored. shape and
    dtype are what operations read (`float16`), behind all that reorders it; stored is what its numbers are kept in
    (`int8`, `uint4` for indices of a palette).
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

    @property
    def techniques(self) -> tuple[str, ...]:
        """What it is stored by besides a mask, as recipes name it; empty for plain numbers."""
        palette = () if self.palette is None else (self.palette.recipe,)
        scaled = self.scaling is not None and "int" in self.scaling.dtype and self.palette is None
        return (*palette, *((self.scaling.recipe,) if scaled and self.scaling is not None else ()))


def precision_of(weights: Iterable[ProgramWeight]) -> str | None:
    """How most of the numbers are stored: `float16`, or the recipe that says so (`sparse-50+palette-4`).

    The percentage is that of all weights that are stored in this way. None without weights.
    """
    alike: dict[tuple[object, ...], list[ProgramWeight]] = defaultdict(list)
    for weight in weights:
        alike[weight.nonzero is None, weight.techniques, weight.dtype].append(weight)
    if not alike:
        return None
    most = max(alike.values(), key=lambda group: sum(weight.elements for weight in group))
    steps = [*_sparse(most), *most[0].techniques]
    return "+".join(steps) or most[0].dtype


def _sparse(weights: list[ProgramWeight]) -> list[str]:
    stored = [weight.nonzero for weight in weights if weight.nonzero is not None]
    if not stored:
        return []
    elements = sum(weight.elements for weight in weights)
    return [f"sparse-{round(100 * (1 - sum(stored) / max(elements, 1)))}"]
