"""Operations that move blocks of pixels between space and channels or batches."""

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable


def _depth_to_space(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("DepthToSpace", [operation["x"]], blocksize=int(operation.constant("block_size")), mode="DCR")


def _pixel_shuffle(emitter: Emitter, operation: Operation) -> str:
    factor = int(operation.constant("upscale_factor"))
    return emitter.node("DepthToSpace", [operation["x"]], blocksize=factor, mode="CRD")


def _space_to_depth(emitter: Emitter, operation: Operation) -> str:
    return emitter.node("SpaceToDepth", [operation["x"]], blocksize=int(operation.constant("block_size")))


def _pixel_unshuffle(emitter: Emitter, operation: Operation) -> str:
    """The places of a block follow each other within each channel, where SpaceToDepth has the channels within each
    place."""
    x, factor = operation["x"], int(operation.constant("downscale_factor"))
    if (channels := x.shape[1]) is None:
        raise Untranslatable("pixel_unshuffle of a number of channels that is not known")
    by_place = emitter.node("SpaceToDepth", [x], blocksize=factor)
    order = np.arange(channels * factor**2).reshape(factor**2, channels).T.reshape(-1)
    return emitter.node("Gather", [by_place, emitter.constant(order, np.int64)], axis=1)


def _space_to_batch(emitter: Emitter, operation: Operation) -> str:
    (top, bottom, left, right), (rows, columns) = operation.integers("paddings"), operation.integers("block_shape")
    channels, height, width = _known(operation)
    pads = emitter.integers([top, left, bottom, right])
    padded = emitter.node("Pad", [operation["x"], pads, None, emitter.integers([2, 3])])
    down, across = (height + top + bottom) // rows, (width + left + right) // columns
    blocks = emitter.integers([-1, channels, down, rows, across, columns])
    parted = emitter.node("Transpose", [emitter.node("Reshape", [padded, blocks])], perm=[3, 5, 0, 1, 2, 4])
    return emitter.node("Reshape", [parted, emitter.integers([-1, channels, down, across])])


def _batch_to_space(emitter: Emitter, operation: Operation) -> str:
    (top, bottom, left, right), (rows, columns) = operation.integers("crops"), operation.integers("block_shape")
    channels, height, width = _known(operation)
    blocks = emitter.integers([rows, columns, -1, channels, height, width])
    parted = emitter.node("Reshape", [operation["x"], blocks])
    joined = emitter.node("Transpose", [parted], perm=[2, 3, 4, 0, 5, 1])
    whole = emitter.node("Reshape", [joined, emitter.integers([-1, channels, height * rows, width * columns])])
    ends = [height * rows - bottom, width * columns - right]
    return emitter.node("Slice", [whole, *(emitter.integers(each) for each in ([top, left], ends, [2, 3]))])


def _known(operation: Operation) -> tuple[int, int, int]:
    channels, height, width = operation["x"].shape[1:]
    if channels is None or height is None or width is None:
        raise Untranslatable(f"{operation.type} of an image whose size is not known")
    return channels, height, width


TRANSLATIONS: dict[str, Translate] = {
    "depth_to_space": _depth_to_space,
    "pixel_shuffle": _pixel_shuffle,
    "space_to_depth": _space_to_depth,
    "pixel_unshuffle": _pixel_unshuffle,
    "space_to_batch": _space_to_batch,
    "batch_to_space": _batch_to_space,
}
