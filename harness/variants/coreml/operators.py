"""The operators and weights of a model as it came, read without coremltools: for plans and for settings."""

from dataclasses import dataclass, replace
from functools import lru_cache

from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.sources.mlpackage_file import open_package
from harness.sources.mlprogram import parse_program, walk
from harness.sources.mlprogram_readers import find_weights
from harness.sources.mlprogram_weights import ProgramWeight, precision_of
from harness.variants.coreml.weights import Weight
from harness.variants.settings import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a recipe can be about. functions counts them, default is the one that runs without a name; operators are of
    all of them and of the blocks in them, nested the types of those that have blocks. compressed: how some weight is
    stored already, None where all are floats."""

    functions: int
    default: str
    nested: tuple[str, ...]
    compressed: str | None
    operators: tuple[Operator, ...]
    weights: tuple[Weight, ...]


@lru_cache(maxsize=32)
def read_contents(model: Model) -> Contents:
    """Read once for each model. Raises ModelUnreadable."""
    try:
        specification = open_package(model.path).specification
        functions = parse_program(specification.mlProgram)
    except ValueError as exc:
        raise ModelUnreadable(model.path, f"cannot be read: {exc}") from exc
    weights = find_weights(functions)
    bytes_of = {reader.name: weight.bytes for weight in weights for reader in weight.readers}
    operators = tuple(
        Operator(
            place=(number, index),
            type=operation.type,
            name=operation.name,
            weight_bytes=bytes_of.get(operation.name, 0),
        )
        for number, function in enumerate(functions)
        for index, operation in enumerate(walk(function.body))
        if not operation.is_constant
    )
    return Contents(
        functions=len(functions),
        default=specification.description.defaultFunctionName or "main",
        nested=tuple(each.type for function in functions for each in walk(function.body) if each.blocks),
        compressed=next((precision_of([weight]) for weight in weights if weight.is_compressed), None),
        operators=operators,
        weights=tuple(map(_without_values, weights)),
    )


def _without_values(weight: ProgramWeight) -> Weight:
    """A weight as far as a plan knows it: as it is once constants are reordered (`package.open_program`)."""
    readers = tuple(replace(each, through=None) for each in weight.readers)
    return Weight(name=weight.name, shape=weight.shape, readers=readers, is_output=False, operation=None)
