"""Operations that write into a tensor at places that other tensors name."""

from collections.abc import Callable

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable

_REDUCTIONS = {"update": "none", "add": "add", "sub": "add", "mul": "mul", "max": "max", "min": "min"}
_Write = Callable[[Operand | str, str, str], str]
"""Writes updates into a tensor by a reduction of ONNX; the result."""


def _scatter(emitter: Emitter, operation: Operation) -> str:
    """The same places for every line along the axis."""
    data, indices, updates = (operation[name] for name in ("data", "indices", "updates"))
    axis = int(operation.constant("axis", 0)) % data.rank
    along = emitter.integers([-1 if at == axis else 1 for at in range(data.rank)])
    line = emitter.node("Reshape", [indices, along])
    places = emitter.node("Expand", [line, emitter.node("Shape", [updates])])
    return _write_elements(emitter, operation, places, axis)


def _scatter_along_axis(emitter: Emitter, operation: Operation) -> str:
    return _write_elements(emitter, operation, operation["indices"].tensor, int(operation.constant("axis", 0)))


def _scatter_nd(emitter: Emitter, operation: Operation) -> str:
    def write(into: Operand | str, updates: str, reduction: str) -> str:
        return emitter.node("ScatterND", [into, operation["indices"], updates], reduction=reduction)

    return _by_mode(emitter, operation, write)


def _write_elements(emitter: Emitter, operation: Operation, places: str, axis: int) -> str:
    def write(into: Operand | str, updates: str, reduction: str) -> str:
        return emitter.node("ScatterElements", [into, places, updates], axis=axis, reduction=reduction)

    return _by_mode(emitter, operation, write)


def _by_mode(emitter: Emitter, operation: Operation, write: _Write) -> str:
    """ONNX subtracts by adding the negative, and divides by the product of all divisors of a place."""
    data, updates, mode = operation["data"], operation["updates"].tensor, operation.constant("mode", "add")
    if mode == "div":
        return _divide(emitter, data, updates, write)
    if mode == "sub":
        updates = emitter.node("Neg", [updates])
    return write(data, updates, _REDUCTIONS[mode])


def _divide(emitter: Emitter, data: Operand, updates: str, write: _Write) -> str:
    if not data.is_float:
        raise Untranslatable("scatter that divides integers, whose rounding is not documented,")
    ones = emitter.node("Expand", [emitter.constant(1.0, np.float32), emitter.node("Shape", [data])])
    return emitter.node("Div", [data, write(ones, updates, "mul")])


TRANSLATIONS: dict[str, Translate] = {
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along_axis,
    "scatter_nd": _scatter_nd,
}
