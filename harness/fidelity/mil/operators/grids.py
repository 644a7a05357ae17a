"""Where images are sampled: points along an axis, in float64, and pixels on both sides of a point.

float32 would place a point at pixel 100 wrong by 4e-6 of a pixel, which is seen at 120 dB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Untranslatable
from harness.fidelity.mil.operators.shapes import dimension


@dataclass(frozen=True, slots=True)
class Exact:
    """A float64 tensor of the graph, with the arithmetic of formulas; shapes broadcast."""

    emitter: Emitter
    tensor: str

    def __add__(self, other: "Exact | float") -> "Exact":
        return self._with("Add", other)

    def __sub__(self, other: "Exact | float") -> "Exact":
        return self._with("Sub", other)

    def __mul__(self, other: "Exact | float") -> "Exact":
        return self._with("Mul", other)

    def __truediv__(self, other: "Exact | float") -> "Exact":
        return self._with("Div", other)

    def at_least(self, other: "Exact | float") -> "Exact":
        return self._with("Max", other)

    def at_most(self, other: "Exact | float") -> "Exact":
        return self._with("Min", other)

    def floor(self) -> "Exact":
        return self.unary("Floor")

    def unary(self, kind: str) -> "Exact":
        return Exact(self.emitter, self.emitter.node(kind, [self.tensor]))

    def where(self, condition: str, other: "Exact | float") -> "Exact":
        """This where the condition holds, else the other."""
        instead = other.tensor if isinstance(other, Exact) else self.emitter.constant(other, np.float64)
        return Exact(self.emitter, self.emitter.node("Where", [condition, self.tensor, instead]))

    def compare(self, kind: str, other: "Exact | float") -> str:
        return self._with(kind, other).tensor

    def reshaped(self, shape: list[int]) -> "Exact":
        return Exact(self.emitter, self.emitter.node("Reshape", [self.tensor, self.emitter.integers(shape)]))

    def whole(self) -> str:
        """int64."""
        return self.emitter.cast(self.tensor, "int64")

    def real(self) -> str:
        """float32."""
        return self.emitter.cast(self.tensor, "float32")

    def _with(self, kind: str, other: "Exact | float") -> "Exact":
        second = other.tensor if isinstance(other, Exact) else self.emitter.constant(other, np.float64)
        return Exact(self.emitter, self.emitter.node(kind, [self.tensor, second]))


def exact(emitter: Emitter, value: Operand | str | float | Sequence[float]) -> Exact:
    from onnx import TensorProto

    if isinstance(value, Operand | str):
        return Exact(emitter, emitter.node("Cast", [value], to=TensorProto.DOUBLE))
    return Exact(emitter, emitter.constant(value, np.float64))


def size_of(emitter: Emitter, x: Operand, axis: int) -> Exact:
    return exact(emitter, dimension(emitter, x, axis))


def counted(emitter: Emitter, count: str) -> Exact:
    """0, 1, ... count - 1; count is int64 of no axes."""
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    return exact(emitter, emitter.node("Range", [zero, count, one]))


def points(mode: str, size: Exact, count: str) -> Exact:
    """count points within [0, size - 1] by a sampling mode of resize_bilinear, whose formulas these are:
    products come before quotients, so that a point on a pixel is exactly there.

    size: one, or (n, 1) for a row of points for each.
    """
    last, steps, number = size - 1.0, counted(size.emitter, count), exact(size.emitter, count)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        found = steps * last / (number - 1.0).at_least(1.0)
        if mode == "ALIGN_CORNERS":
            found = (last * 0.5).where(number.compare("Equal", 1.0), found)
    elif mode == "DEFAULT":
        found = steps * size / number
    elif mode == "OFFSET_CORNERS":
        found = (steps + 0.5) * last.at_least(1.0) / number
    elif mode == "UNALIGN_CORNERS":
        found = (steps + 0.5) * size / number - 0.5
    else:
        raise Untranslatable(f"resizing by the sampling mode {mode}")
    return found.at_least(0.0).at_most(last)
