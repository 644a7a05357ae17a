"""Activations."""

from collections.abc import Mapping
from typing import Any

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.elementwise import unary


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
    if mode == "SIGMOID_APPROXIMATION":
        scaled = emitter.node("Mul", [x, emitter.real(1.702)])
        return emitter.node("Mul", [x, emitter.node("Sigmoid", [scaled])])
    approximations = {"EXACT": "none", "TANH_APPROXIMATION": "tanh"}
    if mode not in approximations:
        raise Untranslatable(f"gelu with mode {mode}")
    return emitter.node("Gelu", [x], approximate=approximations[mode])


def _linear_activation(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Add", [emitter.node("Mul", [operation["x"], operation["alpha"]]), operation["beta"]])


def _prelu(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("PRelu", [operation["x"], _by_channel(emitter, operation, "alpha")])


def _relu6(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Clip", [operation["x"], emitter.real(0.0), emitter.real(6.0)])


def _scaled_tanh(emitter: Emitter, operation: Operation) -> str:
    scaled = emitter.node("Mul", [operation["x"], operation["beta"]])
    return emitter.node("Mul", [operation["alpha"], emitter.node("Tanh", [scaled])])


def _silu(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Mul", [operation["x"], emitter.node("Sigmoid", [operation["x"]])])


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
    "sigmoid": unary("Sigmoid"),
    "sigmoid_hard": _with("HardSigmoid", "alpha", "beta"),
    "silu": _silu,
    "softmax": _softmax,
    "softplus": unary("Softplus"),
    "softplus_parametric": _softplus_parametric,
    "softsign": unary("Softsign"),
    "thresholded_relu": _thresholded_relu,
}
