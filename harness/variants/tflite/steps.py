"""Applies a recipe, and the recipes that settings give to some operators, to the content of a file.

Edits come first, operator by operator. Then either all quantisations in one run of the quantizer, which inserts what
has to lie between operators of different kinds, or all encodings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import RecipeRefused
from harness.sources.tflite_file import shorten
from harness.variants.settings import Part, Place
from harness.variants.technique import Applies, Calibration, Edit, Encoding, Quantization, Step, Technique
from harness.variants.tflite import chain, inspect
from harness.variants.tflite.edit import edit_weights
from harness.variants.tflite.weights import Weight, read_weights

Table = Mapping[tuple[str, str], Technique]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the operators of one part get: steps with their rows of the table, none where they stay as they are."""

    steps: tuple[tuple[Step, Technique], ...]
    operators: frozenset[Place]

    def applies(self, weight: Weight) -> bool:
        return weight.place in self.operators

    @property
    def edits(self) -> tuple[tuple[Step, Edit], ...]:
        return tuple((step, row.does) for step, row in self.steps if isinstance(row.does, Edit))

    @property
    def quantization(self) -> Quantization | None:
        last = self.steps[-1][1].does if self.steps else None
        return last if isinstance(last, Quantization) else None

    @property
    def is_static(self) -> bool:
        return self.quantization is not None and self.quantization.calibrated

    @property
    def encoding(self) -> tuple[Step, Encoding] | None:
        step, last = (self.steps[-1][0], self.steps[-1][1].does) if self.steps else (None, None)
        return (step, last) if step is not None and isinstance(last, Encoding) else None


def work_of(part: Part, table: Table) -> Work:
    """A part with what the table has for its steps; the source as it is is no step."""
    rows = [(step, table[step.row, "tflite"]) for step in (part.recipe.steps if part.recipe else ())]
    return Work(steps=tuple((step, row) for step, row in rows if row.does is not None), operators=part.operators)


def apply_all(
    recipe: str, works: Sequence[Work], source: bytes, calibration: Calibration | None
) -> tuple[bytes, tuple[str, ...]]:
    """The content after every work, the variant's own first, and notes on what later steps lost of earlier ones.

    Each step is checked for having changed something. Raises ChangedNothing, RecipeRefused, or what the tools raise.
    """
    made = list(chain.source_promises(source))
    content = source
    for work in works:
        for step, edit in work.edits:
            before, content = content, _edited(content, step, edit, work.applies)
            _check_changed(recipe, works, work.applies, before, content)
            if step is not work.steps[-1][0]:
                made += chain.promises(step, content, work.applies)
    content = _encode(recipe, works, _quantize(recipe, works, content, calibration))
    inspect.check_changed(recipe, source, content)  # settings may have left every weight alone
    return content, (*chain.losses(made, content), *_spared(works, source))


def _spared(works: Sequence[Work], source: bytes) -> tuple[str, ...]:
    """Which weights edits and encodings left alone, as something reads them that must not see them changed."""
    edited = [work for work in works if work.edits or work.encoding]
    names = [w.name for w in read_weights(source) if w.spared and any(work.applies(w) for work in edited)]
    return tuple(f"the weight {shorten(name)} was not edited: other operators read it too" for name in names)


def _quantize(recipe: str, works: Sequence[Work], content: bytes, calibration: Calibration | None) -> bytes:
    """One run for all; inputs and outputs go by the variant's own recipe."""
    if not any(work.quantization for work in works):
        return content
    if any(work.encoding for work in works):
        raise RecipeRefused(recipe, "encoding needs float32 weights, and other operators' are quantised")
    from harness.variants.tflite.quantizer import Rule, quantize

    own, *others = works
    rules = [Rule(quantization=work.quantization, operators=work.operators) for work in others]
    after = quantize(content, own.quantization, calibration, rules)
    left = static_inside(content, works)
    for work in works:
        if work.quantization:
            _check_changed(recipe, works, _but(work.applies, left), content, after)
    return after


def static_inside(content: bytes, works: Sequence[Work]) -> frozenset[Place]:
    """Operators of loops and branches that static quantisation was for. They stay as they are: nothing calibrates them.

    content has the source's operators.
    """
    from harness.variants.tflite.quantizer import inner_graphs

    static = [work.operators for work in works if work.is_static]
    inner = inner_graphs(content) if static else frozenset()
    return frozenset(place for places in static for place in places if place[0] in inner)


def _but(applies: Applies, left: frozenset[Place]) -> Applies:
    return lambda weight: applies(weight) and weight.place not in left


def _encode(recipe: str, works: Sequence[Work], content: bytes) -> bytes:
    """All encodings, one behind the other. Each may add operators, so weights are known by their slots, which stay."""
    weights = read_weights(content)
    for work in works:
        if work.encoding is not None:
            step, encoding = work.encoding
            applies = _by_slot(frozenset(weight.slot for weight in weights if work.applies(weight)))
            before, content = content, encoding.encode(content, step, applies)
            _check_changed(recipe, works, applies, before, content)
    return content


def _by_slot(slots: frozenset[tuple[int, int]]) -> Applies:
    return lambda weight: weight.slot in slots


def _edited(content: bytes, step: Step, edit: Edit, applies: Applies) -> bytes:
    return edit_weights(content, str(step), lambda values, weight: edit.change(values, weight, step), applies)


def _check_changed(recipe: str, works: Sequence[Work], applies: Applies, before: bytes, after: bytes) -> None:
    """Operators without weights may have a setting; a variant of such operators alone is nothing."""
    if len(works) == 1 or any(applies(weight) for weight in read_weights(before)):
        inspect.check_changed(recipe, before, after, applies)
