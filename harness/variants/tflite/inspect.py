"""What a recipe did to the weights, and whether the artefact holds what its technique promises."""

from collections.abc import Sequence

from harness.core.errors import ChangedNothing, RecipeError
from harness.core.model import TensorSpec
from harness.core.variant import WeightTensor
from harness.variants.technique import Applies, Quantization
from harness.variants.tflite.edit import every
from harness.variants.tflite.weights import Weight, distinct_count, read_weights, unique, values, zero_count


def weight_tensors(source: bytes, built: bytes) -> tuple[WeightTensor, ...]:
    """Every weight of the built file, once, compared with its partner in the source."""
    partners = pair(read_weights(source), read_weights(built))
    return tuple(_tensor(source, built, weight, partners.get(weight.slot)) for weight in unique(read_weights(built)))


def pair(source: Sequence[Weight], built: Sequence[Weight]) -> dict[tuple[int, int], Weight]:
    """The source's weight for each of the built file's, by slot.

    Conversions keep the order of weighted operators. Where somebody else's file has another number of them, weights
    go by name, and those that find none are left out.
    """
    if len(source) == len(built):
        return {weight.slot: old for weight, old in zip(built, source, strict=True)}
    names = {weight.name: weight for weight in source}
    return {weight.slot: names[weight.name] for weight in built if weight.name in names}


def check_changed(recipe: str, before: bytes, after: bytes, applies: Applies = every) -> None:
    """Raises ChangedNothing where no weight that a step was for differs from the step before (`before`).

    A quantisation may rename tensors and leave every weight alone; it changed nothing as well.
    """
    old = [weight for weight in read_weights(before) if applies(weight)]
    if not old:
        raise ChangedNothing(recipe, "the model has no weights to compress; leave this recipe out for it")
    new = read_weights(after)
    partners = pair(read_weights(before), new)
    asked = [weight for weight in new if weight.slot not in partners or applies(partners[weight.slot])]
    if not any(_differs(before, after, partners.get(weight.slot), weight) for weight in asked):
        kinds = ", ".join(sorted({weight.operator for weight in old}))
        raise ChangedNothing(recipe, f"it ran and left every weight of {kinds} as it was; leave it out for this model")


def check_ends(recipe: str, ends: str, pairs: Sequence[tuple[TensorSpec, TensorSpec]]) -> None:
    """Raises RecipeError where an input or output that is float32 in the source has another dtype than `ends`.

    pairs are the source's inputs and outputs with the artefact's.
    """
    for old, new in pairs:
        if old.dtype == "float32" and new.dtype != ends:
            raise RecipeError(recipe, f"{new.name!r} came out as {new.dtype} instead of {ends}")


def check_stored(
    recipe: str, quantization: Quantization | None, source: bytes, built: bytes, applies: Applies = every
) -> None:
    """Raises RecipeError where weights or activations of operators are not stored as their quantisation says.

    Without one their weights have the source's dtype. applies gets the source's weights.
    """
    pairs = [(old, new) for old, new in _pairs(source, built) if applies(old)]
    changed = [new for old, new in pairs if old.dtype != new.dtype]
    allowed = quantization.stored if quantization else ()
    wrong = next(((old, new) for old, new in pairs if new.dtype not in (old.dtype, *allowed)), None)
    if wrong is not None:
        wanted = " or ".join(allowed) or wrong[0].dtype
        raise RecipeError(recipe, f"the weight {wrong[1].name!r} came out as {wrong[1].dtype} instead of {wanted}")
    if quantization and changed and not any(weight.activation == quantization.activations for weight in changed):
        found = ", ".join(sorted({weight.activation for weight in changed}))
        raise RecipeError(recipe, f"no operator computes on {quantization.activations}; activations are {found}")


def check_untouched(recipe: str, source: bytes, built: bytes, applies: Applies) -> None:
    """Raises RecipeError where a weight of an operator that is to stay as it is differs from the source's."""
    for old, new in _pairs(source, built):
        if applies(old) and _differs(source, built, old, new):
            raise RecipeError(recipe, f"the weight {old.name!r} was to stay as it is, and changed")


def _pairs(source: bytes, built: bytes) -> list[tuple[Weight, Weight]]:
    """Weights of the source that the built file still has, with what became of them."""
    new = read_weights(built)
    partners = pair(read_weights(source), new)
    return [(partners[weight.slot], weight) for weight in new if weight.slot in partners]


def _tensor(source: bytes, built: bytes, weight: Weight, partner: Weight | None) -> WeightTensor:
    zeros, distinct = zero_count(built, weight), distinct_count(built, weight)
    return WeightTensor(
        name=weight.name,
        shape=weight.shape,
        dtype=weight.dtype,
        size_bytes=weight.size_bytes,
        elements=weight.elements,
        zeros=zeros,
        distinct=distinct,
        compressed=_compressed(source, built, partner, weight, zeros, distinct),
    )


def _compressed(source: bytes, built: bytes, old: Weight | None, new: Weight, zeros: int, distinct: int) -> bool:
    """Another dtype, or zeros or clusters that the source did not have. Without a partner the dtype alone decides."""
    if old is None:
        return new.dtype != "float32"
    if old.dtype != new.dtype or old.sparse_encoded != new.sparse_encoded:
        return True
    if not _differs(source, built, old, new):
        return False
    return zeros > zero_count(source, old) or distinct < distinct_count(source, old)


def _differs(before: bytes, after: bytes, old: Weight | None, new: Weight) -> bool:
    if old is None or old.dtype != new.dtype or old.size_bytes != new.size_bytes:
        return True
    return bool((values(before, old) != values(after, new)).any())
