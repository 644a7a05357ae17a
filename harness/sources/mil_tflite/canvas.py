"""The .tflite graph that an ML Program becomes, and the program's values in it.

A program has channels behind the batch, (n, c, h, w); the kernels of .tflite want them last, (n, h, w, c). A value can
stand in the graph in either layout or both: an operator asks for the one it needs, and a transposition is written only
where the value is not there in that layout yet. So a convolutional network has one at its start and at most one at its
end, whatever stands between.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from harness.sources.tflite_writer import GraphWriter, Tensor

Array = NDArray[Any]
Shape = tuple[int, ...]


class Untranslatable(Exception):
    """An operation that no operator of .tflite is written for; the words name it: `conv with 3 spatial dimensions`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Value:
    """A value of the program. shape is the program's own, channels behind the batch; dtype is numpy's name.

    constant is its content where it is known; plain and last are its tensors so far, in the program's layout and with
    channels last; rows are what it is put together from along its first axis, where nothing has asked for it whole.
    lone: read once, by one operation. positive: never below 0.
    """

    shape: Shape
    dtype: str
    constant: Array | None = None
    plain: Tensor | None = None
    last: Tensor | None = None
    rows: tuple["Value", ...] | None = None
    lone: bool = False
    positive: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_last(self) -> bool:
        """Whether it stands with channels last and not otherwise."""
        return self.last is not None and self.plain is None


def known(content: object) -> Value:
    """A constant, in the types that a graph has: float32, int32, bool."""
    array = np.asarray(content)
    kind = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.bool_}.get(array.dtype.kind)
    if kind is None:
        raise Untranslatable(f"a constant of {array.dtype}")
    array = array.astype(kind)
    return Value(shape=array.shape, dtype=array.dtype.name, constant=array)


def last_order(rank: int) -> tuple[int, ...]:
    """Which of the program's axes stand where, channels last: (0, 2, 3, 1)."""
    return (0, *range(2, rank), 1)


def to_last(shape: Sequence[int]) -> Shape:
    return tuple(shape[axis] for axis in last_order(len(shape)))


def last_axis(axis: int, rank: int) -> int:
    """Where an axis of the program stands, channels last."""
    return last_order(rank).index(axis % rank)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One operation of the program with the values that it reads; those that were not given are not there."""

    type: str
    inputs: Mapping[str, Any]  # Value, str, or a tuple of Values where it is variadic
    shapes: tuple[Shape, ...]
    blocks: tuple[Any, ...]
    run: Callable[[Any, Sequence[Value]], list[Value]]  # one of its blocks, for values of that one's inputs

    def __getitem__(self, name: str) -> Value:
        found = self.inputs[name]
        if not isinstance(found, Value):
            raise Untranslatable(f"{self.type} with {name} that is no tensor")
        return found

    def values(self, name: str) -> tuple[Value, ...]:
        found = self.inputs[name]
        return found if isinstance(found, tuple) else (found,)

    def content(self, name: str) -> Array:
        """A constant input. Raises Untranslatable where it is computed."""
        found = self[name].constant
        if found is None:
            raise Untranslatable(f"{self.type} with {name} that is computed")
        return found

    def scalar(self, name: str, default: Any) -> Any:  # noqa: ANN401 (a number, a bool or a string)
        if name not in self.inputs:
            return default
        found = self.inputs[name]
        return found if isinstance(found, str) else self.content(name).item()

    def integers(self, name: str, default: Sequence[int]) -> list[int]:
        return [int(each) for each in self.content(name).reshape(-1)] if name in self.inputs else list(default)


@dataclass(slots=True, eq=False)
class Canvas:
    """A graph under construction. `scope` names the tensors of the operation at hand."""

    graph: GraphWriter
    scope: str = ""
    _taken: dict[str, int] = field(default_factory=dict)
    _constants: dict[tuple[str, Shape, bytes], Tensor] = field(default_factory=dict)
    _fusable: dict[int, Any] = field(default_factory=dict)

    def name(self, wanted: str) -> str:
        """wanted, or with a number behind it where that is taken."""
        count = self._taken[wanted] = self._taken.get(wanted, -1) + 1
        return f"{wanted}_{count}" if count else wanted

    def constant(self, content: object, dtype: type[np.generic] | None = None) -> Tensor:
        """A constant tensor; equal ones are one."""
        array = np.asarray(content, dtype)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.graph.constant(self.name(f"{self.scope}/constant"), array)
        return self._constants[key]

    def integers(self, content: Iterable[int]) -> Tensor:
        """A one-dimensional int32 constant: axes, shapes, amounts."""
        return self.constant(list(content), np.int32)

    def add(
        self,
        code: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        options: Any = None,  # noqa: ANN401 (one of a hundred generated classes)
        *,
        dtype: str | None = None,
        version: int = 1,
    ) -> Tensor:
        """Append an operator of one output; of its first input's type without dtype."""
        kind = dtype or next(each.dtype for each in inputs if each is not None)
        made = self.graph.tensor(self.name(self.scope), shape, kind)
        self.graph.op(code, inputs, (made,), options=options, version=version)
        if hasattr(options, "fusedActivationFunction"):
            self._fusable[made.index] = options
        return made

    def fuse(self, value: Value, activation: str) -> bool:
        """Have the operator that made a value apply an activation, where it can and nothing reads what was before."""
        tensors = [tensor for tensor in (value.plain, value.last) if tensor is not None]
        options = self._fusable.get(tensors[0].index) if len(tensors) == 1 and value.lone else None
        if options is None or options.fusedActivationFunction != schema.ActivationFunctionType.NONE:
            return False
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, activation)
        return True

    def plain(self, value: Value) -> Tensor:
        """A value in the program's layout."""
        if value.plain is None:
            if value.constant is not None:
                value.plain = self.constant(value.constant)
            elif value.rows is not None:
                parts = [self.plain(row) for row in value.rows]
                value.plain = self.add("CONCATENATION", parts, value.shape, schema.ConcatenationOptionsT(axis=0))
            else:
                assert value.last is not None
                order = [last_axis(axis, value.rank) for axis in range(value.rank)]
                value.plain = self.transpose(value.last, order)
        return value.plain

    def last(self, value: Value) -> Tensor:
        """A value with channels last; one of fewer than three dimensions as it is."""
        if value.rank < 3:
            return self.plain(value)
        if value.last is None:
            if value.constant is not None:
                value.last = self.constant(value.constant.transpose(last_order(value.rank)))
            else:
                value.last = self.transpose(self.plain(value), last_order(value.rank))
        return value.last

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Dimensions in another order: nothing where it is the same one, a reshape where only sizes of 1 move."""
        if list(order) == list(range(len(order))):
            return x
        shape = [x.shape[axis] for axis in order]
        moved = [axis for axis in order if x.shape[axis] != 1]
        if moved == sorted(moved):
            return self.reshape(x, shape)
        return self.add("TRANSPOSE", (x, self.integers(order)), shape)

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        if tuple(shape) == x.shape:
            return x
        options = schema.ReshapeOptionsT(newShape=np.array(shape, np.int32))
        return self.add("RESHAPE", (x, self.integers(shape)), shape, options)

    def pad(self, x: Tensor, before: Sequence[int], after: Sequence[int], filled: float = 0.0) -> Tensor:
        """Amounts of every dimension."""
        if not any((*before, *after)):
            return x
        shape = [size + b + a for size, b, a in zip(x.shape, before, after, strict=True)]
        amounts = self.constant(list(zip(before, after, strict=True)), np.int32)
        if filled == 0:
            return self.add("PAD", (x, amounts), shape)
        return self.add("PADV2", (x, amounts, self.constant(filled, np.float32)), shape)

    def crop(self, x: Tensor, begin: Sequence[int], shape: Sequence[int]) -> Tensor:
        if tuple(shape) == x.shape:
            return x
        return self.add("SLICE", (x, self.integers(begin), self.integers(shape)), shape)

    def binary(self, code: str, left: Tensor, right: Tensor) -> Tensor:
        """Two tensors of one layout, broadcast."""
        options = _ARITHMETIC[code]() if code in _ARITHMETIC else None
        dtype = "bool" if code in COMPARISONS else None
        return self.add(code, (left, right), np.broadcast_shapes(left.shape, right.shape), options, dtype=dtype)

    def unary(self, code: str, x: Tensor, options: Any = None) -> Tensor:  # noqa: ANN401 (generated class)
        return self.add(code, (x,), x.shape, options)

    def number(self, content: float) -> Tensor:
        """A float32 scalar."""
        return self.constant(content, np.float32)


def like(value: Value, made: Tensor, *, last: bool, positive: bool = False) -> Value:
    """A value of the same shape, in one layout."""
    return of(value.shape, made, last=last, positive=positive)


def of(shape: Sequence[int], made: Tensor, *, last: bool = False, positive: bool = False) -> Value:
    """A value of the program's shape that stands as one tensor."""
    value = Value(shape=tuple(shape), dtype=made.dtype, positive=positive)
    if last and len(shape) > 2:
        value.last = made
    else:
        value.plain = made
    return value


COMPARISONS = frozenset(
    ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "LOGICAL_AND", "LOGICAL_OR")
)
_ARITHMETIC = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "MUL": schema.MulOptionsT,
    "DIV": schema.DivOptionsT,
}
