"""The weights of an ML Program as coremltools reads it, with the numbers that operators see."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from harness.sources.mlprogram_readers import READS
from harness.sources.mlprogram_storage import REORDERS
from harness.sources.mlprogram_weights import Reader
from harness.variants.technique import CoreMLProgram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

# coremltools has no types
Operation = Any
Value = Any
Block = Any

_FLOATS = {"fp16": "float16", "fp32": "float32"}
COMPRESSED = "constexpr_"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weight:
    """A float constant, plain or compressed, that some operator multiplies or looks up in as two dimensions or more.

    operation is the toolkit's own that yields it: a `const`, a `dequantize` of one, or the last `constexpr_` of a
    chain; None in a plan, which knows no values. is_output: a program gives it away as well.
    """

    name: str
    shape: tuple[int, ...]
    readers: tuple[Reader, ...]
    is_output: bool
    operation: Operation

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def output_axis(self) -> int:
        """Where its output channels are."""
        return _axes(self.readers[0], len(self.shape))[0]

    @property
    def input_axis(self) -> int:
        """Where its input channels are."""
        return _axes(self.readers[0], len(self.shape))[1]

    @property
    def is_ambiguous(self) -> bool:
        """Whether operators take different axes for its channels; the toolkit then has no channels of it."""
        return len({_axes(reader, len(self.shape)) for reader in self.readers}) > 1

    @property
    def dtype(self) -> str:
        """What operators read: `float16`, `float32`."""
        return _FLOATS[self.operation.outputs[0].dtype.__name__]

    def values(self) -> "Floats":
        """What operators read, in the weight's shape, unpacked each time.

        As float32: NumPy 2.3 sorts float16 wrongly, which `unique` relies on, and overflows in its percentiles.
        """
        import numpy as np

        from harness.fidelity.mil.operators.constexpr import decompress

        if self.operation.op_type == "dequantize":
            return np.asarray(self.operation.materialized_val_inference(), np.float32)
        return np.asarray(decompress(self.operation.outputs[0]), np.float32)


def read_weights(program: CoreMLProgram) -> tuple[Weight, ...]:
    """Every weight once, in the order in which they are made, of all functions by their names."""
    functions = sorted(load(program).functions.items())
    return tuple(weight for _, function in functions for weight in _weights_of(function))


def load(program: CoreMLProgram) -> CoreMLProgram:
    """The program as the toolkit's passes see it."""
    from coremltools.converters.mil.frontend.milproto.load import load as read
    from coremltools.models.utils import _convert_model_spec_to_pymil_prog

    return _convert_model_spec_to_pymil_prog(program, program.get_spec().specificationVersion, read)


def _weights_of(block: Block) -> Iterator[Weight]:
    given = set(block.outputs)
    for operation in block.operations:
        for inner in operation.blocks:
            yield from _weights_of(inner)
        if _is_known(operation):
            weight = _weight(operation, operation.outputs[0] in given)
            if weight is not None:
                yield weight


def _is_known(operation: Operation) -> bool:
    if operation.op_type == "dequantize":
        return bool(operation.input.op is not None and operation.input.op.op_type == "const")
    return operation.op_type == "const" or bool(operation.op_type.startswith(COMPRESSED))


def _weight(operation: Operation, is_output: bool) -> Weight | None:
    from coremltools.converters.mil.mil import ListVar

    value = operation.outputs[0]
    if len(operation.outputs) != 1 or isinstance(value, ListVar) or not hasattr(value.dtype, "__name__"):
        return None  # the labels of a classifier are a list
    readers = tuple(_readers(value, None)) if value.dtype.__name__ in _FLOATS else ()
    if not readers:
        return None
    shape = tuple(int(size) for size in value.shape)
    return Weight(name=value.name, shape=shape, readers=readers, is_output=is_output, operation=operation)


def _readers(value: Value, through: str | None) -> Iterator[Reader]:
    """Also those that read it behind what only reorders it."""
    for child in dict.fromkeys(value.child_ops):
        if child.op_type in REORDERS and child.inputs.get("x") is value:
            yield from _readers(child.outputs[0], through or child.op_type)
        elif value.rank >= 2:
            yield from _readings(child, value, through)


def _readings(child: Operation, value: Value, through: str | None) -> Iterator[Reader]:
    for input in READS.get(child.op_type, ()):
        read = child.inputs.get(input)
        if value is read or (isinstance(read, list | tuple) and any(value is each for each in read)):
            yield Reader(
                type=child.op_type,
                name=child.outputs[0].name,
                input=input,
                groups=int(child.groups.val) if "groups" in child.inputs and child.groups is not None else 1,
                transposed=_is_transposed(child, input),
                through=through,
            )


def _is_transposed(child: Operation, input: str) -> bool:
    return child.op_type == "matmul" and bool(child.inputs[f"transpose_{input}"].val)


def _axes(reader: Reader, rank: int) -> tuple[int, int]:
    """Output and input channels of a weight, as the toolkit takes them, which looks at its first reader alone."""
    if reader.through is not None:
        return 0, 1
    if reader.type == "conv_transpose":
        return 1, 0
    if reader.type == "matmul":
        columns = (reader.input == "y") != reader.transposed
        return (rank - 1, rank - 2) if columns else (rank - 2, rank - 1)
    return 0, 1
