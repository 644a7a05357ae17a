"""Multiply-accumulate operations of an ML Program's operation, from the shapes in the program.

Counted as in `macs.py`: every position of the output, padding included.
"""

from collections.abc import Callable, Mapping
from math import prod

from harness.sources.mlprogram import Constant, OperationRecord

Shape = tuple[int, ...]
Shapes = Mapping[str, tuple[Shape, ...]]
_MOST = 1 << 60  # a year's work of a thousand fast machines: such a shape is damage


def macs(operation: OperationRecord, shapes: Shapes, values: Mapping[str, Constant]) -> int | None:
    """None where the operation has no formula here, or a shape is open, absurd or not as the operation needs it.

    shapes are those of the inputs by name, values those inputs that are written in the program.
    """
    formula = _FORMULAS.get(operation.type)
    if formula is None or not operation.outputs:
        return None
    out = operation.outputs[0].type.shape
    if any(size < 1 for shape in (*(each for given in shapes.values() for each in given), out) for size in shape):
        return None
    try:
        count = formula(shapes, out, values)
    except (IndexError, KeyError, ValueError):
        return None
    return count if count is not None and count <= _MOST else None


def _convolution(shapes: Shapes, out: Shape, _: Mapping[str, Constant]) -> int:
    """Weight (out, in / groups, ...)."""
    return prod(out) * prod(shapes["weight"][0][1:])


def _transposed_convolution(shapes: Shapes, _: Shape, __: Mapping[str, Constant]) -> int:
    """Weight (in, out / groups, ...)."""
    return prod(shapes["x"][0]) * prod(shapes["weight"][0][1:])


def _linear(shapes: Shapes, out: Shape, _: Mapping[str, Constant]) -> int:
    """Weight (out, in)."""
    return prod(out) * shapes["weight"][0][1]


def _matmul(shapes: Shapes, out: Shape, values: Mapping[str, Constant]) -> int:
    left = shapes["x"][0]
    transposed = "transpose_x" in values and bool(values["transpose_x"].values[0])
    return prod(out) * left[-2 if transposed and len(left) > 1 else -1]


def _attention(shapes: Shapes, out: Shape, _: Mapping[str, Constant]) -> int:
    """Query (..., length, width), key (..., keys, width); the output is (..., length, width of a value)."""
    keys, width = shapes["key"][0][-2:]
    return prod(out[:-1]) * keys * (width + out[-1])


def _einsum(shapes: Shapes, _: Shape, values: Mapping[str, Constant]) -> int | None:
    """Every combination of all letters once."""
    equation = str(values["equation"].values[0]).replace(" ", "")
    if "." in equation:
        return None
    terms = equation.partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes["values"], strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return prod(sizes.values())


def _recurrent(shapes: Shapes, _: Shape, __: Mapping[str, Constant]) -> int:
    """x (steps, batch, width); each weight is used once a step, the backward ones too."""
    steps, batch = shapes["x"][0][:2]
    weights = (shape[0] for name, shape in shapes.items() if name.startswith(("weight_ih", "weight_hh")))
    return steps * batch * sum(map(prod, weights))


_FORMULAS: dict[str, Callable[[Shapes, Shape, Mapping[str, Constant]], int | None]] = {
    "conv": _convolution,
    "conv_transpose": _transposed_convolution,
    "einsum": _einsum,
    "gru": _recurrent,
    "linear": _linear,
    "lstm": _recurrent,
    "matmul": _matmul,
    "rnn": _recurrent,
    "scaled_dot_product_attention": _attention,
}
