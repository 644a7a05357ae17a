"""Operations that join, part, repeat, pad, reverse or window tensors along axes."""

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.shapes import dimension

_LEAST = int(np.iinfo(np.int64).min)


def _concat(emitter: Emitter, operation: Operation) -> str:
    values = operation.values("values")
    rank = values[0].rank
    if rank == 0:
        return _stack_along(emitter, [value.tensor for value in values], 0)
    axis = int(operation.constant("axis")) % rank
    if not operation.constant("interleave", False):
        return emitter.node("Concat", values, axis=axis)
    stacked = _stack_along(emitter, [value.tensor for value in values], axis + 1)
    around = [emitter.node("Shape", [values[0]], **part) for part in ({"end": axis}, {"start": axis + 1})]
    merged = emitter.node("Concat", [around[0], emitter.integers([-1]), around[1]], axis=0)
    return emitter.node("Reshape", [stacked, merged])


def _stack(emitter: Emitter, operation: Operation) -> str:
    values = operation.values("values")
    axis = int(operation.constant("axis")) % (values[0].rank + 1)
    return _stack_along(emitter, [value.tensor for value in values], axis)


def _stack_along(emitter: Emitter, tensors: list[str], axis: int) -> str:
    opened = [emitter.node("Unsqueeze", [tensor, emitter.integers([axis])]) for tensor in tensors]
    return emitter.node("Concat", opened, axis=axis)


def _split(emitter: Emitter, operation: Operation) -> list[str]:
    axis, parts = int(operation.constant("axis")), len(operation.outputs)
    if (sizes := operation.optional("split_sizes")) is not None:
        return emitter.split("Split", [operation["x"], sizes], parts, axis=axis)
    return emitter.split("Split", [operation["x"]], parts, axis=axis, num_outputs=parts)


def _tile(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("Tile", [operation["x"], operation["reps"]])


def _pad(emitter: Emitter, operation: Operation) -> str:
    """MIL pads the last axes, begin and end of each in turn; ONNX wants all begins, then all ends."""
    x, pad = operation["x"], operation["pad"]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}[operation.constant("mode", "constant")]
    value = emitter.real(operation.constant("constant_val", 0.0)) if mode == "constant" else None
    if (length := pad.shape[0]) is None:
        raise Untranslatable("pad of a number of axes that is not known")
    axes = emitter.integers(range(x.rank - length // 2, x.rank))
    pairs = emitter.node("Transpose", [emitter.node("Reshape", [pad, emitter.integers([-1, 2])])], perm=[1, 0])
    return emitter.node("Pad", [x, emitter.node("Reshape", [pairs, emitter.integers([-1])]), value, axes], mode=mode)


def _reverse(emitter: Emitter, operation: Operation) -> str:
    x = operation["x"]
    axes = operation.integers("axes", range(x.rank))
    first, last, step = ([bound] * len(axes) for bound in (-1, _LEAST, -1))
    return emitter.node("Slice", [x, *(emitter.integers(each) for each in (first, last, axes, step))])


def _reverse_sequence(emitter: Emitter, operation: Operation) -> str:
    """Any two axes; ONNX's ReverseSequence knows the first two alone."""
    x, lengths = operation["x"], operation["lengths"]
    along, batch = (int(operation.constant(name, 0)) % x.rank for name in ("seq_axis", "batch_axis"))
    if along == batch:
        raise Untranslatable("reverse_sequence whose axis of sequences is that of batches")
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    place = emitter.node("Range", [zero, dimension(emitter, x, along), one])
    place, length = (
        emitter.node("Reshape", [each, emitter.integers([-1 if at == axis else 1 for at in range(x.rank)])])
        for each, axis in ((place, along), (lengths, batch))
    )
    mirrored = emitter.node("Sub", [emitter.node("Sub", [length, one]), place])
    source = emitter.node("Where", [emitter.node("Less", [place, length]), mirrored, place])
    everywhere = emitter.node("Expand", [source, emitter.node("Shape", [x])])
    return emitter.node("GatherElements", [x, everywhere], axis=along)


def _sliding_windows(emitter: Emitter, operation: Operation) -> str:
    x, size = operation["x"], int(operation.constant("size"))
    axis = int(operation.constant("axis")) % x.rank
    end = emitter.node("Sub", [dimension(emitter, x, axis), emitter.constant(size - 1, np.int64)])
    step = emitter.constant(int(operation.constant("stride", 1)), np.int64)
    starts = emitter.node("Range", [emitter.constant(0, np.int64), end, step])
    column = emitter.node("Unsqueeze", [starts, emitter.integers([1])])
    return emitter.node("Gather", [x, emitter.node("Add", [column, emitter.integers(range(size))])], axis=axis)


TRANSLATIONS: dict[str, Translate] = {
    "concat": _concat,
    "stack": _stack,
    "split": _split,
    "tile": _tile,
    "pad": _pad,
    "reverse": _reverse,
    "reverse_sequence": _reverse_sequence,
    "sliding_windows": _sliding_windows,
}
