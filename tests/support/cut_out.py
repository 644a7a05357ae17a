"""Cuts operators out of a .tflite model into a smaller model that computes the same from the same weights."""

import copy
from collections.abc import Collection
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from harness.sources.tflite_writer import ModelWriter, Tensor

_UNPACKED_AT_LOAD = ("DEQUANTIZE", "DENSIFY")
_CODES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}

Record = Any  # an object of the schema: the generated code has no types


class Source:
    """The main graph of a model that operators are cut out of."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.model: Record = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.graph: Record = self.model.subgraphs[0]
        self.operators: list[Record] = self.graph.operators
        self.makers = {int(t): i for i, operator in enumerate(self.operators) for t in operator.outputs}
        self.users: dict[int, set[int]] = {}
        for i, operator in enumerate(self.operators):
            for tensor in operator.inputs:
                self.users.setdefault(int(tensor), set()).add(i)

    def name(self, index: int) -> str:
        """An operator's type, `CONV_2D`."""
        code = self.model.operatorCodes[self.operators[index].opcodeIndex]
        return str(_CODES[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def constant(self, tensor: int) -> bytes | None:
        """A tensor's stored bytes, None where it is computed.

        ai-edge-quantizer keeps large buffers behind the flatbuffer, where only offset and size tell of them.
        """
        buffer = self.model.buffers[self.graph.tensors[tensor].buffer]
        if buffer.data is not None and len(buffer.data):
            return bytes(buffer.data)
        return self.content[buffer.offset : buffer.offset + buffer.size] if buffer.size else None

    def only_unpacks(self, index: int) -> bool:
        """Whether this is a DEQUANTIZE or DENSIFY of constants, or of what such a one made of them."""
        computed = [int(t) for t in self.operators[index].inputs if t >= 0 and self.constant(int(t)) is None]
        return self.name(index) in _UNPACKED_AT_LOAD and all(
            t in self.makers and self.only_unpacks(self.makers[t]) for t in computed
        )

    def unpacking_for(self, index: int) -> set[int]:
        """Operators that turn constants into this operator's inputs."""
        makers = {self.makers[int(t)] for t in self.operators[index].inputs if int(t) in self.makers}
        direct = {maker for maker in makers if self.only_unpacks(maker)}
        return direct.union(*(self.unpacking_for(maker) for maker in direct))

    def neighbours(self, index: int) -> set[int]:
        """Operators that make this one's inputs or use its outputs."""
        operator = self.operators[index]
        before = {self.makers[int(t)] for t in operator.inputs if int(t) in self.makers}
        return before.union(*(self.users.get(int(t), set()) for t in operator.outputs))


def cut_out(source: Source, indexes: Collection[int]) -> bytes:
    """A model of these operators, with those that only unpack their weights."""
    wanted = set(indexes).union(*(source.unpacking_for(index) for index in indexes))
    cut = _Cut(source)
    for index in sorted(wanted):
        cut.take(source.operators[index])
    return cut.finish(wanted)


class _Cut:
    """A small model that grows operator by operator out of a large one."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.writer = ModelWriter()
        self.graph = self.writer.graph()
        self.made: dict[int, int] = {}
        self.produced: list[int] = []

    def take(self, operator: Record) -> None:
        """Append an operator with its tensors. What nothing here produces becomes an input of the graph."""
        code = self.source.model.operatorCodes[operator.opcodeIndex]
        custom = code.customCode.decode() if code.customCode else None
        name = custom or str(_CODES[max(code.builtinCode, code.deprecatedBuiltinCode)])
        taken = copy.copy(operator)
        taken.opcodeIndex = self.writer.operator_code(name, code.version, custom is not None)
        taken.inputs = [self._tensor(int(t)) for t in operator.inputs]
        self.produced.extend(int(t) for t in operator.outputs)
        taken.outputs = [self._tensor(int(t)) for t in operator.outputs]
        self.graph.table.operators.append(taken)

    def _tensor(self, index: int) -> int:
        if index < 0:
            return index
        if index not in self.made:
            tensor = copy.copy(self.source.graph.tensors[index])
            stored = self.source.constant(index)
            tensor.buffer = 0 if stored is None else self.writer.buffer(stored)
            if stored is None and index not in self.produced:
                self.graph.table.inputs.append(len(self.graph.table.tensors))
            self.made[index] = len(self.graph.table.tensors)
            self.graph.table.tensors.append(tensor)
        return self.made[index]

    def finish(self, indexes: set[int]) -> bytes:
        """The model's bytes. Its outputs are what the large model uses elsewhere, so that the same may be fused."""
        given = {int(t) for t in self.source.graph.outputs}
        for tensor in self.produced:
            if tensor in given or self.source.users.get(tensor, set()) - indexes:
                self.graph.table.outputs.append(self.made[tensor])
        inputs = {f"in_{i}": Tensor(index=i, shape=(), dtype="") for i in self.graph.table.inputs}
        outputs = {f"out_{i}": Tensor(index=i, shape=(), dtype="") for i in self.graph.table.outputs}
        self.writer.signature(self.graph, inputs, outputs, "serving_default")
        return self.writer.pack()
