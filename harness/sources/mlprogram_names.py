"""Whether every name that an ML Program reads is there when it is read."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from harness.sources.mlprogram import BlockRecord, FunctionRecord, OperationRecord, ProgramDamaged
from harness.sources.tflite_file import shorten


def check_names(functions: Iterable[FunctionRecord]) -> None:
    """Raises ProgramDamaged."""
    for function in functions:
        _check_block(function.body, {named.name for named in function.inputs})


def _check_block(block: BlockRecord, outer: AbstractSet[str]) -> None:
    known = {*outer, *(named.name for named in block.inputs)}
    for operation in block.operations:
        _check_read(operation, known)
        for inner in operation.blocks:
            _check_block(inner, known)
        known |= {named.name for named in operation.outputs}
    unknown = next((name for name in block.outputs if name not in known), None)
    if unknown is not None:
        raise ProgramDamaged(f"its output {shorten(unknown)} is made by no operation")


def _check_read(operation: OperationRecord, known: AbstractSet[str]) -> None:
    for bindings in operation.inputs.values():
        for each in bindings:
            if isinstance(each, str) and each not in known:
                what = f"{shorten(operation.type)} {shorten(operation.name)}"
                raise ProgramDamaged(f"{what} reads {shorten(each)}, which nothing before it makes")
