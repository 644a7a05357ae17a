"""Operations that give a tensor another shape and leave its elements in order."""

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable


def _reshape(emitter: Emitter, operation: Operation) -> str:
    """A zero is the dimension of x counted from the right (iOS17; before, the ranks are equal and it is the same), or
    1 beyond x. ONNX counts from the left."""
    x, shape = operation["x"], operation["shape"]
    wanted = shape.shape[0]
    if wanted == x.rank or (shape.constant is not None and 0 not in shape.constant):
        return emitter.node("Reshape", [x, shape])
    if wanted is None:
        raise Untranslatable("reshape to a number of dimensions that is not known")
    if wanted > x.rank:
        beyond = emitter.integers([1] * (wanted - x.rank))
        aligned = emitter.node("Concat", [beyond, emitter.node("Shape", [x])], axis=0)
    else:
        aligned = emitter.node("Shape", [x], start=x.rank - wanted)
    inherits = emitter.node("Equal", [shape, emitter.integers([0])])
    return emitter.node("Reshape", [x, emitter.node("Where", [inherits, aligned, shape])])


def _reshape_like(emitter: Emitter, operation: Operation) -> str:
    parts = []
    bounds = zip(*(operation.values(name) for name in ("ref_tensors", "begins", "ends", "end_masks")), strict=True)
    for reference, begin, end, is_open in bounds:
        limits = {"start": int(begin.constant)}
        if not bool(is_open.constant):
            limits["end"] = int(end.constant)
        parts.append(emitter.node("Shape", [reference], **limits))
    return emitter.node("Reshape", [operation["x"], emitter.node("Concat", parts, axis=0)])


def _expand_dims(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Unsqueeze", [operation["x"], emitter.integers(operation.integers("axes"))])


def _squeeze(emitter: Emitter, operation: Operation) -> str:
    """Axes that are longer than 1 stay, as in PyTorch. Open axes count as longer where none are named."""
    x = operation["x"]
    named = "axes" in operation.inputs
    axes = [axis % x.rank for axis in operation.integers("axes")] if named else range(x.rank)
    squeezed = [axis for axis in axes if x.shape[axis] == 1 or (named and x.shape[axis] is None)]
    if not squeezed:
        return emitter.node("Identity", [x])
    return emitter.node("Squeeze", [x, emitter.integers(squeezed)])


def _transpose(emitter: Emitter, operation: Operation) -> str:
    x = operation["x"]
    if x.rank == 0:
        return emitter.node("Identity", [x])
    return emitter.node("Transpose", [x], perm=[axis % x.rank for axis in operation.integers("perm")])


def _flatten2d(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Flatten", [operation["x"]], axis=operation.constant("axis", 1))


def _shape(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Shape", [operation["x"]])


def _identity(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Identity", [operation["x"]])


def dimension(emitter: Emitter, x: Operand, axis: int) -> str:
    """The size of an axis, int64 of no axes: a constant where it is known."""
    size = x.shape[axis]
    if size is not None:
        return emitter.constant(size, np.int64)
    return emitter.node("Gather", [emitter.node("Shape", [x]), emitter.constant(axis % x.rank, np.int64)])


TRANSLATIONS: dict[str, Translate] = {
    "reshape": _reshape,
    "reshape_like": _reshape_like,
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "flatten2d": _flatten2d,
    "shape": _shape,
    "identity": _identity,
}
