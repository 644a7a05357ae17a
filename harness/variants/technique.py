"""The nouns of compression: a technique and what it does, a step of a recipe, a recipe, what activations see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One technique of a recipe with its number.

    `sparse-75` has parameter 75, `sparse-2:4` pattern (2, 4), `sparse-70-encoded` parameter 70 and suffix `encoded`.
    """

    technique: str
    parameter: int | None = None
    pattern: tuple[int, int] | None = None
    suffix: str | None = None

    @property
    def row(self) -> str:
        """Its name in the table of techniques: `sparse`, `sparse-N:M`, `sparse-encoded`."""
        return _joined(self.technique, "N:M" if self.pattern else None, self.suffix)

    def __str__(self) -> str:
        number = ":".join(map(str, self.pattern)) if self.pattern else self.parameter
        return _joined(self.technique, None if number is None else str(number), self.suffix)


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
class Technique:
    """One row of the table: a technique in one format.

    does is None for the source as it is. parameter: allowed numbers, None where it takes none. groups: allowed M of
    N:M, N being less. notes says what the user must know of the finished content. cost orders builds, longest first:
    about seconds of one core per 10 MB of source. runs_on, size and what are for people.
    """

    what: str
    does: Edit | Quantization | Encoding | None
    runs_on: str
    size: str
    parameter: range | None = None
    groups: range | None = None
    notes: Callable[[bytes], tuple[str, ...]] | None = None
    cost: float = 1.0

    @property
    def kind(self) -> Kind:
        if self.does is None:
            return Kind.SOURCE
        return Kind.EDIT if isinstance(self.does, Edit) else Kind.FINAL

    @property
    def calibrated(self) -> bool:
        """Whether it needs samples."""
        return isinstance(self.does, Quantization) and self.does.calibrated


def _joined(*parts: str | None) -> str:
    return "-".join(part for part in parts if part)
