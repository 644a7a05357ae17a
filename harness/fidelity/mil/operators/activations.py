"""Activations. onnxruntime's own Sigmoid and Gelu are exact to about 1e-7 of one and not of the result, which for
negative inputs is far smaller: their formulas stand here instead."""

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.elementwise import unary

# Of ln(erfc(z) / t) + z^2 in powers of t = 1 / (1 + z / 2), highest first. Press et al., "Numerical Recipes in C", 6.2:
# of erfc's own size the error is below 1.2e-7 everywhere.
_ERFC = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


def sigmoid(emitter: Emitter, value: Operand | str) -> str:
    """1 / (1 + exp(-value))."""
    return emitter.node("Reciprocal", [_one_and_exp(emitter, value)])


def _times_sigmoid(emitter: Emitter, x: Operand, value: Operand | str) -> str:
    """x * sigmoid(value)."""
    return emitter.node("Div", [x, _one_and_exp(emitter, value)])


def _one_and_exp(emitter: Emitter, value: Operand | str) -> str:
    return emitter.node("Add", [emitter.node("Exp", [emitter.node("Neg", [value])]), emitter.real(1.0)])


def _with(kind: str, *parameters: str) -> Translate:
    """A node whose attributes are the operation's scalar parameters of the same names."""

    def translate(emitter: Emitter, operation: Operation) -> str:
        attributes: Mapping[str, Any] = {name: float(operation.constant(name)) for name in parameters}
        return emitter.node(kind, [operation["x"]], **attributes)

    return translate


def _clamped_relu(emitter: Emitter, operation: Operation) -> str:
    leaky = emitter.node("LeakyRelu", [operation["x"]], alpha=float(operation.constant("alpha")))
    return emitter.node("Min", [leaky, operation["beta"]])


def _gelu(emitter: Emitter, operation: Operation) -> str:
    x, mode = operation["x"], operation.constant("mode", "EXACT")
    if mode not in _GELUS:
        raise Untranslatable(f"gelu with mode {mode}")
    return _GELUS[mode](emitter, x)


def _gelu_exact(emitter: Emitter, x: Operand) -> str:
    """x / 2 * erfc(-x / sqrt(2)): below -1, where 1 + erf would cancel, by erfc itself."""
    half = emitter.node("Mul", [x, emitter.real(0.5)])
    tail = emitter.node("Mul", [half, _erfc_of_size(emitter, emitter.node("Mul", [x, emitter.real(sqrt(0.5))]))])
    below = emitter.node("Less", [x, emitter.real(-1.0)])
    return emitter.node("Where", [below, tail, emitter.node("Gelu", [x])])


def _erfc_of_size(emitter: Emitter, value: str) -> str:
    """erfc(|value|)."""
    size = emitter.node("Abs", [value])
    part = emitter.node("Mul", [size, emitter.real(0.5)])
    t = emitter.node("Reciprocal", [emitter.node("Add", [part, emitter.real(1.0)])])
    power = emitter.real(_ERFC[0])
    for coefficient in _ERFC[1:]:
        power = emitter.node("Add", [emitter.node("Mul", [power, t]), emitter.real(coefficient)])
    power = emitter.node("Sub", [power, emitter.node("Mul", [size, size])])
    return emitter.node("Mul", [t, emitter.node("Exp", [power])])


def _gelu_by_tanh(emitter: Emitter, x: Operand) -> str:
    """x / 2 * (1 + tanh(u)) is x * sigmoid(2 u), for u = sqrt(2 / pi) * (x + 0.044715 x^3)."""
    cube = emitter.node("Mul", [emitter.node("Mul", [x, x]), x])
    u = emitter.node("Add", [x, emitter.node("Mul", [cube, emitter.real(0.044715)])])
    return _times_sigmoid(emitter, x, emitter.node("Mul", [u, emitter.real(2 * sqrt(2 / pi))]))


def _gelu_by_sigmoid(emitter: Emitter, x: Operand) -> str:
    return _times_sigmoid(emitter, x, emitter.node("Mul", [x, emitter.real(1.702)]))


_GELUS = {
    "EXACT": _gelu_exact,
    "SIGMOID_APPROXIMATION": _gelu_by_sigmoid,
    "TANH_APPROXIMATION": _gelu_by_tanh,
}


def _linear_activation(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Add", [emitter.node("Mul", [operation["x"], operation["alpha"]]), operation["beta"]])


def _prelu(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("PRelu", [operation["x"], _by_channel(emitter, operation, "alpha")])


def _relu6(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Clip", [operation["x"], emitter.real(0.0), emitter.real(6.0)])


def _scaled_tanh(emitter: Emitter, operation: Operation) -> str:
    scaled = emitter.node("Mul", [operation["x"], operation["beta"]])
    return emitter.node("Mul", [operation["alpha"], emitter.node("Tanh", [scaled])])


def _softmax(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Softmax", [operation["x"]], axis=int(operation.constant("axis", -1)))


def _softplus_parametric(emitter: Emitter, operation: Operation) -> str:
    scaled = emitter.node("Mul", [operation["x"], _by_channel(emitter, operation, "beta")])
    return emitter.node("Mul", [_by_channel(emitter, operation, "alpha"), emitter.node("Softplus", [scaled])])


def _thresholded_relu(emitter: Emitter, operation: Operation) -> str:
    """ONNX's own operator leaves out x == alpha."""
    x: Operand = operation["x"]
    below = emitter.node("Less", [x, operation["alpha"]])
    return emitter.node("Where", [below, emitter.real(0.0), x])


def _by_channel(emitter: Emitter, operation: Operation, name: str) -> str:
    """A vector along the second dimension of x."""
    shape = [-1] + [1] * (operation["x"].rank - 2)
    return emitter.node("Reshape", [operation[name], emitter.integers(shape)])


TRANSLATIONS: dict[str, Translate] = {
    "clamped_relu": _clamped_relu,
    "elu": _with("Elu", "alpha"),
    "gelu": _gelu,
    "leaky_relu": _with("LeakyRelu", "alpha"),
    "linear_activation": _linear_activation,
    "prelu": _prelu,
    "relu": unary("Relu"),
    "relu6": _relu6,
    "scaled_tanh": _scaled_tanh,
    "sigmoid": lambda emitter, operation: sigmoid(emitter, operation["x"]),
    "sigmoid_hard": _with("HardSigmoid", "alpha", "beta"),
    "silu": lambda emitter, operation: _times_sigmoid(emitter, operation["x"], operation["x"]),
    "softmax": _softmax,
    "softplus": unary("Softplus"),
    "softplus_parametric": _softplus_parametric,
    "softsign": unary("Softsign"),
    "thresholded_relu": _thresholded_relu,
}
