"""An ML Program of fixed shapes written as a .tflite.

Both formats of a source come from one program then: what a device makes of them can be compared. Inputs and outputs
keep the program's names, shapes and layout.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.sources.mil_tflite import elementwise, products, recurrent, reductions, shapes, windows
from harness.sources.mil_tflite.canvas import Canvas, Shape, Step, Untranslatable, Value, known, of
from harness.sources.mil_tflite.patterns import HardSwish, hard_swishes
from harness.sources.tflite_writer import ModelWriter

Operator = Callable[[Canvas, Step], Value | Sequence[Value]]

OPERATORS: Mapping[str, Operator] = {
    **elementwise.OPERATORS,
    **products.OPERATORS,
    **recurrent.OPERATORS,
    **reductions.OPERATORS,
    **shapes.OPERATORS,
    **windows.OPERATORS,
}
_TYPES = {"fp32": "float32", "fp16": "float32", "int32": "int32", "bool": "bool"}


def translate(function: Any) -> bytes:  # noqa: ANN401 (coremltools has no types)
    """The file's bytes, of a function of a coremltools `Program`; the same function gives the same bytes.

    Raises Untranslatable, naming every operation that has no operator.
    """
    if unknown := sorted(set(_types(function)) - set(OPERATORS) - {"const"}):
        raise Untranslatable(f"no operator of .tflite is written for {', '.join(unknown)}")
    writer = ModelWriter("weighbridge, from an ML Program")
    graph = writer.graph()
    inputs = {name: graph.input(name, _shape(var), _dtype(var)) for name, var in function.inputs.items()}
    walk = _Walk(canvas=Canvas(graph))
    walk.values = {function.inputs[name]: of(tensor.shape, tensor) for name, tensor in inputs.items()}
    for name in inputs:
        walk.canvas.name(name)
    walk.through(function)
    if walk.refused:
        raise Untranslatable("; ".join(dict.fromkeys(walk.refused)))
    outputs = {var.name: walk.canvas.plain(walk.value(var)) for var in function.outputs}
    graph.output(*outputs.values())
    writer.signature(graph, inputs, outputs, "serving_default")
    return writer.pack()


def _types(block: Any) -> Iterable[str]:  # noqa: ANN401 (coremltools has no types)
    for operation in block.operations:
        yield operation.op_type
        for nested in operation.blocks:
            yield from _types(nested)


def _shape(var: Any) -> Shape:  # noqa: ANN401 (coremltools has no types)
    try:
        return tuple(int(size) for size in var.shape)
    except TypeError as exc:
        raise Untranslatable(f"{var.name} has sizes that are open") from exc


def _dtype(var: Any) -> str:  # noqa: ANN401 (coremltools has no types)
    from coremltools.converters.mil.mil import types

    name = types.builtin_to_string(var.dtype)
    if name not in _TYPES:
        raise Untranslatable(f"{var.name} of {name}")
    return _TYPES[name]


@dataclass(slots=True, eq=False)
class _Walk:
    """The way through a program's operations."""

    canvas: Canvas
    values: dict[Any, Value] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def through(self, block: Any) -> None:  # noqa: ANN401 (coremltools has no types)
        merged = {each.product: each for each in hard_swishes(block.operations)}
        parts = {part for each in merged.values() for part in each.parts}
        for operation in block.operations:
            if operation.op_type == "const" or operation in parts:
                continue
            self.canvas.scope = operation.outputs[0].name
            if operation in merged:
                self._swish(operation, merged[operation])
            else:
                self._keep(operation, self._write(operation))

    def value(self, var: Any) -> Value:  # noqa: ANN401 (coremltools has no types)
        if var not in self.values:
            self.values[var] = known(var.val)
        return self.values[var]

    def _swish(self, operation: Any, pattern: HardSwish) -> None:  # noqa: ANN401 (coremltools has no types)
        x = self.value(pattern.x)
        tensor, last = elementwise.either(self.canvas, x)
        made = self.canvas.unary("HARD_SWISH", tensor)
        self._keep(operation, [of(x.shape, made, last=last)])

    def _write(self, operation: Any) -> Sequence[Value]:  # noqa: ANN401 (coremltools has no types)
        """Outputs; where there is no operator for its form, that is noted and the way goes on to find all."""
        try:
            found = OPERATORS[operation.op_type](self.canvas, self._step(operation))
        except Untranslatable as problem:
            self.refused.append(str(problem))
            return [
                of(_shape(var), self.canvas.graph.tensor(self.canvas.name("refused"), _shape(var)))
                for var in operation.outputs
            ]
        return [found] if isinstance(found, Value) else found

    def _step(self, operation: Any) -> Step:  # noqa: ANN401 (coremltools has no types)
        inputs = {name: self._read(var) for name, var in operation.inputs.items() if var is not None}
        return Step(
            type=operation.op_type,
            inputs=inputs,
            shapes=tuple(_shape(var) for var in operation.outputs),
            blocks=tuple(operation.blocks),
            run=self._run,
        )

    def _read(self, var: Any) -> Value | str | tuple[Value, ...]:  # noqa: ANN401 (coremltools has no types)
        if isinstance(var, list | tuple):
            return tuple(self.value(each) for each in var)
        if var.val is not None and isinstance(var.val, str):
            return str(var.val)
        return self.value(var)

    def _run(self, block: Any, values: Sequence[Value]) -> list[Value]:  # noqa: ANN401 (coremltools has no types)
        """A nested block for values of its inputs; each time anew."""
        self.values.update(zip(block.inputs, values, strict=True))
        self.through(block)
        return [self.value(var) for var in block.outputs]

    def _keep(self, operation: Any, values: Sequence[Value]) -> None:  # noqa: ANN401 (coremltools has no types)
        for var, value in zip(operation.outputs, values, strict=True):
            value.lone = len(var.child_ops) == 1 and not var.consuming_blocks
            self.values[var] = value
