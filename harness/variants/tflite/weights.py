"""Finds the weights inside a .tflite file without unpacking it: positions, shapes, scales.

A weight is the constant operand of an operator that multiplies or looks up (`operators.py`), directly or through
DEQUANTIZE or DENSIFY. Biases are not weights.
Format: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from harness.sources.schema_names import OPERATORS, TYPES
from harness.variants.tflite.operators import CHANNEL_AXIS, EDITED, WEIGHT_OPERANDS

Array = NDArray[Any]

_UNPACKED_BY = ("DEQUANTIZE", "DENSIFY")
_NUMPY = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int8": "i1", "uint8": "u1", "int16": "<i2"}
_BITS = {"int4": 4, "int2": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One weight operand. offset and size_bytes locate its values in the file.

    place is its operator: the graph's number and the operator's there. slot is its own place among the weight operands
    of its graph, which conversions keep, and the operators' places not. activation is the dtype of
    the operator's first other input. scales (0 or more) and zero_points run along axis; sparse_encoded values leave
    out zeros. tied: something else reads the same values than the weight operands of EDITED, such as a look-up.
    """

    slot: tuple[int, int]
    place: tuple[int, int]
    operator: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    activation: str
    buffer: int
    offset: int
    size_bytes: int
    axis: int = 0
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    sparse_encoded: bool = False
    tied: bool = False

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def editable(self) -> bool:
        return self._is_float and not self.tied

    @property
    def spared(self) -> bool:
        """Whether it would be editable were it not tied."""
        return self._is_float and self.tied

    @property
    def _is_float(self) -> bool:
        return self.operator in EDITED and self.dtype == "float32" and not self.sparse_encoded and self.elements > 0


def read_weights(content: bytes | bytearray) -> tuple[Weight, ...]:
    """Every weight operand in file order; tensors that share a buffer appear once per use."""
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    names = [OPERATORS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "?") for code in codes]
    tied = _read_otherwise(model, names)
    return tuple(
        replace(weight, tied=weight.buffer in tied)
        for index in range(model.SubgraphsLength())
        for weight in _subgraph_weights(model, index, names)
    )


def _read_otherwise(model: Any, names: list[str]) -> set[int]:  # noqa: ANN401 (generated code)
    """Buffers that something else reads than the weight operand of an edited operator."""
    found: set[int] = set()
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        read = {graph.Outputs(i) for i in range(graph.OutputsLength())}
        for operator in (graph.Operators(i) for i in range(graph.OperatorsLength())):
            name = names[operator.OpcodeIndex()]
            weights = WEIGHT_OPERANDS[name] if name in EDITED else ()
            read.update(operator.Inputs(i) for i in range(operator.InputsLength()) if i not in weights)
        found.update(graph.Tensors(tensor).Buffer() for tensor in read if tensor >= 0)
    return found


def unique(weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
    """The weights without repeated uses of one buffer."""
    return tuple({weight.buffer: weight for weight in reversed(weights)}.values())[::-1]


def values(content: bytes | bytearray, weight: Weight) -> Array:
    """Stored values of a weight, flat, as a view of content where its dtype has one.

    A sparsely encoded weight gives its stored values alone.
    """
    if weight.dtype in _BITS:
        return _unpack(np.frombuffer(content, np.uint8, weight.size_bytes, weight.offset), weight)
    dtype = np.dtype(_NUMPY[weight.dtype])
    return np.frombuffer(content, dtype, weight.size_bytes // dtype.itemsize, weight.offset)


def zero_count(content: bytes | bytearray, weight: Weight) -> int:
    """How many elements stand for zero."""
    stored = values(content, weight)
    points = set(weight.zero_points) or {0}
    if len(points) == 1:
        zeros = stored.size - int(np.count_nonzero(stored != points.pop()))
    else:
        zeros = int(np.count_nonzero(by_scale(stored, weight) == np.array(weight.zero_points)[:, None]))
    return zeros + (weight.elements - stored.size if weight.sparse_encoded else 0)


def distinct_count(content: bytes | bytearray, weight: Weight) -> int:
    """How many different values the whole tensor has, the zeros that a sparse encoding leaves out among them."""
    stored = _ordered(values(content, weight))
    return int(np.unique(stored).size) + (stored.size < weight.elements)


def distinct_per_scale(content: bytes | bytearray, weight: Weight) -> int:
    """The most different values stored under one scale: over the whole tensor where there is one scale or none."""
    stored = _ordered(values(content, weight))
    if len(weight.scales) < 2 or stored.size != weight.elements:
        return int(np.unique(stored).size)
    ordered = np.sort(by_scale(stored, weight), axis=1)
    return int(np.max(1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)))


def distinct_per_channel(content: bytes | bytearray, weight: Weight) -> int:
    """The most different values stored in one output channel; 0 without channels, or behind a sparse encoding."""
    stored = _ordered(values(content, weight))
    if stored.size != weight.elements or len(weight.shape) < 2:
        return 0
    axis = min(CHANNEL_AXIS.get(weight.operator, 0), len(weight.shape) - 1)
    ordered = np.sort(_along(stored, weight.shape, axis), axis=1)
    return int(np.max(1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)))


def _ordered(stored: Array) -> Array:
    """Values in a type that can be sorted: NumPy 2.3 sorts float16 wrongly where the processor has AVX-512."""
    return stored.astype(np.float32) if stored.dtype == np.float16 else stored


def by_scale(stored: Array, weight: Weight) -> Array:
    """Values as (scales, elements under each)."""
    return _along(stored, weight.shape, weight.axis)


def _along(stored: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Values as (size of the axis, everything else)."""
    return np.moveaxis(stored.reshape(shape), axis, 0).reshape(shape[axis], -1)


def _subgraph_weights(model: Any, index: int, names: list[str]) -> Iterator[Weight]:  # noqa: ANN401 (generated code)
    graph = model.Subgraphs(index)
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    unpacked = {
        operator.Outputs(0): operator.Inputs(0)
        for operator in operators
        if names[operator.OpcodeIndex()] in _UNPACKED_BY and operator.InputsLength() and operator.OutputsLength()
    }
    place = 0
    for number, operator in enumerate(operators):
        name = names[operator.OpcodeIndex()]
        for operand in WEIGHT_OPERANDS.get(name, ()):
            if operand >= operator.InputsLength() or operator.Inputs(operand) < 0:
                continue
            tensor = origin(operator.Inputs(operand), unpacked)
            where = (index, place), (index, number)
            weight = _weight(model, graph.Tensors(tensor), where, name, _activation(graph, operator, operand))
            if weight is not None:
                yield weight
                place += 1


def origin(tensor: int, unpacked: Mapping[int, int]) -> int:
    """The tensor behind what unpacks it. unpacked leads from outputs to inputs, in a damaged file in a circle."""
    seen: set[int] = set()
    while tensor in unpacked and tensor not in seen:
        seen.add(tensor)
        tensor = unpacked[tensor]
    return tensor


def _weight(
    model: Any,  # noqa: ANN401 (generated code)
    tensor: Any,  # noqa: ANN401
    where: tuple[tuple[int, int], tuple[int, int]],
    operator: str,
    activation: str,
) -> Weight | None:
    """The tensor as a weight at a slot and place; None where it is computed, or holds indexes that are gathered."""
    dtype = TYPES.get(tensor.Type(), "?")
    located = _locate(model.Buffers(tensor.Buffer()))
    if located is None or dtype not in _NUMPY | _BITS:
        return None
    quantization = tensor.Quantization()
    scaled = quantization is not None and quantization.ScaleLength() > 0
    return Weight(
        slot=where[0],
        place=where[1],
        operator=operator,
        name=(tensor.Name() or b"").decode("utf-8", "replace"),
        shape=tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else (),
        dtype=dtype,
        activation=activation,
        buffer=tensor.Buffer(),
        offset=located[0],
        size_bytes=located[1],
        axis=quantization.QuantizedDimension() if scaled else 0,
        scales=tuple(quantization.ScaleAsNumpy().tolist()) if scaled else (),
        zero_points=tuple(quantization.ZeroPointAsNumpy().tolist())
        if scaled and quantization.ZeroPointLength()
        else (),
        sparse_encoded=tensor.Sparsity() is not None,
    )


def _locate(buffer: Any) -> tuple[int, int] | None:  # noqa: ANN401 (generated code)
    """Position and size in bytes of a buffer's content; None for an empty one.

    Content lies inside the flatbuffer (`data`) or, in large files, behind it (`offset` and `size`).
    """
    field = buffer._tab.Offset(4)  # schema.fbs: data is the table's first field
    if field and buffer.DataLength():
        return int(buffer._tab.Vector(field)), int(buffer.DataLength())
    if buffer.Offset() > 1:  # schema.fbs: 0 and 1 are not offsets
        return int(buffer.Offset()), int(buffer.Size())
    return None


def _activation(graph: Any, operator: Any, operand: int) -> str:  # noqa: ANN401 (generated code)
    """dtype of the operator's first input that is not the weight. TRANSPOSE_CONV's is behind shape and weight."""
    others = [operator.Inputs(i) for i in range(operator.InputsLength()) if i != operand]
    types = [TYPES.get(graph.Tensors(tensor).Type(), "?") for tensor in others if tensor >= 0]
    return next((name for name in types if name != "int32"), "int32")


def _unpack(packed: Array, weight: Weight) -> Array:
    """Two- and four-bit signed values, lowest bits first, as int8."""
    bits = _BITS[weight.dtype]
    parts = [(packed >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    unsigned = np.stack(parts, axis=-1).reshape(-1)[: weight.elements].astype(np.int8)
    half = np.int8(1 << (bits - 1))
    return (unsigned ^ half) - half
