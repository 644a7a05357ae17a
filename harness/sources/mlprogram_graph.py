"""The operations of an ML Program's function as a Graph. Constants, stored in whatever way, are no operations."""

from collections.abc import Iterator

from harness.core.model import Graph, OpNode
from harness.sources.mlprogram import Binding, Constant, FunctionRecord, OperationRecord, ValueType
from harness.sources.mlprogram_macs import macs
from harness.sources.mlprogram_storage import Scope, stored, visit

Tensors = dict[str, tuple[int, ValueType]]
"""What is computed, by name: its number and its type."""


def graph_of(function: FunctionRecord) -> Graph:
    """Of a function's own block: what loops and branches do inside is one operation each."""
    tensors: Tensors = {}
    for named in function.inputs:
        tensors[named.name] = len(tensors), named.type
    inputs = tuple(number for name, (number, _) in tensors.items() if name not in function.states)
    count = len(tensors)
    nodes: list[OpNode] = []
    for operation, scope in visit(function.body, {}):
        made = tuple(range(count, count := count + len(operation.outputs)))
        nodes.append(_node(len(nodes), operation, scope, tensors, made))
        tensors |= {named.name: (number, named.type) for named, number in zip(operation.outputs, made, strict=True)}
    return Graph(nodes=tuple(nodes), inputs=inputs)


def _node(index: int, operation: OperationRecord, scope: Scope, tensors: Tensors, made: tuple[int, ...]) -> OpNode:
    read = dict(tensors[name] for name in _names(operation) if name in tensors)
    types = [*read.values(), *(named.type for named in operation.outputs)]
    return OpNode(
        index=index,
        type=operation.type,
        name=operation.name,
        shape=operation.outputs[0].type.shape if operation.outputs else (),
        inputs=tuple(read),
        outputs=made,
        macs=_macs(operation, scope, tensors),
        weight_bytes=_weight_bytes(operation, scope, tensors),
        activation_bytes=sum(type_.size_bytes or 0 for type_ in types),
    )


def _weight_bytes(operation: OperationRecord, scope: Scope, tensors: Tensors) -> int:
    """Bytes of all floats that it reads and that are in the file, with everything that they are made of."""
    found = [
        constants
        for bindings in operation.inputs.values()
        for each in bindings
        if each not in tensors and (constants := stored(each, scope)) is not None and constants.type.is_float
    ]
    parts = {key: constant for each in found for key, constant in each.constants.items()}
    return sum(constant.type.size_bytes or 0 for constant in parts.values())


def _macs(operation: OperationRecord, scope: Scope, tensors: Tensors) -> int | None:
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
    values: dict[str, Constant] = {}
    for name, bindings in operation.inputs.items():
        types = [_type(each, scope, tensors) for each in bindings]
        shapes[name] = tuple(type_.shape for type_ in types if type_ is not None)
        found = stored(bindings[0], scope) if bindings else None
        if found is not None and len(found.constants) == 1:
            values[name] = next(iter(found.constants.values()))
    return macs(operation, shapes, values)


def _type(binding: Binding, scope: Scope, tensors: Tensors) -> ValueType | None:
    if isinstance(binding, str) and binding in tensors:
        return tensors[binding][1]
    found = stored(binding, scope)
    return None if found is None else found.type


def _names(operation: OperationRecord) -> Iterator[str]:
    """What it reads by name, itself and in its blocks. Names that a block defines are no tensors of the graph yet."""
    for bindings in operation.inputs.values():
        yield from (each for each in bindings if isinstance(each, str))
    for block in operation.blocks:
        for inner in block.operations:
            yield from _names(inner)
        yield from block.outputs
