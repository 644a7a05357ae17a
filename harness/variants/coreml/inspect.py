"""What recipes did to the weights of an ML Program, and whether the artefact holds what its techniques promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import RecipeError
from harness.core.variant import WeightTensor
from harness.sources.tflite_file import shorten
from harness.variants.coreml import storage
from harness.variants.coreml.linear import dtype_of
from harness.variants.coreml.sparse import is_patterned, promised, unpatterned
from harness.variants.coreml.weights import Weight
from harness.variants.technique import Step

_SHARE_SLACK = 0.5  # percent, for blocks of channels that do not divide


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A weight of the artefact, read back. dtype says how it is stored. zeros and distinct count what operators see.

    Of the weight before the recipe, None without one: same is whether it had exactly these values, kept whether it had
    those that are not zero, empty whether it had zeros alone, was the dtype that operators read.
    """

    weight: Weight
    dtype: str
    zeros: int
    distinct: int
    same: bool | None
    kept: bool | None
    empty: bool | None
    was: str | None

    @property
    def is_plain(self) -> bool:
        return self.dtype.startswith("float")


def look_at(built: Sequence[Weight], before: Sequence[Weight]) -> tuple[Found, ...]:
    """The artefact's weights, each beside the one that the same operator read before."""
    partners = {_place(weight): weight for weight in before}
    return tuple(_found(weight, partners.get(_place(weight))) for weight in built)


def _place(weight: Weight) -> tuple[str, str]:
    return weight.readers[0].name, weight.readers[0].input


def _found(weight: Weight, partner: Weight | None) -> Found:
    import numpy as np

    values = weight.values()
    before = None if partner is None else partner.values()
    return Found(
        weight=weight,
        dtype=storage.described(weight.operation),
        zeros=int(values.size - np.count_nonzero(values)),
        distinct=len(np.unique(values)),
        same=None if before is None else bool(np.array_equal(values, before, equal_nan=True)),
        kept=None
        if before is None
        else before.shape == values.shape and bool(np.all((values == 0) | (values == before))),
        empty=None if before is None else not before.any(),
        was=None if partner is None else partner.dtype,
    )


def tensors(found: Sequence[Found], precision: str) -> tuple[WeightTensor, ...]:
    """For the report. precision is the source's.

    Where some weights are compressed those count that are; else those that have another precision than the source's.
    """
    compresses = any(not each.is_plain for each in found)
    return tuple(
        WeightTensor(
            name=each.weight.name,
            shape=each.weight.shape,
            dtype=each.dtype,
            size_bytes=storage.size(each.weight.operation),
            elements=each.weight.elements,
            zeros=each.zeros,
            distinct=each.distinct,
            compressed=not each.is_plain if compresses else each.dtype != precision,
        )
        for each in found
    )


def check(recipe: str, found: Sequence[Found], done: Mapping[str, Sequence[Step]]) -> None:
    """Raises RecipeError where a weight is not what its steps say, or changed without any.

    done: the steps that were applied, by weight.
    """
    lost = done.keys() - {each.weight.name for each in found}
    if lost:
        raise RecipeError(recipe, f"the weight {shorten(min(lost))} is gone from the artefact")
    for each in found:
        reason = _wrong(each, done.get(each.weight.name, ()))
        if reason is not None:
            raise RecipeError(recipe, f"the weight {shorten(each.weight.name)} {reason}")


def _wrong(found: Found, steps: Sequence[Step]) -> str | None:
    if not steps:
        kept = found.dtype == (found.was or "float16") and found.same is not False
        return None if kept else f"was to stay as it is, and came out as {found.dtype}"
    if not all(map(_fits, steps, _parts(found, steps))):
        return f"came out as {found.dtype} instead of {'+'.join(map(_stored, steps))}"
    return _lost(found, steps) or _broken_by(found, steps)


def _parts(found: Found, steps: Sequence[Step]) -> tuple[str, ...]:
    """How a weight is stored, one part for each step."""
    parts = tuple(found.dtype.split("+"))
    return parts if len(parts) == len(steps) else (found.dtype,) * len(steps)


def _fits(step: Step, part: str) -> bool:
    """Fewer bits than asked for are enough for values that there are already."""
    if not step.row.endswith("unique"):
        return part == _stored(step)
    kind, _, bits = part.partition("-")
    return kind == "palette" and bits.isdecimal() and int(bits) <= (step.palette_bits or 0)


def _stored(step: Step) -> str:
    """How a step stores a weight."""
    if step.is_sparse:
        return "sparse"
    if step.palette_bits is not None:
        return f"palette-{step.palette_bits}{'-int8-lut' if step.row.endswith('int8-lut') else ''}"
    return "int8" if step.row == "int8" else dtype_of(step)


def _lost(found: Found, steps: Sequence[Step]) -> str | None:
    if found.zeros < found.weight.elements or found.empty:
        return None
    if len(steps) == 1 and steps[0].is_sparse:
        return "has lost all of its values: they are all of one magnitude; prune less"
    return "has lost all of its values, which are too small for what float16 scales can say; leave its operator out"


def _broken_by(found: Found, steps: Sequence[Step]) -> str | None:
    """What of the steps' promises does not hold."""
    exact = all(step.is_sparse or step.row.endswith("unique") for step in steps)
    if exact and found.kept is False:
        return "has other values than before, and none of its steps changes any but to zero"
    if not any(step.is_sparse for step in steps) and exact and found.same is False:
        return "has lost values to zero, and nothing was to prune it"
    return next((reason for step in steps if (reason := _broken(step, found, joined=len(steps) > 1))), None)


def _broken(step: Step, found: Found, *, joined: bool) -> str | None:
    """What of a step's promise does not hold."""
    share = promised(step, found.weight) if step.is_sparse else None
    if share is not None and 100 * found.zeros / found.weight.elements < share - _SHARE_SLACK:
        return f"has {found.zeros / found.weight.elements:.1%} zeros instead of {share:.1f} %"
    if is_patterned(step) and (reason := unpatterned(step, found.weight.values())) is not None:
        return reason
    most = _most_values(step, found.weight)
    if most is not None and found.distinct > most + joined:  # beside its table a pruned weight has zero
        return f"has {found.distinct} distinct values, more than {most}"
    return None


def _most_values(step: Step, weight: Weight) -> int | None:
    """How many values a palette may leave: those of all its tables, or of all numbers of its vectors."""
    if step.palette_bits is None:
        return None
    tables = weight.shape[weight.output_axis] // step.whole("G") if step.row.endswith("group-G") else 1
    size = step.whole("D") if step.row.endswith("vector-D") else 1
    return tables * size << step.palette_bits
