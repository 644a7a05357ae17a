"""What an ML Program says, as plain values: functions, operations, constants. Nothing is judged here but damage.

Format: MIL.proto of coremltools. Before iOS18 operations of the `constexpr_` family have their constants as
attributes, since then as inputs; both are inputs here, and so is the value of a `const`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.units import Bytes
from harness.sources.coreml_schema import element_types
from harness.sources.tflite_file import elements_of, shorten

_BITS = {"bool": 8, "bfloat16": 16, "float8e4m3fn": 8, "float8e5m2": 8}
_KEPT = 64  # of a constant's values, when they are written in the program itself: parameters, not weights

Values = tuple[str | bool | float, ...]


class ProgramDamaged(ValueError):
    """A program that contradicts itself. One sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueType:
    """A tensor's type: numpy's name of its elements, and its shape with -1 where it is open.

    A state has the type of what it keeps. What is no tensor has the dtype `list`, `dictionary` or `tuple`.
    """

    dtype: str
    shape: tuple[int, ...] = ()

    @property
    def elements(self) -> int | None:
        """None where a dimension is open."""
        return elements_of(self.shape)

    @property
    def size_bytes(self) -> Bytes | None:
        """Packed, as in a file of constants. None where a dimension is open or an element has no fixed size."""
        bits, elements = bits_of(self.dtype), self.elements
        return None if bits is None or elements is None else (elements * bits + 7) // 8

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a constant is: a file, as the program names it, and the offset of its description there."""

    file: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constant:
    """A value. place is None where it is written in the program; values are then kept if they are few, else ()."""

    type: ValueType
    place: Place | None
    values: Values = ()


Binding = str | Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A name that an operation, a block or a function defines."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperationRecord:
    """One operation. An input is one value or, for variadic ones, several."""

    type: str
    inputs: Mapping[str, tuple[Binding, ...]]
    outputs: tuple[Named, ...]
    blocks: tuple["BlockRecord", ...] = ()

    @property
    def name(self) -> str:
        """That of its first output, as Core ML's own tools show it."""
        return self.outputs[0].name if self.outputs else ""

    @property
    def is_constant(self) -> bool:
        """It is known before the program runs: a constant, or made from constants alone."""
        return self.type == "const" or self.type.startswith("constexpr_")

    def one(self, name: str) -> Binding | None:
        """An input that is one value, None where it was not given."""
        return next(iter(self.inputs.get(name, ())), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockRecord:
    """Operations in order. inputs are what a loop hands to its body."""

    inputs: tuple[Named, ...]
    operations: tuple[OperationRecord, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionRecord:
    """A function: its inputs, states among them, and its body."""

    name: str
    inputs: tuple[Named, ...]
    states: frozenset[str]
    body: BlockRecord


def bits_of(dtype: str) -> int | None:
    """Bits of an element, None where that is not fixed."""
    digits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return _BITS.get(dtype) or (int(digits) if digits.isdecimal() else None)


def parse_program(program: Any) -> tuple[FunctionRecord, ...]:  # noqa: ANN401 (MIL_pb2.Program)
    """All functions, by name. Raises ProgramDamaged."""
    return tuple(_function(name, program.functions[name]) for name in sorted(program.functions))


def walk(block: BlockRecord) -> Iterator[OperationRecord]:
    """Every operation of a block and of the blocks in it."""
    for operation in block.operations:
        yield operation
        for inner in operation.blocks:
            yield from walk(inner)


def constants_in(operation: OperationRecord) -> Iterator[Constant]:
    """The constants that are written at an operation, or that it names the place of."""
    for bindings in operation.inputs.values():
        yield from (each for each in bindings if isinstance(each, Constant))


def _function(name: str, function: Any) -> FunctionRecord:  # noqa: ANN401
    if function.opset not in function.block_specializations:
        raise ProgramDamaged(f"function {shorten(name)} has no body for its own operators, {shorten(function.opset)}")
    return FunctionRecord(
        name=name,
        inputs=tuple(map(_named, function.inputs)),
        states=frozenset(each.name for each in function.inputs if each.type.WhichOneof("type") == "stateType"),
        body=_block(function.block_specializations[function.opset]),
    )


def _block(block: Any) -> BlockRecord:  # noqa: ANN401
    return BlockRecord(
        inputs=tuple(map(_named, block.inputs)),
        operations=tuple(map(_operation, block.operations)),
        outputs=tuple(block.outputs),
    )


def _operation(operation: Any) -> OperationRecord:  # noqa: ANN401
    given = {name: tuple(map(_binding, argument.arguments)) for name, argument in operation.inputs.items()}
    attributes = {name: (_constant(value),) for name, value in operation.attributes.items() if name != "name"}
    return OperationRecord(
        type=operation.type,
        inputs=dict(sorted((attributes | given).items())),  # protobuf's maps have another order in each process
        outputs=tuple(map(_named, operation.outputs)),
        blocks=tuple(map(_block, operation.blocks)),
    )


def _binding(binding: Any) -> Binding:  # noqa: ANN401
    return _constant(binding.value) if binding.WhichOneof("binding") == "value" else str(binding.name)


def _named(value: Any) -> Named:  # noqa: ANN401
    return Named(name=value.name, type=_type(value.type))


def _type(kind: Any) -> ValueType:  # noqa: ANN401
    which = kind.WhichOneof("type")
    if which == "stateType":
        return _type(kind.stateType.wrappedType)
    if which != "tensorType":
        return ValueType(dtype=(which or "nothing").removesuffix("Type"))
    tensor = kind.tensorType
    dtype = element_types().get(tensor.dataType)
    if dtype is None:
        raise ProgramDamaged(f"element type {tensor.dataType} is unknown")
    shape = tuple(
        each.constant.size if each.WhichOneof("dimension") == "constant" else -1 for each in tensor.dimensions
    )
    if tensor.rank != len(shape):
        raise ProgramDamaged(f"a tensor of {tensor.rank} dimensions has the shape {list(shape)[:10]}")
    if -1 not in shape and elements_of(shape) is None:
        raise ProgramDamaged(f"a tensor has the shape {list(shape)[:10]}, more than any machine holds")
    return ValueType(dtype=dtype, shape=shape)


def _constant(value: Any) -> Constant:  # noqa: ANN401
    kind = _type(value.type)
    match value.WhichOneof("value"):
        case "blobFileValue":
            place = Place(file=value.blobFileValue.fileName, offset=value.blobFileValue.offset)
            return Constant(type=kind, place=place)
        case "immediateValue":
            return Constant(type=kind, place=None, values=_immediate(kind, value.immediateValue))
        case _:
            raise ProgramDamaged(f"a constant of {kind.dtype} has no value")


def _immediate(kind: ValueType, value: Any) -> Values:  # noqa: ANN401
    """The values, if they are few. Raises ProgramDamaged where there are more or fewer than the type says."""
    if value.WhichOneof("value") != "tensor":
        return ()
    which = value.tensor.WhichOneof("value")
    if which is None:
        raise ProgramDamaged(f"a constant of {kind.dtype} has no value")
    values = getattr(value.tensor, which).values
    needed = kind.size_bytes if which == "bytes" else kind.elements
    if len(values) != needed:
        raise ProgramDamaged(f"a constant has {len(values)} values or bytes and its type needs {needed}")
    return () if which == "bytes" or len(values) > _KEPT else tuple(values)
