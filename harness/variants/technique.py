"""The nouns of compression: a technique, a step of a recipe, a recipe, and what activations are calibrated on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Where in a recipe a technique may stand."""

    SOURCE = "source"  # the source as it is: alone
    EDIT = "edit"  # changes float32 weights and leaves them float32: any number, first
    FINAL = "final"  # stores weights in another dtype: at most one, last


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One technique of a recipe with its number: `sparse-75` is Step(technique="sparse", parameter=75)."""

    technique: str
    parameter: int | None = None

    def __str__(self) -> str:
        return self.technique if self.parameter is None else f"{self.technique}-{self.parameter}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Steps in order of application; its text joins them with `+`."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "+".join(str(step) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a static quantisation sees.

    samples: one mapping per inference, input position in the main graph -> array of the input's shape and dtype.
    described says what they are, for the report ("100 samples of digits.npz", "calibrated on random inputs").
    """

    samples: tuple[Mapping[int, Any], ...]
    described: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a finished artefact must hold; numpy dtype names.

    weights: of every weight the recipe compressed. activations: of at least one weighted operator's input.
    interface: of graph inputs and outputs that are float32 in the source.
    """

    weights: str = "float32"
    activations: str = "float32"
    interface: str = "float32"


# content of the source or of the step before, the step, calibration where the technique asks for it -> new content
Build = Callable[[bytes, Step, Calibration | None], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """One row of the table: a technique in one format.

    parameter: allowed numbers, None where it takes none. calibrated: it needs samples. stored is checked on the
    artefact of a FINAL technique. cost orders builds, longest first: about seconds of one core per 10 MB of source.
    runs_on, size and what are for people.
    """

    what: str
    kind: Kind
    build: Build
    runs_on: str
    size: str
    stored: Stored = Stored()
    parameter: range | None = None
    calibrated: bool = False
    cost: float = 1.0
