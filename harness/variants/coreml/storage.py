"""How an ML Program keeps one weight, in words: `float16`, `int8`, `palette-4-int8-lut`, `sparse+palette-4`.

Read off the chain of `constexpr_` operations that unpacks it.
"""

from collections.abc import Iterator
from math import prod

from harness.core.units import Bytes
from harness.variants.coreml.weights import COMPRESSED, Operation, Value

_TYPES = {"fp16": "float16", "fp32": "float32"}


def described(operation: Operation) -> str:
    """The words for what an operation yields: a constant, or the end of a chain."""
    kind = operation.op_type.removeprefix(COMPRESSED)
    if kind == "const":
        return _dtype(operation.outputs[0])
    if kind == "sparse_to_dense":
        inner = operation.nonzero_data.op
        return "sparse" if inner.op_type == "const" else f"sparse+{described(inner)}"
    if kind in ("lut_to_dense", "lut_to_sparse"):
        return f"palette-{_bits(operation)}{'-int8-lut' if operation.lut.op.op_type != 'const' else ''}"
    numbers = {
        "dequantize": "input",
        "affine_dequantize": "quantized_data",
        "sparse_blockwise_shift_scale": "nonzero_data",
    }
    return _dtype(operation.inputs[numbers.get(kind, "data")])


def _bits(operation: Operation) -> int:
    """Of an index. A table has entries along its last dimension but one, before iOS18 along its only one."""
    shape = operation.lut.shape
    entries = shape[-2] if len(shape) > 1 else shape[0]
    return int(entries - 1).bit_length()


def size(operation: Operation) -> Bytes:
    """Bytes of all constants that an operation's result is made of, each once."""
    constants = dict.fromkeys(_constants(operation))
    return sum((_elements(each) * each.dtype.get_bitwidth() + 7) // 8 for each in constants)


def _constants(operation: Operation) -> Iterator[Value]:
    if operation.op_type == "const":
        yield operation.outputs[0]
        return
    for value in operation.inputs.values():
        if value is not None and value.op is not None and value.rank > 0:
            yield from _constants(value.op)


def _elements(value: Value) -> int:
    return int(prod(value.shape))


def _dtype(value: Value) -> str:
    from coremltools.converters.mil.mil import types

    name = str(types.builtin_to_string(value.dtype))
    return _TYPES.get(name, name)
