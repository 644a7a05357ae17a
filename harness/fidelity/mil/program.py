"""A function of an ML Program as coremltools reads it, and its values as the translation sees them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import ModelUnreadable, ReferenceUnable
from harness.fidelity.mil.emitter import Declared
from harness.fidelity.mil.operators.constexpr import decompress
from harness.fidelity.wording import with_kind
from harness.sources.mlpackage_file import Package, open_package
from harness.toolkit import import_coremltools

Var = Any
"""coremltools' value. Not hashable by name: names are not unique across blocks. (It has no types for mypy.)"""
Block = Any
"""coremltools' block, or one of the file's."""

STORED = frozenset(
    (
        "const",
        "constexpr_affine_dequantize",
        "constexpr_blockwise_shift_scale",
        "constexpr_cast",
        "constexpr_lut_to_dense",
        "constexpr_lut_to_sparse",
        "constexpr_sparse_blockwise_shift_scale",
        "constexpr_sparse_to_dense",
    )
)
"""Operators that are values in the file; coremltools decompresses them itself."""

_GRAPH_KINDS = {"f": np.float32, "i": np.int64, "u": np.int64, "b": np.bool_}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """One function of a program: its block, inputs and outputs are coremltools' own Vars and Block."""

    block: Block
    inputs: tuple[Var, ...]
    states: tuple[Var, ...]
    outputs: tuple[Var, ...]


def read_function(path: Path, name: str | None, known: Iterable[str]) -> Function:
    """Read a function of an `.mlpackage` or `.mlmodel`, the default one without a name.

    Raises ModelUnreadable where it is not a readable ML Program, and ReferenceUnable where it has operators that are
    not known, all of them named, before any weight is read.
    """
    import_coremltools()
    package = open_package(path)
    spec = package.specification
    chosen = _choose(path, spec, name)
    _refuse_unknown(spec.mlProgram.functions[chosen], known)
    function = _read_program(package).functions[chosen]
    values = tuple(function.inputs.values())
    return Function(
        block=function,
        inputs=tuple(value for value in values if not is_state(value)),
        states=tuple(value for value in values if is_state(value)),
        outputs=tuple(function.outputs),
    )


def _choose(path: Path, spec: Any, name: str | None) -> str:  # noqa: ANN401 (coremltools has no types)
    functions = sorted(spec.mlProgram.functions)
    chosen = name or spec.description.defaultFunctionName or "main"
    if chosen not in functions:
        raise ModelUnreadable(path, f"has no function {chosen}; it has {', '.join(functions) or 'none'}")
    return chosen


def _refuse_unknown(function: Any, known: Iterable[str]) -> None:  # noqa: ANN401 (coremltools has no types)
    blocks = function.block_specializations
    types = {each for block in blocks.values() for each in operator_types(block)}
    if unknown := sorted(types - set(known)):
        raise ReferenceUnable(f"the reference has no translation of: {', '.join(unknown)}")


def operator_types(block: Block) -> Iterable[str]:
    """The operator of every operation of a block of the file, with those of the blocks inside them."""
    for operation in block.operations:
        yield operation.type
        for nested in operation.blocks:
            yield from operator_types(nested)


def _read_program(package: Package) -> Any:  # noqa: ANN401 (coremltools has no types)
    """The toolkit is given the specification alone: it writes a package's manifest anew whenever it opens one."""
    from coremltools.converters.mil.frontend.milproto.load import load

    path, spec = package.path, package.specification
    weights = (package.folder or path.parent) / "weights"
    try:
        return load(spec, spec.specificationVersion, str(weights))
    except NotImplementedError as exc:
        raise ReferenceUnable(f"coremltools cannot read all of its program: {with_kind(exc)}") from exc
    except refusals() as exc:
        raise ModelUnreadable(path, f"coremltools cannot read its program: {with_kind(exc)}") from exc


def refusals() -> tuple[type[Exception], ...]:
    """What coremltools raises for files that it cannot read, and a translation for operations that contradict
    themselves: whatever a wrong file leads to."""
    from google.protobuf.message import DecodeError

    wrong_values = (ValueError, TypeError, LookupError, AssertionError, AttributeError, ArithmeticError)
    return (*wrong_values, RuntimeError, MemoryError, OSError, DecodeError)


def is_state(value: Var) -> bool:
    from coremltools.converters.mil.mil import types

    return bool(types.is_state(value.sym_type))


def declare(value: Var) -> Declared:
    """A Var as the program declares it. A list is one tensor of shape (length, *element)."""
    from coremltools.converters.mil.mil import ListVar, types

    if isinstance(value, ListVar):
        element = value.elem_type
        kind = element.get_primitive() if types.is_tensor(element) else element
        length = None if value.dynamic_length else value.init_length
        shape = _closed((length, *(value.elem_shape or ())))
        return Declared(name=value.name, dtype=types.builtin_to_string(kind), shape=shape)
    dtype = "dict" if types.is_dict(value.sym_type) else types.builtin_to_string(value.dtype)
    return Declared(name=value.name, dtype=dtype, shape=_closed(value.shape))


def _closed(shape: Iterable[Any]) -> tuple[int | None, ...]:
    return tuple(int(size) if isinstance(size, int | np.integer) else None for size in shape)


def is_constant(value: Var) -> bool:
    """Whether a Var's value is in the file, compressed or not, and not computed when the program runs."""
    made_by = value.op
    if made_by is None or is_stored(made_by):
        return made_by is not None
    return bool(made_by.op_type == "dequantize" and made_by.can_materialize_val())


def is_stored(operation: Any) -> bool:  # noqa: ANN401 (coremltools has no types)
    return operation.op_type in STORED


def materialize(value: Var) -> Any:  # noqa: ANN401 (a number, an array, a string)
    """The value of a constant Var in the graph's own type (float32, int64, bool), decompressed by coremltools."""
    if is_stored(value.op):
        return in_graph_type(decompress(value))
    return in_graph_type(value.op.materialized_val_inference())


def in_graph_type(value: Any) -> Any:  # noqa: ANN401 (a number, an array, a string)
    """Numbers as float32, int64 or bool arrays; a string, and whatever else coremltools has, as it is."""
    if value is None or isinstance(value, str | bytes):
        return value
    array = np.asarray(value)
    if array.dtype.kind in "US" and array.ndim == 0:
        return str(array)
    kind = _GRAPH_KINDS.get(array.dtype.kind)
    return value if kind is None else array.astype(kind, copy=False)
