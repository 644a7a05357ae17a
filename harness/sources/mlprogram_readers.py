"""Which operations of an ML Program read which weights."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from harness.sources.mlprogram import BlockRecord, FunctionRecord, OperationRecord, ValueType
from harness.sources.mlprogram_storage import Scope, Stored, stored, visit
from harness.sources.mlprogram_weights import ProgramWeight, Reader

READS: Mapping[str, tuple[str, ...]] = {
    "conv": ("weight",),
    "conv_transpose": ("weight",),
    "linear": ("weight",),
    "matmul": ("x", "y"),
    "einsum": ("values",),
    "gather": ("x",),
    "lstm": ("weight_ih", "weight_hh", "weight_ih_back", "weight_hh_back"),
    "gru": ("weight_ih", "weight_hh"),
    "rnn": ("weight_ih", "weight_hh"),
}
"""The inputs that are weights. A gather from a constant is an embedding."""


def find_weights(functions: Iterable[FunctionRecord]) -> tuple[ProgramWeight, ...]:
    """All weights, in the order of their first use. One that several functions or operations share is one."""
    found: dict[object, ProgramWeight] = {}
    for function in functions:
        for operation, scope in _run(function.body, {}):
            for weight, reader in _reads(operation, scope):
                key = frozenset(weight.constants)
                known = found.get(key) or _weight(weight)
                found[key] = replace(known, readers=(*known.readers, reader))
    return tuple(found.values())


def count_parameters(functions: Iterable[FunctionRecord]) -> int:
    """Numbers that were learned: floats in constants with a dimension at least. A shared constant counts once."""
    learned: dict[object, int] = {}
    for function in functions:
        for operation, scope in _run(function.body, {}):
            for found in read_by(operation, scope):
                if found.type.is_float and found.type.shape:
                    learned[frozenset(found.constants)] = found.type.elements or 0
    return sum(learned.values())


def read_by(operation: OperationRecord, scope: Scope) -> Iterator[Stored]:
    """What an operation reads that is known before the program runs."""
    for bindings in operation.inputs.values():
        yield from (found for each in bindings if (found := stored(each, scope)) is not None)


def _run(block: BlockRecord, outer: Scope) -> Iterator[tuple[OperationRecord, Scope]]:
    """Each operation that runs, those of blocks in blocks too."""
    for operation, scope in visit(block, outer):
        yield operation, scope
        for inner in operation.blocks:
            yield from _run(inner, scope)


def _reads(operation: OperationRecord, scope: Scope) -> Iterator[tuple[Stored, Reader]]:
    for input_ in READS.get(operation.type, ()):
        for binding in operation.inputs.get(input_, ()):
            found = stored(binding, scope, f"{operation.name}.{input_}")
            if found is not None and _is_weight(found.type):
                yield found, _reader(operation, input_, found, scope)


def _reader(operation: OperationRecord, input_: str, weight: Stored, scope: Scope) -> Reader:
    return Reader(
        type=operation.type,
        name=operation.name,
        input=input_,
        groups=int(_number(operation, "groups", scope, 1)),
        transposed=operation.type == "matmul" and bool(_number(operation, f"transpose_{input_}", scope, 0)),
        through=weight.through,
    )


def _number(operation: OperationRecord, name: str, scope: Scope, default: int) -> str | float:
    """A parameter that is a constant, the default where it is not given."""
    found = stored(binding, scope) if (binding := operation.one(name)) is not None else None
    values = [value for constant in (found.constants.values() if found else ()) for value in constant.values]
    return values[0] if len(values) == 1 else default


def _is_weight(type_: ValueType) -> bool:
    return type_.is_float and len(type_.shape) >= 2 and type_.elements is not None


def _weight(found: Stored) -> ProgramWeight:
    return ProgramWeight(
        name=found.name,
        shape=found.type.shape,
        dtype=found.type.dtype,
        stored=found.dtype,
        bytes=found.bytes,
        readers=(),
        nonzero=found.nonzero,
        palette=found.palette,
        scaling=found.scaling,
    )
