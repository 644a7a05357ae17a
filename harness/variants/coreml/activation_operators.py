"""Operators of an ML Program whose activations coremltools can quantise, and which of them chosen weights mean."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from harness.core.errors import RecipeRefused
from harness.core.units import Bytes
from harness.variants.technique import CoreMLProgram

WITH_WEIGHTS = ("conv", "linear")
WITHOUT_WEIGHTS = ("add", "avg_pool", "max_pool")
"""Of coremltools' insert_prefix_quantize_dequantize_pair."""
# Of its insert_suffix_quantize_dequantize_pair: what stays together with the operator before.
_TOGETHER = ("leaky_relu", "tanh", "scaled_tanh", "sigmoid", "hard_sigmoid", "relu", "relu6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operation of a program's main block. inputs and outputs are names of values; bytes are of its outputs as
    float32, open dimensions as 1."""

    type: str
    name: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    is_float: bool
    bytes: Bytes

    @property
    def is_stored(self) -> bool:
        return self.type == "const" or self.type.startswith("constexpr_")

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(value for values in self.inputs.values() for value in values)


def read_operators(recipe: str, program: CoreMLProgram) -> tuple[Operator, ...]:
    """The operations of a program's only function. Raises RecipeRefused where one has blocks of its own."""
    operations = operations_of(program)
    nested = [each.type for each in operations if each.blocks]
    if nested:
        raise RecipeRefused(recipe, f"activations cannot be quantised in a program with {nested[0]}; take weight-int8")
    return tuple(_operator(each) for each in operations)


def operations_of(program: CoreMLProgram) -> Sequence[Any]:
    """Of the main block of a program's only function, as protobuf has them; a copy."""
    return operations_in(program.get_spec())


def operations_in(specification: Any) -> Sequence[Any]:  # noqa: ANN401 (coremltools has no types)
    """The same of a specification, not copied."""
    (function,) = specification.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    operations: Sequence[Any] = block.operations
    return operations


def _operator(operation: Any) -> Operator:  # noqa: ANN401 (coremltools has no types)
    from coremltools.proto.MIL_pb2 import FLOAT16, FLOAT32

    inputs = operation.inputs.items()
    types = [each.type.tensorType for each in operation.outputs]
    sizes = [prod(max(1, each.constant.size) for each in kind.dimensions) for kind in types]
    return Operator(
        type=operation.type,
        name=name_of(operation),
        inputs={key: tuple(each.name for each in value.arguments if each.name) for key, value in inputs},
        outputs=tuple(each.name for each in operation.outputs),
        is_float=all(kind.dataType in (FLOAT16, FLOAT32) for kind in types),
        bytes=4 * sum(sizes),
    )


def name_of(operation: Any) -> str:  # noqa: ANN401 (coremltools has no types)
    """An operation's own name, "" where it has none."""
    return "".join(operation.attributes["name"].immediateValue.tensor.strings.values)


def chosen(operators: Sequence[Operator], weights: Collection[str], outputs: Collection[str]) -> list[str]:
    """Names of the operators whose activations are quantised, in order.

    An addition or a pooling follows the nearest operators with weights before it: all of them chosen. Where there are
    none it is as if all operators with weights stood before it. outputs are the program's.
    """
    makers = {value: each for each in operators for value in each.outputs}
    own = {each.name: set(weights) & _stored_behind(each, makers) for each in operators if _has_weights(each, makers)}
    follows: dict[str, bool | None] = {}
    named = []
    for each in operators:
        known = [follows.get(value) for value in each.reads if value in follows]
        before = [one for one in known if one is not None]
        its = bool(own[each.name]) if each.name in own else all(before) if before else None
        follows |= dict.fromkeys(() if each.is_stored else each.outputs, its)
        takes = its if its is not None else all(own.values())
        if takes and _is_possible(each, operators, outputs):
            named.append(each.name)
    return named


def joined(operators: Sequence[Operator], outputs: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Values that `concat` joins with each other, over any number of steps: they are to share one range.

    coremltools means the same, but shares only along some of the steps, along which depends on the hashes of names
    (_combine_lists_with_common_elements of 9.0). Outputs of the program are nobody's operand to it.
    """
    stored = {value for each in operators if each.is_stored for value in each.outputs}
    groups: list[set[str]] = []
    for each in operators:
        if each.type == "concat" and not set(each.outputs) & set(outputs):
            values = {*each.inputs["values"], *each.outputs} - stored
            groups = [*(one for one in groups if not one & values), values.union(*(g for g in groups if g & values))]
    return tuple(tuple(sorted(group)) for group in groups)


def _has_weights(operator: Operator, makers: Mapping[str, Operator]) -> bool:
    return operator.type in WITH_WEIGHTS and bool(_stored_behind(operator, makers))


def _stored_behind(operator: Operator, makers: Mapping[str, Operator]) -> set[str]:
    """Constants that an operator's weights are, or are made of by operators that only reorder them."""
    found: set[str] = set()
    waiting = list(operator.inputs.get("weight", ()))
    while waiting:
        value = waiting.pop()
        maker = makers.get(value)
        if maker is None:
            return set()  # an input of the program
        if maker.is_stored:
            found.add(value)
        else:
            waiting += maker.reads
    return found


def _is_possible(operator: Operator, operators: Sequence[Operator], outputs: Collection[str]) -> bool:
    """Whether the toolkit can: it has no ranges of the program's outputs, so that an operator around one that is also
    read inside has to stay as it is."""
    if operator.type not in (*WITH_WEIGHTS, *WITHOUT_WEIGHTS) or not operator.is_float or not operator.name:
        return False
    after = [each for each in operators if set(each.reads) & set(operator.outputs)]
    ends = {*operator.outputs, *(value for each in after if each.type in _TOGETHER for value in each.outputs)}
    return not set(operator.reads) & set(outputs) and not (after and ends & set(outputs))
