"""One element from one element, or from two of broadcast inputs.

Where integers have no result (division by zero) they give 0, as in coremltools' own folding.
"""

from collections.abc import Callable

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable

_FLOATS = ("fp16", "fp32", "fp64")


def unary(kind: str) -> Translate:
    """A node that does the same as the operation."""
    return lambda emitter, operation: emitter.node(kind, [operation["x"]])


def binary(kind: str) -> Translate:
    return lambda emitter, operation: emitter.node(kind, [operation["x"], operation["y"]])


def truncate(emitter: Emitter, value: str) -> str:
    """A double as the integer that numpy's astype makes of it."""
    return emitter.cast(value, "int64")


def to_double(emitter: Emitter, value: Operand | str) -> str:
    from onnx import TensorProto

    return emitter.node("Cast", [value], to=TensorProto.DOUBLE)


def _clip(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Clip", [operation["x"], operation["alpha"], operation["beta"]])


def _threshold(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Max", [operation["x"], operation["alpha"]])


def _shifted(*kinds: str) -> Translate:
    """kinds of x + epsilon, one after the other."""

    def translate(emitter: Emitter, operation: Operation) -> str:
        value = emitter.node("Add", [operation["x"], operation["epsilon"]])
        for kind in kinds:
            value = emitter.node(kind, [value])
        return value

    return translate


def _exp2(emitter: Emitter, operation: Operation) -> str:
    two = emitter.real(2.0) if operation["x"].is_float else emitter.constant(2, np.int64)
    return emitter.node("Pow", [two, operation["x"]])


def _square(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Mul", [operation["x"], operation["x"]])


def _not_equal(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Not", [emitter.node("Equal", [operation["x"], operation["y"]])])


def _real_div(emitter: Emitter, operation: Operation) -> str:
    """Integers: the quotient truncated, as a cast of it to the declared type does."""
    if operation["x"].is_float:
        return emitter.node("Div", [operation["x"], operation["y"]])
    return _without_zeros(emitter, operation, lambda x, y: emitter.node("Div", [x, y]))


def _mod(emitter: Emitter, operation: Operation) -> str:
    """The remainder has the sign of the divisor, as in Python."""
    if not operation["x"].is_float:
        return _without_zeros(emitter, operation, lambda x, y: emitter.node("Mod", [x, y]))
    return _real_mod(emitter, operation["x"], operation["y"])


def _real_mod(emitter: Emitter, x: Operand, y: Operand) -> str:
    """By C's fmod, which is exact: x - floor(x / y) * y is not. Zeros too have the sign of y."""
    rest, sign = emitter.node("Mod", [x, y], fmod=1), emitter.node("Sign", [y])
    opposite = emitter.node("Less", [emitter.node("Mul", [emitter.node("Sign", [rest]), sign]), emitter.real(0.0)])
    moved = emitter.node("Where", [opposite, emitter.node("Add", [rest, y]), rest])
    return emitter.node("Mul", [emitter.node("Abs", [moved]), sign])


def _floor_div(emitter: Emitter, operation: Operation) -> str:
    """The floor of the exact quotient, not of the rounded one: 1 // 0.1 is 9 at float32."""
    x, y = operation["x"], operation["y"]
    if not x.is_float:
        return _without_zeros(emitter, operation, lambda x, y: _whole_quotient(emitter, x, y))
    multiple = emitter.node("Sub", [x, _real_mod(emitter, x, y)])
    quotient = emitter.node("Round", [emitter.node("Div", [multiple, y])])
    by_zero = emitter.node("Equal", [y, emitter.real(0.0)])
    return emitter.node("Where", [by_zero, emitter.node("Div", [x, y]), quotient])


def _whole_quotient(emitter: Emitter, x: Operand, y: str) -> str:
    """ONNX's own division of integers truncates."""
    return emitter.node("Div", [emitter.node("Sub", [x, emitter.node("Mod", [x, y])]), y])


def _without_zeros(emitter: Emitter, operation: Operation, divide: Callable[[Operand, str], str]) -> str:
    """onnxruntime refuses a division of integers by zero at run time."""
    x, y = operation["x"], operation["y"]
    if y.constant is not None and np.all(y.constant):
        return divide(x, y.tensor)
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    is_zero = emitter.node("Equal", [y, zero])
    return emitter.node("Where", [is_zero, zero, divide(x, emitter.node("Where", [is_zero, one, y]))])


def _cast(emitter: Emitter, operation: Operation) -> str:
    """Floats are truncated towards zero; what a narrow integer cannot hold wraps around.

    Apple documents neither overflow nor what becomes of infinities.
    """
    x, wanted = operation["x"], operation.constant("dtype")
    if wanted == "bool":
        return emitter.cast(x, "bool")
    if wanted in _FLOATS:
        return emitter.cast(x, "float32")
    whole = emitter.cast(x, "int64")
    return emitter.cast(emitter.node("Cast", [whole], to=_integer(wanted)), "int64")


def _integer(name: str) -> int:
    from onnx import TensorProto

    known = {each: int(getattr(TensorProto, each.upper())) for each in ("int8", "uint8", "int16", "uint16", "int32")}
    if name not in known:
        raise Untranslatable(f"cast to {name}")
    return known[name]


_SAME_UNARY = {
    "abs": "Abs",
    "acos": "Acos",
    "asin": "Asin",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "logical_not": "Not",
    "round": "Round",  # both take halves to the even neighbour
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}
_SAME_BINARY = {
    "add": "Add",
    "equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "maximum": "Max",
    "minimum": "Min",
    "mul": "Mul",
    "pow": "Pow",
    "sub": "Sub",
}

TRANSLATIONS: dict[str, Translate] = {
    **{name: unary(kind) for name, kind in _SAME_UNARY.items()},
    **{name: binary(kind) for name, kind in _SAME_BINARY.items()},
    "cast": _cast,
    "clip": _clip,
    "exp2": _exp2,
    "floor_div": _floor_div,
    "inverse": _shifted("Reciprocal"),
    "log": _shifted("Log"),
    "mod": _mod,
    "not_equal": _not_equal,
    "real_div": _real_div,
    "rsqrt": _shifted("Sqrt", "Reciprocal"),
    "square": _square,
    "threshold": _threshold,
}
