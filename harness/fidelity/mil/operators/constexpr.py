"""Compressed weights as the values that they stand for, by coremltools' own decompression of each operator.

coremltools' `materialized_val_inference` does not see every nesting (a palette whose look-up table is quantised), so
what an operator reads is decompressed here first. Its look-up repeats the table for every weight, which is gigabytes
for 8 bits; a look-up has no arithmetic, so ours gives the same bits.
"""

import inspect
from typing import Any

import numpy as np

from harness.fidelity.array import Array

Read = dict[str, Any]


def decompress(value: Any) -> Any:  # noqa: ANN401 (a Var of coremltools; a number, an array, a string)
    """The value of a Var that a const or a constexpr operator makes, in its declared type."""
    made_by = value.op
    if made_by.op_type == "const":
        return value.val
    read = {name: decompress(each) for name, each in made_by.inputs.items()}
    results = _decompress(made_by, read)
    return results[value.op_output_idx] if isinstance(results, tuple) else results


def _decompress(made_by: Any, read: Read) -> Any:  # noqa: ANN401 (an Operation of coremltools)
    if made_by.op_type == "constexpr_cast":
        return np.float32(read["source_val"])
    if made_by.op_type == "constexpr_lut_to_dense" and "shape" not in read:
        return look_up(read["indices"], read["lut"], read.get("vector_axis"))
    own = type(made_by).decompress
    return own(**{name: read.get(name) for name in inspect.signature(own).parameters})


def look_up(indices: Array, table: Array, vector_axis: int | None = None) -> Array:
    """A palette's weights. Shapes: indices (d1, .., dk); table (b1, .., bk, colours, length), where each bi divides di
    and a block of weights has a table of its own; the result has length times as many along vector_axis.

    Source: constexpr_lut_to_dense of iOS18.
    """
    colours, length = table.shape[-2:]
    block = np.zeros((1,) * indices.ndim, np.int64)
    for axis, (size, blocks) in enumerate(zip(indices.shape, table.shape[:-2], strict=True)):
        places = np.arange(size) // (size // blocks)
        block = block * blocks + places.reshape([-1 if i == axis else 1 for i in range(indices.ndim)])
    found = table.reshape(-1, length)[block * colours + indices.astype(np.uint8)]
    if length == 1:
        return np.asarray(found[..., 0])
    axis = (vector_axis or 0) % indices.ndim
    sizes = [size * length if i == axis else size for i, size in enumerate(indices.shape)]
    return np.moveaxis(found, -1, axis + 1).reshape(sizes)
