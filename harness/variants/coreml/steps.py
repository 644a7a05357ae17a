"""Applies recipes to the weights that they are for, one call of the toolkit after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import ChangedNothing, RecipeRefused
from harness.sources.tflite_file import shorten
from harness.variants.coreml import int8, linear, palette, sparse
from harness.variants.coreml.spared import Spares, always, by_numbers
from harness.variants.coreml.weights import Weight, read_weights
from harness.variants.technique import Calibration, Compression, CoreMLProgram, Recipe, Step, Technique

SPARES: Mapping[Compression, Spares] = {
    sparse.COMPRESSION: sparse.SPARES,
    linear.COMPRESSION: linear.SPARES,
    int8.COMPRESSION: linear.SPARES,
    palette.COMPRESSION: palette.SPARES,
}
_SHOWN = 20  # weights that a note names


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A recipe and the weights that it is for, by name. No steps: they stay float16."""

    recipe: Recipe | None
    steps: tuple[tuple[Step, Compression], ...]
    weights: tuple[str, ...]

    @property
    def is_calibrated(self) -> bool:
        """Whether a step needs samples."""
        return any(does.calibrated for _, does in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A program after all works. done: by weight, the steps that compressed it. notes name the weights that were left
    alone, with the reason."""

    program: CoreMLProgram
    done: Mapping[str, tuple[Step, ...]]
    notes: tuple[str, ...]


def apply_all(recipe: str, works: Sequence[Work], program: CoreMLProgram, calibration: Calibration | None) -> Applied:
    """Raises ChangedNothing where a step had no weight to compress, and what the toolkit raises."""
    done: dict[str, tuple[Step, ...]] = {}
    told: dict[str, str] = {}
    notes: list[str] = []
    for work in works:
        for index, (step, does) in enumerate(work.steps):
            mine = [weight for weight in read_weights(program) if weight.name in work.weights]
            left = _left(step, does, mine)
            chosen = [weight.name for weight in mine if weight.name not in left]
            if not chosen and (mine or len(works) == 1):
                raise ChangedNothing(recipe, _nothing(mine, left))
            if left.items() - told.items():
                notes.append(f"{step}: {_note(mine, left)}" if index or len(works) > 1 else _note(mine, left))
            told |= left
            if chosen:
                # small weights stay as they are, what their operators read and make does not
                meant = [weight.name for weight in mine] if does.calibrated else chosen
                program = does.compress(program, step, meant, index > 0, calibration)
                done |= {name: (*done.get(name, ()), step) for name in chosen}
    if not done and any(work.steps for work in works):
        raise ChangedNothing(recipe, "its settings leave no weight for it; drop a setting or the variant")
    return Applied(program=program, done=done, notes=tuple(notes))


def divide(
    recipe: Recipe, given: Mapping[str, Recipe | None], weights: Sequence[Weight], table: Mapping[str, Technique]
) -> tuple[Work, ...]:
    """Weights by what they get: those of the variant's own recipe first, then every other.

    given: recipes of operators that have another than the variant's own, by name. Raises RecipeRefused where operators
    that share a weight have different ones.
    """
    mine: dict[Recipe | None, list[str]] = {recipe: []}
    for weight in weights:
        asked = {given.get(reader.name, recipe): reader.name for reader in weight.readers}
        if len(asked) > 1:
            names = " and ".join(map(shorten, asked.values()))
            raise RecipeRefused(str(recipe), f"{names} share a weight, {shorten(weight.name)}; give both the same")
        mine.setdefault(next(iter(asked)), []).append(weight.name)
    return tuple(Work(recipe=each, steps=_steps(each, table), weights=tuple(names)) for each, names in mine.items())


def _steps(recipe: Recipe | None, table: Mapping[str, Technique]) -> tuple[tuple[Step, Compression], ...]:
    """What there is to do; the cast to float16 is done when the program is opened."""
    rows = [(step, table[step.row].does) for step in (recipe.steps if recipe else ()) if step.row != "float16"]
    return tuple((step, does) for step, does in rows if isinstance(does, Compression))


def _left(step: Step, does: Compression, weights: Sequence[Weight]) -> dict[str, str]:
    """Weights that the step leaves alone, with the reason."""
    spares = SPARES.get(does, Spares())
    reasons = {
        weight.name: always(weight)
        or spares.by_shape(step, weight)
        or by_numbers(weight)
        or spares.by_values(step, weight)
        for weight in weights
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _note(weights: Sequence[Weight], left: Mapping[str, str]) -> str:
    readers = {weight.name: weight.readers[0].name for weight in weights}
    shown = [f"{shorten(name)} of {shorten(readers[name])} {reason}" for name, reason in left.items()][:_SHOWN]
    more = [f"and {len(left) - len(shown)} more"] if len(left) > len(shown) else []
    return f"left {len(left)} of {len(weights)} weights alone: {'; '.join((*shown, *more))}"


def _nothing(weights: Sequence[Weight], left: Mapping[str, str]) -> str:
    if not weights:
        return "the model has no weights to compress; leave this recipe out for it"
    return f"it {_note(weights, left)}; leave it out for this model"
