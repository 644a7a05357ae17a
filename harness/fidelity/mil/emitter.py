"""The ONNX graph that an ML Program becomes, and what the translation of one operation sees and may do.

Values: every float of the program is float32 in the graph and rounded to its declared type by the caller, not by the
operators' translations; every integer is int64, every bool bool. Strings are constants only. A list of MIL is one
tensor of shape (length, *element). A class label is its index, int64; the probabilities by label are their tensor.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.fidelity.array import Array

OPSET = 21  # of the graph, so of every node that a translation adds
_SHARED = 64  # elements up to which equal constants are one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operand:
    """A value that an operation reads.

    tensor is its name in the graph. constant is its value where the program has it, in the graph's own type (float32,
    int64, bool), a str for a string; else None. dtype is MIL's name (`fp16`, `int32`, `bool`); shape has None where
    it is open.
    """

    tensor: str
    constant: Any
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in ("fp16", "fp32", "fp64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A value that an operation makes, as the program declares it. shape has None where it is open."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation of a program. inputs that were not given are not there; variadic ones are tuples.

    blocks are its nested blocks as coremltools has them, for control flow alone.
    """

    type: str
    name: str
    inputs: Mapping[str, Operand | tuple[Operand, ...]]
    outputs: tuple[Declared, ...]
    blocks: tuple[Any, ...] = ()

    def __getitem__(self, name: str) -> Operand:
        """An input that is one value. Raises KeyError where it was not given."""
        found = self.inputs[name]
        if isinstance(found, tuple):
            raise KeyError(f"{name} of {self.type} is variadic")
        return found

    def optional(self, name: str) -> Operand | None:
        return self[name] if name in self.inputs else None

    def values(self, name: str) -> tuple[Operand, ...]:
        """A variadic input."""
        found = self.inputs[name]
        return found if isinstance(found, tuple) else (found,)

    def constant(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 (a scalar of any type)
        """A scalar parameter as a Python value; default where it was not given. Raises Untranslatable where it is not
        constant."""
        if name not in self.inputs:
            return default
        found = self[name].constant
        if found is None:
            raise Untranslatable(f"{self.type} with {name} that is not constant")
        return found.item() if isinstance(found, np.ndarray) else found

    def integers(self, name: str, default: Sequence[int] | None = None) -> list[int]:
        """A list parameter. Raises Untranslatable where it is not constant, KeyError without a default."""
        if name not in self.inputs and default is not None:
            return list(default)
        found = self[name].constant
        if found is None:
            raise Untranslatable(f"{self.type} with {name} that is not constant")
        return [int(value) for value in np.asarray(found).reshape(-1)]


class Untranslatable(Exception):
    """An operation that has no translation in this form; the words name it: `resample with ...`."""


@dataclass(slots=True)
class Emitter:
    """A graph under construction. Nodes of nested graphs (branches, loop bodies) have emitters of their own, made by
    `nested`, whose names differ from all others; constants are those of the whole graph, seen from everywhere.

    Names begin with %, as no name of a program does. Constants that no node reads cost nothing."""

    nodes: list[Any] = field(default_factory=list)
    operation: str = ""  # whose nodes are added: onnxruntime names it where it refuses one
    constants: dict[str, Array] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _shared: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def nested(self) -> "Emitter":
        """An emitter of a graph inside this one: the body of an If or a Loop. It reads names of this one too."""
        return Emitter(operation=self.operation, constants=self.constants, _numbers=self._numbers, _shared=self._shared)

    def name(self, kind: str) -> str:
        """A name that nothing else has, for a value that no node makes: what comes into a nested graph."""
        return f"%{kind}_{next(self._numbers)}"

    def node(self, kind: str, inputs: Sequence[Operand | str | None], **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output; its name. None is an optional input that is left out."""
        return self.split(kind, inputs, 1, **attributes)[0]

    def split(self, kind: str, inputs: Sequence[Operand | str | None], outputs: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add a node with several outputs; their names."""
        from onnx import helper

        made = self.name(kind)
        names = [f"{made}_{index}" for index in range(outputs)]
        read = [each.tensor if isinstance(each, Operand) else each or "" for each in inputs]
        self.nodes.append(helper.make_node(kind, read, names, name=f"{self.operation}{made}", **attributes))
        return names

    def constant(self, values: object, dtype: type[np.generic] | None = None) -> str:
        """A constant tensor; its name. Small equal ones are one."""
        array = np.ascontiguousarray(values, dtype) if np.ndim(values) else np.asarray(values, dtype)  # type: ignore[arg-type]
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= _SHARED else None
        if key is not None and key in self._shared:
            return self._shared[key]
        name = self.name("constant")
        self.constants[name] = array
        if key is not None:
            self._shared[key] = name
        return name

    def integers(self, values: Iterable[int]) -> str:
        """A one-dimensional int64 constant, as ONNX wants axes, shapes and pads."""
        return self.constant(list(values), np.int64)

    def real(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(value, np.float32)

    def cast(self, value: Operand | str, dtype: str) -> str:
        """To float32, int64 or bool."""
        from onnx import TensorProto

        kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
        return self.node("Cast", [value], to=kinds[dtype])


Translate = Callable[[Emitter, Operation], "str | Sequence[str]"]
"""Adds the nodes of one operation; the names of its outputs, in order. Raises Untranslatable."""
