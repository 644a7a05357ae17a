"""Names in an ML Program, kept through casts and compressions.

The toolkit calls `conv1` `conv1_cast_fp16` once it computes in float16, and a weight `w` `w_palettized` once it is
compressed. Here both get their old names back, so that an operator is the same one in every variant of a model. The
names of inputs and outputs of the program are never touched; an operator that gave an output of the program keeps its
new name, as the cast back to float32 has the old one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.variants.technique import CoreMLProgram

Message = Any
"""Of MIL.proto."""

CAST = "_cast_fp16"
_CAST = re.compile(r"_cast_fp16(?=_\d+$|$)|_to_fp16(?=$)")
_COMPRESSED = ("_sparsified", "_quantized", "_palettized")


def uncast(program: CoreMLProgram) -> CoreMLProgram:
    """The program with the names that it had before it was cast to float16, wherever they are free."""
    return _renamed(program, lambda names: _free(names, {name: _CAST.sub("", name) for name in names}))


def restored(program: CoreMLProgram, weights: Sequence[str]) -> CoreMLProgram:
    """The program with compressed weights under the names they had before."""
    wanted = {f"{weight}{suffix}": weight for weight in weights for suffix in _COMPRESSED}
    return _renamed(program, lambda names: _free(names, {name: wanted[name] for name in names if name in wanted}))


def _free(names: set[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the wanted names that nothing has, each once."""
    given: dict[str, str] = {}
    for old, new in sorted(wanted.items()):
        if new not in names and new not in given.values():
            given[old] = new
    return given


def _renamed(program: CoreMLProgram, choose: Callable[[set[str]], Mapping[str, str]]) -> CoreMLProgram:
    from coremltools.models import MLModel

    specification = program.get_spec()
    for function in specification.mlProgram.functions.values():
        for block in function.block_specializations.values():
            operations = tuple(_operations(block))
            names = {output.name for operation in operations for output in operation.outputs}
            kept = {value.name for value in function.inputs} | set(block.outputs)
            new = {old: name for old, name in choose(names | kept).items() if old in names - kept}
            for operation in operations:
                _rename(operation, new)
    return MLModel(specification, weights_dir=program.weights_dir, skip_model_load=True)


def _operations(block: Message) -> Iterator[Message]:
    """Those of a block and of the blocks inside its operations."""
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from _operations(inner)


def _rename(operation: Message, new: Mapping[str, str]) -> None:
    for output in operation.outputs:
        output.name = new.get(output.name, output.name)
    if "name" in operation.attributes:
        own = operation.attributes["name"].immediateValue.tensor.strings.values
        own[:] = [new.get(name, name) for name in own]
    for argument in operation.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "name":
                binding.name = new.get(binding.name, binding.name)
    for block in operation.blocks:
        block.outputs[:] = [new.get(name, name) for name in block.outputs]
