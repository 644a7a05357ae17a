"""The graphs of a .tflite file as XNNPACK rewrites them: weights unpacked, PADs merged into what follows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from harness.sources.schema_names import operator_name
from harness.variants.tflite.sparse_rules import Operator, Role, Sides, role
from harness.variants.tflite.weights import origin, read_weights, unique, zero_count

Array = NDArray[Any]

_UNPACKING = ("DENSIFY", "DEQUANTIZE")
_PADDED = ("CONV_2D", "DEPTHWISE_CONV_2D")
_DTYPES = {schema.TensorType.INT32: "<i4", schema.TensorType.INT64: "<i8"}  # of the constants that are looked into


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An operator in its graph: the computed tensors it reads, the tensors it writes, whether the graph hands one out.

    zeros of weights elements of its weight operand are zero; both 0 where it has none.
    """

    operator: Operator
    role: Role | str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    is_output: bool
    zeros: int = 0
    weights: int = 0

    @property
    def is_inside(self) -> bool:
        """Whether it reads channels-first values."""
        return self.role in (Role.INSIDE, Role.TAIL, Role.EITHER)

    @property
    def may_end(self) -> bool:
        """Whether what it writes may be channels-last."""
        return self.role in (Role.TAIL, Role.EITHER)


def read_nodes(content: bytes) -> tuple[tuple[Node, ...], ...]:
    """The operators of each graph in their order, without those that unpack weights or pad."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    zeros = {weight.buffer: zero_count(content, weight) for weight in unique(read_weights(content))}
    return tuple(_Graph(model, graph, zeros).nodes() for graph in model.subgraphs)


class _Graph:
    """One graph, read."""

    def __init__(self, model: Any, graph: Any, zeros: Mapping[int, int]) -> None:  # noqa: ANN401 (generated code)
        self._graph = graph
        self._model = model
        self._zeros = zeros
        self._outputs = set(_indexes(graph.outputs))
        self._operators = [(self._type(operator), operator) for operator in graph.operators or ()]
        self._unpacked = {
            _indexes(operator.outputs)[0]: _indexes(operator.inputs)[0]
            for kind, operator in self._operators
            if kind in _UNPACKING and _indexes(operator.inputs) and _indexes(operator.outputs)
        }
        self._readers = Counter(i for _, operator in self._operators for i in set(_indexes(operator.inputs)))
        self._pads = dict(self._fusable_pads())

    def nodes(self) -> tuple[Node, ...]:
        pads = {id(operator) for operator, _ in self._pads.values()}
        return tuple(
            self._node(kind, operator)
            for kind, operator in self._operators
            if id(operator) not in pads and not (kind in _UNPACKING and self._is_constant(_indexes(operator.inputs)[0]))
        )

    def _node(self, kind: str, operator: Any) -> Node:  # noqa: ANN401 (generated code)
        inputs, writes = _indexes(operator.inputs), _indexes(operator.outputs)
        padding: Sides = (0, 0, 0, 0)
        if kind in _PADDED and inputs[0] in self._pads:
            pad, padding = self._pads[inputs[0]]
            inputs = (_indexes(pad.inputs)[0], *inputs[1:])
        described = Operator(
            type=kind,
            name=(self._graph.tensors[writes[0]].name or b"").decode("utf-8", "replace") if writes else "",
            shapes=tuple(self._shape(index) for index in inputs),
            constants={place: self._numbers(i) for place, i in enumerate(inputs) if i >= 0 and self._is_constant(i)},
            options=operator.builtinOptions,
            padding=padding,
        )
        weight = self._origin(inputs[1]) if kind in _PADDED and len(inputs) > 1 else None
        return Node(
            operator=described,
            role=role(described),
            reads=tuple(index for index in inputs if index >= 0 and not self._is_constant(index)),
            writes=writes,
            is_output=bool(self._outputs & set(writes)),
            zeros=self._zeros.get(self._graph.tensors[weight].buffer, 0) if weight is not None else 0,
            weights=int(np.prod(self._shape(weight), dtype=np.int64)) if weight is not None else 0,
        )

    def _fusable_pads(self) -> list[tuple[int, tuple[Any, Sides]]]:
        """PADs of height and width alone that a single operator reads, by the tensor they write."""
        found = []
        for kind, operator in self._operators:
            inputs, outputs = _indexes(operator.inputs), _indexes(operator.outputs)
            amounts = self._numbers(inputs[1]) if kind == "PAD" and self._is_constant(inputs[1]) else None
            if amounts is None or amounts.size != 8 or self._readers[outputs[0]] != 1 or outputs[0] in self._outputs:
                continue
            batch, (top, bottom), (left, right), channels = amounts.reshape(4, 2).tolist()
            if batch == channels == [0, 0]:
                found.append((outputs[0], (operator, (top, bottom, left, right))))
        return found

    def _type(self, operator: Any) -> str:  # noqa: ANN401 (generated code)
        return operator_name(self._model.operatorCodes[operator.opcodeIndex])

    def _origin(self, index: int) -> int:
        """The constant behind what unpacks it."""
        return origin(index, self._unpacked)

    def _is_constant(self, index: int) -> bool:
        buffer = self._model.buffers[self._graph.tensors[self._origin(index)].buffer]
        return buffer.offset > 1 or (buffer.data is not None and len(buffer.data) > 0)

    def _shape(self, index: int) -> tuple[int, ...]:
        return () if index < 0 else _indexes(self._graph.tensors[index].shape)

    def _numbers(self, index: int) -> Array | None:
        """Integers of a constant inside the file; None for others, whose values do not matter."""
        tensor = self._graph.tensors[index]
        stored = self._model.buffers[tensor.buffer].data
        if tensor.type not in _DTYPES or stored is None:
            return None
        return np.frombuffer(stored, _DTYPES[tensor.type])


def _indexes(vector: Any) -> tuple[int, ...]:  # noqa: ANN401 (generated code: an array, a list or nothing)
    return () if vector is None else tuple(int(index) for index in vector)
