"""An ML Program as one ONNX graph that rounds each float16 result as the program declares it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.core.errors import ReferenceUnable
from harness.fidelity.mil.emitter import Declared, Emitter, Operand, Operation, Untranslatable
from harness.fidelity.mil.operators.control_flow import BLOCKS
from harness.fidelity.mil.operators.states import NAMES, States, read_state, update_state
from harness.fidelity.mil.operators.table import TRANSLATIONS
from harness.fidelity.mil.program import (
    STORED,
    Block,
    Function,
    Var,
    declare,
    in_graph_type,
    is_constant,
    is_stored,
    materialize,
)
from harness.fidelity.mil.rounding import COMMUTES, keeps_float16, round_to_float16
from harness.fidelity.mil.session import Graph, Port
from harness.fidelity.mil.wrapping import wrap

KNOWN = frozenset(TRANSLATIONS) | frozenset(BLOCKS) | NAMES | STORED
"""Every operator of a file that the reference has."""

_PORTS = {"fp16": "float16", "fp32": "float32", "string": "int64", "dict": "float32"}
_IN_GRAPH = {"float16": "float32", "float32": "float32", "bool": "bool"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Translation:
    """A graph. inputs are those of the function; outputs by the program's names; labels are the names of those that are
    a class label's place; states by name, what goes in and what comes out."""

    graph: Graph
    inputs: tuple[Port, ...]
    outputs: Mapping[str, Port]
    labels: frozenset[str]
    states: Mapping[str, tuple[Port, Port]]


def translate(function: Function, observe: Sequence[str] = ()) -> Translation:
    """The graph of a function. observe: values inside it, by name, that come out beside its outputs.

    Raises ReferenceUnable naming every operation that has no translation in its form, or the names in observe that the
    function does not have outside of branches and loops.
    """
    work = _Work(observed=frozenset(observe))
    inputs = tuple(work.take_in(value) for value in function.inputs)
    held = tuple(work.take_state(value) for value in function.states)
    work.block(function.block, work.emitter, nested=False)
    if work.unable:
        raise ReferenceUnable(f"the reference has no translation of: {', '.join(sorted(set(work.unable)))}")
    results = {value.name: work.operand(value) for value in function.outputs} | work.seen
    if missing := sorted(set(observe) - set(results)):
        raise ReferenceUnable(f"the program has no value {', '.join(missing)} outside of branches and loops")
    outputs = {name: work.give_out(operand) for name, operand in results.items()}
    states = {port.name: (port, work.give_out(work.states[port.name])) for port in held}
    ports = (*outputs.values(), *(out for _, out in states.values()))
    graph = Graph(emitter=work.emitter, inputs=(*inputs, *held), outputs=ports)
    labels = frozenset(value.name for value in function.outputs if _is_label(value))
    return Translation(graph=graph, inputs=inputs, outputs=outputs, labels=labels, states=states)


@dataclass(slots=True)
class _Work:
    """A translation under way. seen are the observed values, unrounded those whose rounding waits for the one operator
    that reads them, unable the words of what has no translation."""

    observed: frozenset[str]
    emitter: Emitter = field(default_factory=Emitter)
    values: dict[Var, Operand] = field(default_factory=dict)
    states: States = field(default_factory=dict)
    seen: dict[str, Operand] = field(default_factory=dict)
    unrounded: set[str] = field(default_factory=set)
    unable: list[str] = field(default_factory=list)

    def take_in(self, value: Var) -> Port:
        """An input of the graph, in the program's own dtype."""
        declared = declare(value)
        self.values[value] = self._enter(declared)
        return _port(declared)

    def take_state(self, value: Var) -> Port:
        """A state's input. The Var itself stands for the name under which its value changes."""
        declared = declare(value)
        self.states[declared.name] = self._enter(declared)
        self.values[value] = _operand(declared, declared.name)
        return _port(declared)

    def _enter(self, declared: Declared) -> Operand:
        kept = _IN_GRAPH.get(_port(declared).dtype, "int64")
        as_it_is = _port(declared).dtype == kept
        return _operand(declared, declared.name if as_it_is else self.emitter.cast(declared.name, kept))

    def give_out(self, operand: Operand) -> Port:
        """An output of the graph, in the program's own dtype."""
        from onnx import helper

        dtype = _PORTS.get(operand.dtype, operand.dtype)
        name = self.emitter.node("Cast", [operand], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
        return Port(name=name, dtype=dtype, shape=None)

    def block(self, block: Block, emitter: Emitter, *, nested: bool) -> list[Operand]:
        for operation in block.operations:
            if not is_stored(operation) and not is_constant(operation.outputs[0]):
                self._operation(operation, emitter, nested=nested)
        return [self.operand(value) for value in block.outputs]

    def enter(self, block: Block, emitter: Emitter, given: Sequence[Operand]) -> list[Operand]:
        """Translate a nested block with these values for its inputs."""
        self.values.update(zip(block.inputs, given, strict=True))
        return self.block(block, emitter, nested=True)

    def operand(self, value: Var) -> Operand:
        """A value that was made before, or a constant, decompressed when it is first read."""
        if value not in self.values:
            found = materialize(value)
            numeric = isinstance(found, np.ndarray) and found.dtype.kind in "fib"
            self.values[value] = _operand(declare(value), self.emitter.constant(found) if numeric else "", found)
        return self.values[value]

    def _operation(self, made_by: Any, emitter: Emitter, *, nested: bool) -> None:  # noqa: ANN401 (of coremltools)
        inputs = {name: self._input(value) for name, value in made_by.inputs.items()}
        outputs = tuple(declare(value) for value in made_by.outputs)
        blocks = tuple(made_by.blocks)
        operation = Operation(type=made_by.op_type, name=made_by.name, inputs=inputs, outputs=outputs, blocks=blocks)
        emitter.operation = operation.name
        names = self._translate(operation, emitter, nested=nested)
        for value, declared, name in zip(made_by.outputs, outputs, names, strict=True):
            held = self._round(value, wrap(emitter, operation, declared, name), operation, emitter)
            self.values[value] = _operand(declared, held, in_graph_type(value.val))
            if not nested and declared.name in self.observed:
                self.seen[declared.name] = self.values[value]

    def _input(self, value: Any) -> Operand | tuple[Operand, ...]:  # noqa: ANN401 (of coremltools)
        return tuple(map(self.operand, value)) if isinstance(value, list | tuple) else self.operand(value)

    def _translate(self, operation: Operation, emitter: Emitter, *, nested: bool) -> Sequence[str]:
        """Names of the operation's outputs; of nothing where it has no translation, so that others are found too."""
        try:
            if operation.type in BLOCKS:
                return BLOCKS[operation.type](emitter, operation, self.enter)
            if operation.type == "read_state":
                return [read_state(operation, self.states)]
            if operation.type == "coreml_update_state":
                return [update_state(operation, self.states, nested=nested)]
            found = TRANSLATIONS[operation.type](emitter, operation)
        except Untranslatable as exc:
            self.unable.append(str(exc))
            return [emitter.name("nothing") for _ in operation.outputs]
        return [found] if isinstance(found, str) else found

    def _round(self, value: Var, name: str, operation: Operation, emitter: Emitter) -> str:
        """Round a float16 result, now or, where that is the same, after the operator that reads it.

        Only then can onnxruntime make one kernel of, say, a convolution and its relu.
        """
        read = (each.tensor for key in operation.inputs for each in operation.values(key))
        late = any(tensor in self.unrounded for tensor in read)
        if declare(value).dtype != "fp16" or (keeps_float16(operation) and not late):
            return name
        if not self._may_wait(value):
            return round_to_float16(emitter, name)
        self.unrounded.add(name)
        return name

    def _may_wait(self, value: Var) -> bool:
        readers = value.child_ops
        alone = len(readers) == 1 and not value.consuming_blocks and value.name not in self.observed
        return alone and _commutes(readers[0]) and readers[0].enclosing_block is value.op.enclosing_block


def _is_label(value: Var) -> bool:
    """Of strings or of integers."""
    return value.op is not None and value.op.op_type == "classify" and value is value.op.outputs[0]


def _commutes(reader: Any) -> bool:  # noqa: ANN401 (of coremltools)
    return reader.op_type in COMMUTES and all(declare(value).dtype == "fp16" for value in reader.inputs.values())


def _operand(declared: Declared, tensor: str, constant: object = None) -> Operand:
    return Operand(tensor=tensor, constant=constant, dtype=declared.dtype, shape=declared.shape)


def _port(declared: Declared) -> Port:
    dtype = _PORTS.get(declared.dtype, declared.dtype)
    return Port(name=declared.name, dtype=dtype, shape=declared.shape)
