"""The nouns of compression: a technique and what it does, a step of a recipe, a recipe, what activations see."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from harness.core.target import Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.variants.tflite.weights import Weight

    Floats = NDArray[np.float32]


class Kind(StrEnum):
    """Where in a recipe a technique may stand."""

    SOURCE = "source"  # the source as it is: alone
    EDIT = "edit"  # changes float32 weights and leaves them float32: any number, first
    FINAL = "final"  # stores weights in another way: at most one, last
    COMPILED = "compiled"  # a vendor's compiler over the finished file: behind everything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One technique of a recipe with its numbers.

    row is its name in the table, with a capital letter for each number: `sparse-P`, `palette-B-group-G`. numbers are
    what a user wrote for the letters, in their order: ("4", "16").
    """

    row: str
    numbers: tuple[str, ...] = ()

    def whole(self, letter: str) -> int:
        """The number that stands for a letter of the row, a whole one."""
        return int(self._written(letter))

    def real(self, letter: str) -> float:
        """The number that stands for a letter of the row."""
        return float(self._written(letter))

    def _written(self, letter: str) -> str:
        return dict(zip(letters(self.row), self.numbers, strict=True))[letter]

    @property
    def is_sparse(self) -> bool:
        return self.row.startswith("sparse-")

    @property
    def palette_bits(self) -> int | None:
        """B of a palette, None for anything else."""
        return self.whole("B") if self.row.startswith("palette-") else None

    def __str__(self) -> str:
        written = iter(self.numbers)
        return LETTER.sub(lambda _: next(written), self.row)


LETTER = re.compile(r"(?<![A-Za-z0-9])[A-Z](?![A-Za-z0-9])")
"""A place for a number in the name of a row."""


def letters(row: str) -> tuple[str, ...]:
    """The places for numbers in the name of a row: ("B", "G") of `palette-B-group-G`."""
    return tuple(LETTER.findall(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Steps in order of application; its text joins them with `+`."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "+".join(str(step) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a static quantisation sees.

    samples: by signature key (None where the file has no signature) one mapping per inference, input position in the
    signature's graph -> array of the input's shape and dtype. A signature that is missing is not run.
    described says what they are, for the report ("100 samples of digits.npz", "calibrated on random inputs").
    """

    samples: Mapping[str | None, tuple[Mapping[int, Any], ...]]
    described: str


# whether a technique may touch the operator that a weight belongs to
Applies = Callable[["Weight"], bool]
# values of one weight in its own shape, the weight, the step -> new values in that shape
Change = Callable[["Floats", "Weight", Step], "Floats"]
# content, the step, the operators it may touch -> new content
Encode = Callable[[bytes, Step, Applies], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Changes float32 weights one by one where they lie (tflite/edit.py). change is pure."""

    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Stores weights in another way without a quantizer. Raises RecipeError where it cannot."""

    encode: Encode


class Arithmetic(StrEnum):
    """How an operator with quantised weights computes."""

    WIDENED = "widened"  # in float32: a DEQUANTIZE widens the weights first
    HYBRID = "hybrid"  # in integers: the kernel quantises activations as they come
    STATIC = "static"  # in integers: activations have calibrated ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Stores weights in another dtype. Data, so that several can be combined in one run of the quantizer.

    weights: their dtype. activations: theirs. ends: of graph inputs and outputs that are float32 in the source.
    per_tensor: operator types whose weights have one scale instead of one a channel; None is every type.
    operators: types that the quantizer has such weights for, None for all that it has weights for at all.
    others: what the other types get; None leaves them float32.
    """

    arithmetic: Arithmetic
    weights: str
    activations: str = "float32"
    ends: str = "float32"
    per_tensor: tuple[str, ...] | None = ()
    operators: tuple[str, ...] | None = None
    others: "Quantization | None" = None

    @property
    def calibrated(self) -> bool:
        return self.arithmetic is Arithmetic.STATIC

    @property
    def stored(self) -> tuple[str, ...]:
        """Dtypes that a weight may have afterwards, besides its own."""
        return (self.weights, *(self.others.stored if self.others else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Real numbers from least to most, both included."""

    least: float
    most: float

    def __contains__(self, number: object) -> bool:
        return isinstance(number, float | int) and self.least <= number <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """One call of coremltools on weights that were chosen (coreml/steps.py).

    compress gets the program, the step, the names of the weights, whether they are compressed already (joint), and
    samples where the technique is calibrated; it answers the new program. prunes: it may come before another one.
    since: the oldest target that has it, for a step's numbers.
    """

    compress: Callable[["CoreMLProgram", Step, Sequence[str], bool, Calibration | None], "CoreMLProgram"]
    since: Callable[[Step], Target]
    prunes: bool = False
    calibrated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A vendor's compiler, which takes files that a step of `takes` has finished, or sources stored as one of `stored`.

    usual is a recipe that gives such a file, for advice.
    """

    takes: tuple[str, ...]
    stored: tuple[str, ...]
    usual: str


# coremltools' MLModel, which is not typed
CoreMLProgram = Any

Numbers = Collection[int] | Span
"""What may stand for a letter of a row's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """One row of the table: a technique in one format.

    does is None for the source as it is. numbers: what may stand for each letter of the row's name. notes says what
    the user must know of the finished content. cost orders builds, longest first: about seconds of one core per 10 MB
    of source; cost_of where it depends on the numbers. runs_on, size and what are for people.
    """

    what: str
    does: Edit | Quantization | Encoding | Compression | Compilation | None
    runs_on: str
    size: str
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    notes: Callable[[bytes], tuple[str, ...]] | None = None
    cost: float = 1.0
    cost_of: Callable[[Step], float] | None = None

    @property
    def kind(self) -> Kind:
        if self.does is None:
            return Kind.SOURCE
        if isinstance(self.does, Compilation):
            return Kind.COMPILED
        first = isinstance(self.does, Edit) or (isinstance(self.does, Compression) and self.does.prunes)
        return Kind.EDIT if first else Kind.FINAL

    @property
    def calibrated(self) -> bool:
        """Whether it needs samples."""
        return isinstance(self.does, Quantization | Compression) and self.does.calibrated
