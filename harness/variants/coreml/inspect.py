"""What recipes did to the weights of an ML Program, and whether the artefact holds what its techniques promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.errors import RecipeError
from harness.core.variant import WeightTensor
from harness.sources.tflite_file import shorten
from harness.variants.coreml import storage
from harness.variants.coreml.linear import dtype_of
from harness.variants.coreml.sparse import promised
from harness.variants.coreml.weights import Weight
from harness.variants.technique import Step

_SHARE_SLACK = 0.5  # percent, for blocks of channels that do not divide


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A weight of the artefact, read back. dtype says how it is stored. zeros and distinct count what operators see;
    same: exactly what its partner before the recipe had, None without one."""

    weight: Weight
    dtype: str
    zeros: int
    distinct: int
    same: bool | None

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
    return Found(
        weight=weight,
        dtype=storage.described(weight.operation),
        zeros=int(values.size - np.count_nonzero(values)),
        distinct=len(np.unique(values)),
        same=None if partner is None else bool(np.array_equal(values, partner.values(), equal_nan=True)),
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
        kept = found.is_plain and found.same is not False
        return None if kept else f"was to stay as it is, and came out as {found.dtype}"
    dtype = "+".join(_stored(step, found) for step in steps)
    if found.dtype != dtype:
        return f"came out as {found.dtype} instead of {dtype}"
    return next((reason for step in steps if (reason := _broken(step, found, joined=len(steps) > 1))), None)


def _stored(step: Step, found: Found) -> str:
    """How a step stores a weight. Fewer bits than asked for are enough for values that there are already."""
    if step.is_sparse:
        return "sparse"
    if step.row.endswith("unique") and found.distinct <= 1 << (step.palette_bits or 0):
        return found.dtype.rpartition("+")[2]
    if step.palette_bits is not None:
        return f"palette-{step.palette_bits}{'-int8-lut' if step.row.endswith('int8-lut') else ''}"
    return "int8" if step.row == "int8" else dtype_of(step)


def _broken(step: Step, found: Found, *, joined: bool) -> str | None:
    """What of a step's promise does not hold."""
    elements = found.weight.elements
    if step.is_sparse and found.zeros == elements:
        return "has lost all of its values: they are all of one magnitude; prune less"
    share = promised(step, found.weight) if step.is_sparse else None
    if share is not None and 100 * found.zeros / elements < share - _SHARE_SLACK:
        return f"has {found.zeros / elements:.1%} zeros instead of {share:.1f} %"
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
