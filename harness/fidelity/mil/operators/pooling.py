"""Pooling over one, two and three spatial dimensions."""

from dataclasses import replace

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.windows import Windows, lay_windows


def _max_pool(emitter: Emitter, operation: Operation) -> str:
    windows = _reach(operation, _windows(operation))
    x, windows = _pad_first(emitter, operation["x"], windows, -np.inf)
    return emitter.node("MaxPool", [x], **windows.attributes())


def _avg_pool(emitter: Emitter, operation: Operation) -> str:
    windows = _windows(operation)
    if operation.constant("exclude_padding_from_average", False):
        windows = _reach(operation, windows)
        _demand_overlap(operation, windows)
        return emitter.node("AveragePool", [operation["x"]], count_include_pad=0, **windows.attributes())
    if windows.before is None:
        return emitter.node("AveragePool", [operation["x"]], count_include_pad=1, **windows.attributes())
    # Padding counts, but what ceil_mode adds beyond it does not, as in PyTorch.
    reach = _reach(operation, windows)
    x, inner = _pad_first(emitter, operation["x"], windows, 0.0, always=reach != windows)
    if reach != windows and inner.after is not None and reach.after is not None and windows.after is not None:
        beyond = tuple(far - near for far, near in zip(reach.after, windows.after, strict=True))
        return emitter.node("AveragePool", [x], count_include_pad=0, **replace(inner, after=beyond).attributes())
    return emitter.node("AveragePool", [x], count_include_pad=1, **inner.attributes())


def _l2_pool(emitter: Emitter, operation: Operation) -> str:
    """The root of the sum of squares."""
    windows = _reach(operation, _windows(operation))
    x, windows = _pad_first(emitter, operation["x"], windows, 0.0)
    return emitter.node("LpPool", [x], p=2, **windows.attributes())


def _windows(operation: Operation) -> Windows:
    return lay_windows(operation, operation.integers("kernel_sizes"))


def _reach(operation: Operation, windows: Windows) -> Windows:
    """With ceil_mode, windows may begin inside and end outside: padding after, up to where the last one ends."""
    if not operation.constant("ceil_mode", False):
        return windows
    if windows.before is None or windows.after is None or None in operation["x"].shape[2:]:
        raise Untranslatable(f"{operation.type} with ceil_mode over an open size")
    sizes = [size for size in operation["x"].shape[2:] if size is not None]
    after = []
    for i, size in enumerate(sizes):
        before, padding = windows.before[i], windows.before[i] + windows.after[i]
        count = _count(size, padding, windows.kernel[i], windows.strides[i])
        after.append(max((count - 1) * windows.strides[i] + windows.kernel[i] - size - before, windows.after[i]))
    return replace(windows, after=tuple(after))


def _count(size: int, padding: int, kernel: int, stride: int) -> int:
    """Windows with ceil_mode: MIL drops one that begins in the padding after, where there is padding."""
    count = (size + padding - kernel + stride - 1) // stride + 1
    return count - 1 if padding and (count - 1) * stride >= size + padding / 2 else count


def _pad_first(
    emitter: Emitter, x: Operand, windows: Windows, value: float, *, always: bool = False
) -> tuple[Operand | str, Windows]:
    """Padding as a node of its own where onnxruntime's pooling refuses it: a whole window of nothing else."""
    if windows.before is None or windows.after is None:
        return x, windows
    pads = [*windows.before, *windows.after]
    if not always and all(pad < size for pad, size in zip(pads, windows.kernel * 2, strict=True)):
        return x, windows
    none, spatial = tuple(0 for _ in windows.kernel), len(windows.kernel)
    sides = emitter.integers([0, 0, *pads[:spatial], 0, 0, *pads[spatial:]])
    return emitter.node("Pad", [x, sides, emitter.real(value)]), replace(windows, before=none, after=none)


def _demand_overlap(operation: Operation, windows: Windows) -> None:
    for side in (windows.before, windows.after):
        if side is not None and any(pad >= size for pad, size in zip(side, windows.kernel, strict=True)):
            raise Untranslatable(f"{operation.type} that excludes padding, with windows of nothing else")


TRANSLATIONS: dict[str, Translate] = {"avg_pool": _avg_pool, "l2_pool": _l2_pool, "max_pool": _max_pool}
