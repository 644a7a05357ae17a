"""Reductions over dimensions: all of them where no axes are given, none where the list is empty."""

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate
from harness.fidelity.mil.operators.elementwise import to_double, truncate

_KEEPS_INTEGERS = ("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare")


def _reduce(kind: str) -> Translate:
    """Integers whose result is not one are reduced at float64, and that is truncated."""

    def translate(emitter: Emitter, operation: Operation) -> str:
        x = operation["x"]
        if x.is_float or kind in _KEEPS_INTEGERS:
            return _over_axes(emitter, operation, kind, x)
        return truncate(emitter, _over_axes(emitter, operation, kind, to_double(emitter, x)))

    return translate


def _over_axes(emitter: Emitter, operation: Operation, kind: str, x: Operand | str) -> str:
    keep = bool(operation.constant("keep_dims", False))
    if "axes" not in operation.inputs:
        return emitter.node(kind, [x], keepdims=int(keep))
    axes = operation.integers("axes")
    if not axes:
        # To ONNX an empty list is all of them: here every element is reduced by itself.
        x, axes, keep = emitter.node("Unsqueeze", [x, emitter.integers([-1])]), [-1], False
    return emitter.node(kind, [x, emitter.integers(axes)], keepdims=int(keep))


def _argument(kind: str) -> Translate:
    """The first of equals; MIL leaves open which."""

    def translate(emitter: Emitter, operation: Operation) -> str:
        axis, keep = int(operation.constant("axis", -1)), bool(operation.constant("keep_dims", False))
        return emitter.node(kind, [operation["x"]], axis=axis, keepdims=int(keep))

    return translate


TRANSLATIONS: dict[str, Translate] = {
    "reduce_argmax": _argument("ArgMax"),
    "reduce_argmin": _argument("ArgMin"),
    "reduce_l1_norm": _reduce("ReduceL1"),
    "reduce_l2_norm": _reduce("ReduceL2"),
    "reduce_log_sum": _reduce("ReduceLogSum"),
    "reduce_log_sum_exp": _reduce("ReduceLogSumExp"),
    "reduce_max": _reduce("ReduceMax"),
    "reduce_mean": _reduce("ReduceMean"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_prod": _reduce("ReduceProd"),
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_sum_square": _reduce("ReduceSumSquare"),
}
