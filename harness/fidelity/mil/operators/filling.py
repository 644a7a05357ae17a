"""Operations that make tensors from a few values, and those that look at places of a tensor."""

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate


def _fill(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Expand", [_value(emitter, operation, "value", 0.0), operation["shape"]])


def _fill_like(emitter: Emitter, operation: Operation) -> str:
    shape = emitter.node("Shape", [operation["ref_tensor"]])
    return emitter.node("Expand", [_value(emitter, operation, "value", 0.0), shape])


def _value(emitter: Emitter, operation: Operation, name: str, default: float) -> str:
    given = operation.optional(name)
    return emitter.real(default) if given is None else given.tensor


def _range_1d(emitter: Emitter, operation: Operation) -> str:
    """Elements are start + index * step, in float64: sums of steps would drift."""
    from onnx import TensorProto

    start, end, step = (operation[name] for name in ("start", "end", "step"))
    if not start.is_float:
        return emitter.node("Range", [start, end, step])
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    first, last, pace = (emitter.node("Cast", [each], to=TensorProto.DOUBLE) for each in (start, end, step))
    steps = emitter.node("Ceil", [emitter.node("Div", [emitter.node("Sub", [last, first]), pace])])
    index = emitter.node("Range", [zero, emitter.cast(steps, "int64"), one])
    place = emitter.node("Mul", [emitter.node("Cast", [index], to=TensorProto.DOUBLE), pace])
    return emitter.cast(emitter.node("Add", [first, place]), "float32")


def _one_hot(emitter: Emitter, operation: Operation) -> str:
    """Indices outside, negative ones too, are off everywhere; ONNX's OneHot counts negative ones from the end."""
    indices = operation["indices"]
    axis = int(operation.constant("axis", -1)) % (indices.rank + 1)
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    size = emitter.node("Reshape", [operation["one_hot_vector_size"], emitter.integers([])])
    places = emitter.node("Range", [zero, size, one])
    along = emitter.integers([-1] + [1] * (indices.rank - axis))
    opened = emitter.node("Unsqueeze", [indices, emitter.integers([axis])])
    is_on = emitter.node("Equal", [opened, emitter.node("Reshape", [places, along])])
    if operation.outputs[0].dtype != "bool":
        on, off = (_either(emitter, operation, name, number) for name, number in (("on_value", 1), ("off_value", 0)))
        return emitter.node("Where", [is_on, on, off])
    on, off = operation["on_value"].tensor, operation["off_value"].tensor  # onnxruntime's Where knows no bools
    is_off = emitter.node("And", [emitter.node("Not", [is_on]), off])
    return emitter.node("Or", [emitter.node("And", [is_on, on]), is_off])


def _either(emitter: Emitter, operation: Operation, name: str, default: int) -> str:
    given = operation.optional(name)
    return emitter.constant(default, np.int64) if given is None else given.tensor


def _band_part(emitter: Emitter, operation: Operation) -> str:
    lower, upper = int(operation.constant("lower", -1)), int(operation.constant("upper", -1))
    kept = emitter.node("Identity", [operation["x"]])
    if lower >= 0:
        kept = emitter.node("Trilu", [kept, emitter.constant(-lower, np.int64)], upper=1)
    if upper >= 0:
        kept = emitter.node("Trilu", [kept, emitter.constant(upper, np.int64)], upper=0)
    return kept


def _cumsum(emitter: Emitter, operation: Operation) -> str:
    x = operation["x"]
    axis = emitter.constant(int(operation.constant("axis", 0)), np.int64)
    flags = {name: int(operation.constant(name, False)) for name in ("exclusive", "reverse")}
    return emitter.node("CumSum", [x, axis], **flags)


def _non_zero(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Transpose", [emitter.node("NonZero", [operation["x"]])], perm=[1, 0])


TRANSLATIONS: dict[str, Translate] = {
    "fill": _fill,
    "fill_like": _fill_like,
    "range_1d": _range_1d,
    "one_hot": _one_hot,
    "band_part": _band_part,
    "cumsum": _cumsum,
    "non_zero": _non_zero,
}
