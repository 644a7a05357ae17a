"""What a .tflite file says, as plain values: tensors, operators, signatures. Nothing is judged here.

Format: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3. The numbers handed to `Table` are the places of
the fields in that file.
"""

from dataclasses import dataclass
from math import prod

from harness.sources.flatbuffer import FlatbufferDamaged, Table

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
_MOST_ELEMENTS = (
    1 << 48
)  # no machine holds more: such a shape is damage, and its products would overflow what keeps them

_BITS = {
    "float32": 32,
    "float16": 16,
    "int32": 32,
    "uint8": 8,
    "int64": 64,
    "bool": 8,
    "int16": 16,
    "complex64": 64,
    "int8": 8,
    "float64": 64,
    "complex128": 128,
    "uint64": 64,
    "uint32": 32,
    "uint16": 16,
    "int4": 4,
    "bfloat16": 16,
    "int2": 2,
    "uint4": 4,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
}


def elements_of(shape: tuple[int, ...]) -> int | None:
    """Count of elements, None where a dimension is open or there are more than any machine holds."""
    count = prod(shape) if all(size >= 0 for size in shape) else None
    return None if count is None or count > _MOST_ELEMENTS else count


def size_of(shape: tuple[int, ...], dtype: str) -> int | None:
    """Bytes by shape and dtype, None where either leaves it open."""
    bits, elements = _BITS.get(dtype), elements_of(shape)
    return None if bits is None or elements is None else (elements * bits + 7) // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRecord:
    """One tensor. signature_shape is empty unless the source framework left a dimension open (-1).

    buffer is the index of its constant, None where it is computed; buffer_bytes what that takes in the file.
    scales is empty where the tensor is not quantised. variable: it keeps its values from one inference to the next.
    """

    name: str
    shape: tuple[int, ...]
    signature_shape: tuple[int, ...]
    dtype: str
    buffer: int | None
    buffer_bytes: int
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    sparse: bool
    external: bool
    variable: bool = False

    @property
    def elements(self) -> int | None:
        """Count of elements, None where a dimension is open or there are more than any machine holds."""
        return elements_of(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """Bytes by shape and dtype, None where either leaves it open."""
        return size_of(self.shape, self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRecord:
    """One operator. Inputs are tensor indexes, -1 for an absent one. adj_x: BATCH_MATMUL transposes its left side."""

    type: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    adj_x: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRecord:
    """One subgraph."""

    name: str
    tensors: tuple[TensorRecord, ...]
    operators: tuple[OperatorRecord, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRecord:
    """Names that callers use for the inputs and outputs of one subgraph, by tensor index."""

    key: str
    graph: int
    inputs: dict[int, str]
    outputs: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteFile:
    """A whole file."""

    version: int
    graphs: tuple[GraphRecord, ...]
    signatures: tuple[SignatureRecord, ...]


def parse(content: bytes) -> TfliteFile:
    """Read a file's structure, not its weights. Raises FlatbufferDamaged with one sentence."""
    model = Table.root(content)
    version = model.number(0, "I")
    if version != SCHEMA_VERSION:  # what stands in it is unknown
        return TfliteFile(version=version, graphs=(), signatures=())
    codes = tuple(_code(table) for table in model.tables(1))
    buffers = tuple(_buffer_bytes(table, len(content)) for table in model.tables(4))
    graphs = tuple(_graph(table, codes, buffers) for table in model.tables(2))
    signatures = tuple(_signature(table, len(graphs)) for table in model.tables(7))
    return TfliteFile(version=version, graphs=graphs, signatures=signatures)


def _code(table: Table) -> str:
    from harness.sources.schema_names import OPERATORS

    number = max(table.number(0, "b"), table.number(3, "i"))
    name = OPERATORS.get(number)
    if name is None:
        raise FlatbufferDamaged(f"operator code {number} is unknown")
    return f"CUSTOM:{table.text(1)}" if name == "CUSTOM" else name


def _buffer_bytes(table: Table, file_bytes: int) -> int:
    """Bytes of a constant, which may stand behind the flatbuffer (files over 2 GB)."""
    _, length = table.span(0)
    offset, size = table.number(1, "Q"), table.number(2, "Q")
    if offset > 1 and offset + size > file_bytes:
        raise FlatbufferDamaged(f"a constant at byte {offset} ends at {offset + size} of {file_bytes}")
    return size if offset > 1 else length


def _graph(table: Table, codes: tuple[str, ...], buffers: tuple[int, ...]) -> GraphRecord:
    tensors = tuple(_tensor(tensor, buffers) for tensor in table.tables(0))
    graph = GraphRecord(
        name=table.text(4),
        tensors=tensors,
        operators=tuple(_operator(operator, codes, len(tensors)) for operator in table.tables(3)),
        inputs=table.numbers(1, "i"),
        outputs=table.numbers(2, "i"),
    )
    _check_indexes(graph.inputs + graph.outputs, 0, len(tensors), "the graph")
    return graph


def _tensor(table: Table, buffers: tuple[int, ...]) -> TensorRecord:
    buffer = table.number(2, "I")
    if buffer >= max(len(buffers), 1):
        raise FlatbufferDamaged(f"a tensor uses buffer {buffer} of {len(buffers)}")
    size = buffers[buffer] if buffers else 0
    quantization = table.table(4)
    record = TensorRecord(
        name=table.text(3),
        shape=table.numbers(0, "i"),
        signature_shape=table.numbers(7, "i"),
        dtype=_dtype(table.number(1, "b")),
        buffer=buffer if size else None,
        buffer_bytes=size,
        scales=quantization.reals(2) if quantization else (),
        zero_points=quantization.numbers(3, "q") if quantization else (),
        sparse=table.table(6) is not None,
        external=table.number(10, "I") > 0,
        variable=bool(table.number(5, "b")),
    )
    _check_size(record)
    return record


def _check_size(tensor: TensorRecord) -> None:
    """A constant shorter than its shape would make the runtime read past it; sparse ones are meant to be."""
    needed = tensor.size_bytes
    if tensor.buffer is not None and not tensor.sparse and needed is not None and tensor.buffer_bytes < needed:
        raise FlatbufferDamaged(
            f"constant {shorten(tensor.name)} has {tensor.buffer_bytes} bytes and its shape needs {needed}"
        )


def _operator(table: Table, codes: tuple[str, ...], tensors: int) -> OperatorRecord:
    opcode = table.number(0, "I")
    if opcode >= len(codes):
        raise FlatbufferDamaged(f"an operator has code {opcode} of {len(codes)}")
    kind, inputs, outputs = codes[opcode], table.numbers(1, "i"), table.numbers(2, "i")
    _check_indexes(inputs, -1, tensors, kind)
    _check_indexes(outputs, 0, tensors, kind)
    options = table.table(4) if kind == "BATCH_MATMUL" else None
    return OperatorRecord(
        type=kind, inputs=inputs, outputs=outputs, adj_x=options is not None and bool(options.number(0, "b"))
    )


def _signature(table: Table, graphs: int) -> SignatureRecord:
    graph = table.number(4, "I")
    if graph >= graphs:
        raise FlatbufferDamaged(f"a signature names subgraph {graph} of {graphs}")
    return SignatureRecord(key=table.text(2), graph=graph, inputs=_names(table, 0), outputs=_names(table, 1))


def _names(table: Table, slot: int) -> dict[int, str]:
    return {entry.number(1, "I"): entry.text(0) for entry in table.tables(slot)}


def _check_indexes(indexes: tuple[int, ...], lowest: int, tensors: int, what: str) -> None:
    wrong = next((i for i in indexes if not lowest <= i < tensors), None)
    if wrong is not None:
        raise FlatbufferDamaged(f"{shorten(what)} names tensor {wrong} of {tensors}")


def shorten(name: str, limit: int = 80) -> str:
    """A name fit for one line of an error: quoted, and cut where it is long."""
    return repr(name if len(name) <= limit else f"{name[:limit]}...")


def _dtype(number: int) -> str:
    from harness.sources.schema_names import TYPES

    name = TYPES.get(number)
    if name is None:
        raise FlatbufferDamaged(f"tensor type {number} is unknown")
    return name
