"""Quantisation of values at run time. Weights that are stored quantised are constants by then.

ONNX's own pair of operators is not used: onnxruntime would compute what lies between the two in integers.
"""

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable

_RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


def _quantize(emitter: Emitter, operation: Operation) -> str:
    """clip(round(input / scale) + zero_point), halves to the even neighbour. What is not a number becomes 0: no integer
    stands for it, and what a cast makes of it depends on the processor."""
    wanted = str(operation.constant("output_dtype"))
    if wanted not in _RANGES:
        raise Untranslatable(f"quantize to {wanted}")
    scale, zero = _parameters(emitter, operation)
    value = emitter.node("Round", [emitter.node("Div", [operation["input"], scale])])
    if zero is not None:
        value = emitter.node("Add", [value, zero])
    low, high = (emitter.real(bound) for bound in _RANGES[wanted])
    clipped = emitter.node("Clip", [value, low, high])
    number = emitter.node("Where", [emitter.node("IsNaN", [clipped]), emitter.real(0.0), clipped])
    return emitter.cast(number, "int64")


def _dequantize(emitter: Emitter, operation: Operation) -> str:
    """scale * (input - zero_point)."""
    scale, zero = _parameters(emitter, operation)
    value = emitter.cast(operation["input"], "float32")
    if zero is not None:
        value = emitter.node("Sub", [value, zero])
    return emitter.node("Mul", [value, scale])


def _parameters(emitter: Emitter, operation: Operation) -> tuple[Operand | str, Operand | str | None]:
    """Scale and zero point in float32, in a shape that broadcasts over the input."""
    scale, zero = operation["scale"], operation.optional("zero_point")
    real = emitter.cast(zero, "float32") if zero else None
    if scale.rank == 0:
        return scale, real
    axis, rank = int(operation.constant("axis")), operation["input"].rank
    shape = emitter.integers(-1 if i == axis % rank else 1 for i in range(rank))
    return emitter.node("Reshape", [scale, shape]), emitter.node("Reshape", [real, shape]) if real else None


TRANSLATIONS: dict[str, Translate] = {"dequantize": _dequantize, "quantize": _quantize}
