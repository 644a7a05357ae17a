"""Weights in TFLite's sparse tensor encoding, each behind a DENSIFY that unpacks it once when the model is loaded.

Only what is not zero is stored, row by row, with its place in the row: compressed sparse rows over the last dimension,
the form that XNNPACK's sparse kernels take. Places are held in the smallest unsigned type that fits.
Format: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, table SparsityParameters.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from harness.sources.schema_names import operator_name
from harness.sources.tflite_writer import pack, unpack
from harness.variants.tflite.operators import EDITED

Array = NDArray[Any]

_DENSIFY_BYTES = 512  # a tensor with its sparsity, its name and an operator take 350 to 450
_WEIGHT = 1  # the weight operand of every operator in EDITED
_INDEX_VECTORS = (
    (np.uint8, schema.Uint8VectorT, schema.SparseIndexVector.Uint8Vector),
    (np.uint16, schema.Uint16VectorT, schema.SparseIndexVector.Uint16Vector),
    (np.int32, schema.Int32VectorT, schema.SparseIndexVector.Int32Vector),
)


class NothingSmaller(ValueError):
    """No weight takes less space encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Compressed sparse rows. Shapes: stored and columns (nonzeros,), ends (rows + 1,) from 0 to nonzeros."""

    stored: NDArray[np.float32]
    columns: Array
    ends: Array

    @property
    def size_bytes(self) -> int:
        return int(self.stored.nbytes + self.columns.nbytes + self.ends.nbytes)


@dataclass(slots=True, kw_only=True)
class _Constant:
    """A constant, and the tensors that stand for it: (graph, index of the tensor)."""

    shape: tuple[int, ...]
    tensors: list[tuple[Any, int]] = field(default_factory=list)


def compress_rows(values: NDArray[np.float32]) -> Rows:
    """What is not zero of values, row by row of the last dimension. Shapes: values (..., columns)."""
    matrix = values.reshape(-1, values.shape[-1])
    present = matrix != 0
    ends = np.concatenate([[0], np.cumsum(np.count_nonzero(present, axis=1))])
    return Rows(stored=matrix[present], columns=_narrow(np.nonzero(present)[1]), ends=_narrow(ends))


def encode_sparsely(content: bytes, buffers: Sequence[int]) -> bytes:
    """The file with these float32 constants encoded where that makes it smaller; the others stay dense.

    A constant stays dense too where anything but the weight operand of a convolution or a fully connected layer reads
    it, or a graph hands it out. Names, signatures and the order of operators stay; DENSIFYs come first in their graph.
    Constants from behind the flatbuffer move inside. Raises NothingSmaller where no constant would shrink, ValueError
    where what is left does not fit into 2 GiB.
    """
    model = unpack(content)
    constants = _weights_alone(model)
    chosen = [index for index in buffers if index in constants and _encode(model, index, constants[index])]
    if not chosen:
        raise NothingSmaller
    return pack(model)


def _weights_alone(model: Any) -> dict[int, _Constant]:  # noqa: ANN401 (generated code)
    """By buffer: the float32 constants that are nothing but weights, wherever they are used."""
    found: dict[int, _Constant] = {}
    spoiled = {entry.buffer for entry in model.metadata or ()}
    for graph in model.subgraphs:
        weights, others = _reads(model, graph)
        for index, tensor in enumerate(graph.tensors or ()):
            if _is_empty(model.buffers[tensor.buffer]):
                continue
            constant = found.setdefault(tensor.buffer, _Constant(shape=_shape(tensor)))
            constant.tensors.append((graph, index))
            if index in others or index not in weights or not _is_plain(tensor) or _shape(tensor) != constant.shape:
                spoiled.add(tensor.buffer)
    return {buffer: constant for buffer, constant in found.items() if buffer not in spoiled}


def _reads(model: Any, graph: Any) -> tuple[set[int], set[int]]:  # noqa: ANN401 (generated code)
    """Tensors that are read as weights, and those that are read or written otherwise."""
    weights: set[int] = set()
    others = {int(index) for index in (*_indexes(graph.inputs), *_indexes(graph.outputs))}
    for operator in graph.operators or ():
        edited = operator_name(model.operatorCodes[operator.opcodeIndex]) in EDITED
        for place, index in enumerate(_indexes(operator.inputs)):
            (weights if edited and place == _WEIGHT else others).add(int(index))
        others.update(int(index) for index in _indexes(operator.outputs))
    return weights, others


def _encode(model: Any, buffer: int, constant: _Constant) -> bool:  # noqa: ANN401 (generated code)
    """Encode a constant for every tensor that stands for it; whether it was worth it."""
    stored = model.buffers[buffer].data
    dense_bytes = 4 * prod(constant.shape)
    if not constant.shape or len(stored) != dense_bytes:
        return False
    rows = compress_rows(np.frombuffer(stored, "<f4").reshape(constant.shape))
    if rows.stored.size == 0 or rows.size_bytes + _DENSIFY_BYTES * len(constant.tensors) >= dense_bytes:
        return False
    model.buffers[buffer].data = rows.stored.view(np.uint8)
    for graph, index in constant.tensors:
        _densify(model, graph, index, rows)
    return True


def _densify(model: Any, graph: Any, index: int, rows: Rows) -> None:  # noqa: ANN401 (generated code)
    """Give the constant to a new tensor, and the old one to a DENSIFY that fills it."""
    dense = graph.tensors[index]
    sparse = copy.copy(dense)
    sparse.name = (dense.name or b"") + b"/sparse"
    sparse.sparsity = _sparsity(_shape(dense), rows)
    dense.buffer = _empty_buffer(model)
    graph.tensors.append(sparse)
    graph.operators.insert(
        0,
        schema.OperatorT(
            opcodeIndex=_densify_code(model),
            inputs=np.array([len(graph.tensors) - 1], np.int32),
            outputs=np.array([index], np.int32),
            builtinOptionsType=schema.BuiltinOptions.DensifyOptions,
            builtinOptions=schema.DensifyOptionsT(),
        ),
    )


def _sparsity(shape: tuple[int, ...], rows: Rows) -> Any:  # noqa: ANN401 (generated code)
    """All dimensions dense but the last."""
    metadata = [schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=size) for size in shape[:-1]]
    ends_type, ends = _index_vector(rows.ends)
    columns_type, columns = _index_vector(rows.columns)
    compressed = schema.DimensionMetadataT(
        format=schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=ends_type,
        arraySegments=ends,
        arrayIndicesType=columns_type,
        arrayIndices=columns,
    )
    order = np.arange(len(shape), dtype=np.int32)
    return schema.SparsityParametersT(traversalOrder=order, blockMap=[], dimMetadata=[*metadata, compressed])


def _index_vector(indexes: Array) -> tuple[int, Any]:
    kind, table = next((kind, table) for dtype, table, kind in _INDEX_VECTORS if dtype == indexes.dtype)
    return kind, table(values=indexes)


def _narrow(indexes: Array) -> Array:
    """The indexes in the first type of the schema's that holds them."""
    largest = int(indexes.max(initial=0))
    return indexes.astype(next(dtype for dtype, _, _ in _INDEX_VECTORS if largest <= np.iinfo(dtype).max))


def _densify_code(model: Any) -> int:  # noqa: ANN401 (generated code)
    """Index of DENSIFY among the file's operator codes, added where it has none."""
    densify = schema.BuiltinOperator.DENSIFY
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == densify:
            return index
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=densify, deprecatedBuiltinCode=densify, version=1))
    return len(model.operatorCodes) - 1


def _empty_buffer(model: Any) -> int:  # noqa: ANN401 (generated code)
    """Index of a buffer without content: the first, by the schema, or else a new one."""
    if _is_empty(model.buffers[0]):
        return 0
    if not _is_empty(model.buffers[-1]):
        model.buffers.append(schema.BufferT())
    return len(model.buffers) - 1


def _is_empty(buffer: Any) -> bool:  # noqa: ANN401 (generated code)
    return buffer.data is None or len(buffer.data) == 0


def _is_plain(tensor: Any) -> bool:  # noqa: ANN401 (generated code)
    return tensor.type == schema.TensorType.FLOAT32 and tensor.sparsity is None and not tensor.isVariable


def _shape(tensor: Any) -> tuple[int, ...]:  # noqa: ANN401 (generated code)
    return tuple(int(size) for size in _indexes(tensor.shape))


def _indexes(vector: Any) -> Any:  # noqa: ANN401 (generated code: an array, a list or nothing)
    return () if vector is None else vector
