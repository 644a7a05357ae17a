"""Convolutions over one, two and three spatial dimensions, and their transposes."""

from collections.abc import Sequence
from typing import Any

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.windows import lay_windows


def _conv(emitter: Emitter, operation: Operation) -> str:
    return _convolve(emitter, operation, operation["weight"])


def _convolve(emitter: Emitter, operation: Operation, weight: Operand | str) -> str:
    windows = lay_windows(operation, _kernel(operation))
    inputs = [operation["x"], weight, operation.optional("bias")]
    groups, dilations = int(operation.constant("groups", 1)), list(windows.dilations)
    attributes: dict[str, Any] = {**windows.attributes(), "group": groups, "dilations": dilations}
    return emitter.node("Conv", inputs[: 3 if inputs[2] else 2], **attributes)


def _kernel(operation: Operation) -> list[int]:
    kernel = [size for size in operation["weight"].shape[2:] if size is not None]
    if len(kernel) < operation["weight"].rank - 2:
        raise Untranslatable(f"{operation.type} with a kernel of open size")
    return kernel


def _conv_quantized(emitter: Emitter, operation: Operation) -> str:
    """Bytes that are weights times a scale and plus an offset, one for all or one for each output channel."""
    kind, bits = operation.constant("quantization_type"), int(operation.constant("nbits", 8))
    if kind != "linear" or bits != 8 or "bias" in operation.inputs:
        raise Untranslatable(f"conv_quantized other than linear of 8 bits without bias: {kind} of {bits} bits")
    scale, offset = (_by_output(emitter, operation, name) for name in ("quant_scale", "quant_bias"))
    weight = emitter.node("Mul", [emitter.cast(operation["weight"], "float32"), scale])
    return _convolve(emitter, operation, emitter.node("Add", [weight, offset]))


def _by_output(emitter: Emitter, operation: Operation, name: str) -> str:
    shape = [-1] + [1] * (operation["weight"].rank - 1)
    return emitter.node("Reshape", [operation[name], emitter.integers(shape)])


def _conv_transpose(emitter: Emitter, operation: Operation) -> str:
    kernel, ones = _kernel(operation), [1] * (operation["x"].rank - 2)
    strides, dilations = operation.integers("strides", ones), operation.integers("dilations", ones)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    before, after = _cut(operation, extents, strides)
    bias = operation.optional("bias")
    return emitter.node(
        "ConvTranspose",
        [operation["x"], operation["weight"], *([bias] if bias else [])],
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        group=int(operation.constant("groups", 1)),
        pads=[*before, *(max(cut, 0) for cut in after)],
        output_padding=[max(-cut, 0) for cut in after],
    )


def _cut(operation: Operation, extents: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """What every spatial dimension of the whole result loses before and after; less than nothing where it gains.

    Those of `same` are the padding of the convolution that this undoes, hence the odd one after.
    """
    kind, wanted = str(operation.constant("pad_type", "valid")), _wanted(operation)
    pad = operation.integers("pad") if kind == "custom" else [0] * (2 * len(extents))
    before, after = pad[0::2], pad[1::2]
    for i, (extent, stride, size) in enumerate(zip(extents, strides, operation["x"].shape[2:], strict=True)):
        if kind == "same" and wanted is None:
            before[i], after[i] = _halve(extent - stride)
        elif wanted is not None:
            if size is None:
                raise Untranslatable(f"{operation.type} with output_shape over an open size")
            surplus = (size - 1) * stride + extent - wanted[i]
            before[i], after[i] = _halve(surplus) if kind == "same" else (before[i], surplus - before[i])
    return before, after


def _wanted(operation: Operation) -> list[int] | None:
    return operation.integers("output_shape")[2:] if "output_shape" in operation.inputs else None


def _halve(total: int) -> tuple[int, int]:
    before = max(total, 0) // 2
    return before, total - before


TRANSLATIONS: dict[str, Translate] = {
    "conv": _conv,
    "conv_quantized": _conv_quantized,
    "conv_transpose": _conv_transpose,
}
