"""Pooling over one, two and three spatial dimensions."""

from dataclasses import replace
from functools import reduce

import numpy as np

from harness.fidelity.array import Array
from harness.fidelity.mil.emitter import Emitter, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.windows import Windows, lay_windows


def _max_pool(emitter: Emitter, operation: Operation) -> str:
    windows, _ = _lay(operation)
    return emitter.node("MaxPool", [operation["x"]], **windows.attributes())


def _l2_pool(emitter: Emitter, operation: Operation) -> str:
    """The root of the sum of squares, not of their mean."""
    windows, _ = _lay(operation)
    return emitter.node("LpPool", [operation["x"]], p=2, **windows.attributes())


def _avg_pool(emitter: Emitter, operation: Operation) -> str:
    windows, correction = _lay(operation)
    excludes = bool(operation.constant("exclude_padding_from_average", False))
    average = emitter.node("AveragePool", [operation["x"]], count_include_pad=int(not excludes), **windows.attributes())
    if excludes or correction is None:
        return average
    return emitter.node("Mul", [average, emitter.constant(correction, np.float32)])


def _lay(operation: Operation) -> tuple[Windows, Array | None]:
    """The windows, and what averages over all their elements are to be multiplied with, None for nothing."""
    windows, correction = lay_windows(operation, operation.integers("kernel_sizes")), None
    if operation.constant("ceil_mode", False):
        windows, correction = _ceil(operation, windows)
    for side in (windows.before, windows.after):
        if side is not None and any(pad >= size for pad, size in zip(side, windows.kernel, strict=True)):
            raise Untranslatable(f"{operation.type} with padding as wide as a window")
    return windows, correction


def _ceil(operation: Operation, windows: Windows) -> tuple[Windows, Array]:
    """Windows of ceil_mode: the last ones may end beyond the padding. In averages padding counts, but what lies beyond
    it does not, as in PyTorch."""
    sizes = [size for size in operation["x"].shape[2:] if size is not None]
    if windows.before is None or windows.after is None or len(sizes) < len(windows.kernel):
        raise Untranslatable(f"{operation.type} with ceil_mode over an open size")
    reach, factors = [], []
    dimensions = (sizes, windows.before, windows.after, windows.kernel, windows.strides)
    for size, before, after, kernel, stride in zip(*dimensions, strict=True):
        starts = np.arange(_count(size, before + after, kernel, stride)) * stride
        length = size + before + after
        reach.append(max(int(starts[-1]) + kernel - size - before, after))
        factors.append(kernel / (np.minimum(starts + kernel, length) - np.minimum(starts, length - 1)))
    return replace(windows, after=tuple(reach)), reduce(np.multiply.outer, factors)[None, None]


def _count(size: int, padding: int, kernel: int, stride: int) -> int:
    """Windows with ceil_mode: MIL drops one that begins in the padding after, where there is padding."""
    count = (size + padding - kernel + stride - 1) // stride + 1
    return count - 1 if padding and (count - 1) * stride >= size + padding / 2 else count


TRANSLATIONS: dict[str, Translate] = {"avg_pool": _avg_pool, "l2_pool": _l2_pool, "max_pool": _max_pool}
