"""The operators and weights of a model as it came, read without coremltools: for plans and for settings."""

from dataclasses import dataclass
from functools import lru_cache

from harness.core.errors import ModelUnreadable
from harness.core.model import Model
from harness.sources.mlpackage_file import open_package
from harness.sources.mlprogram import parse_program, walk
from harness.sources.mlprogram_readers import find_weights
from harness.sources.mlprogram_weights import ProgramWeight
from harness.variants.coreml.weights import Reader, Weight
from harness.variants.settings import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a recipe can be about. functions counts them; operators are of all of them and of the blocks in them."""

    functions: int
    operators: tuple[Operator, ...]
    weights: tuple[Weight, ...]


@lru_cache(maxsize=32)
def read_contents(model: Model) -> Contents:
    """Read once for each model. Raises ModelUnreadable."""
    try:
        functions = parse_program(open_package(model.path).specification.mlProgram)
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
    return Contents(functions=len(functions), operators=operators, weights=tuple(map(_without_values, weights)))


def _without_values(weight: ProgramWeight) -> Weight:
    """A weight as far as a plan knows it; which way a matmul reads it, it does not."""
    readers = tuple(Reader(type=each.type, name=each.name, input=each.input) for each in weight.readers)
    return Weight(name=weight.name, shape=weight.shape, readers=readers, is_output=False, operation=None)
