"""Where the windows of a convolution or a pooling lie over an input."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.fidelity.mil.emitter import Operation, Untranslatable

_AUTOMATIC = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Of every spatial dimension: elements of a window, those from one to the next, and padding before and after.

    extents are what a window spans, dilated. before and after are None where padding depends on a size that is open;
    then `automatic` says it in ONNX's words.
    """

    kernel: tuple[int, ...]
    extents: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...] | None
    after: tuple[int, ...] | None
    automatic: str

    def attributes(self) -> dict[str, object]:
        """Of a node, without dilations."""
        shared: dict[str, object] = {"kernel_shape": list(self.kernel), "strides": list(self.strides)}
        if self.before is None or self.after is None:
            return shared | {"auto_pad": self.automatic}
        return shared | {"pads": [*self.before, *self.after]}


def lay_windows(operation: Operation, kernel: Sequence[int]) -> Windows:
    """Of `strides`, `dilations`, `pad_type` and `pad`. Raises Untranslatable for a pad_type that MIL has not, and for
    dilated windows padded to an open size."""
    ones = [1] * len(kernel)
    strides, dilations = operation.integers("strides", ones), operation.integers("dilations", ones)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    kind = str(operation.constant("pad_type", "valid"))
    before, after = _padding(operation, kind, extents, strides)
    if before is None and any(dilation != 1 for dilation in dilations):
        raise Untranslatable(f"{operation.type} with dilations and pad_type {kind} over an open size")
    return Windows(
        kernel=tuple(kernel),
        extents=tuple(extents),
        strides=tuple(strides),
        dilations=tuple(dilations),
        before=before,
        after=after,
        automatic=_AUTOMATIC.get(kind, "NOTSET"),
    )


Padding = tuple[tuple[int, ...], tuple[int, ...]] | tuple[None, None]


def _padding(operation: Operation, kind: str, extents: Sequence[int], strides: Sequence[int]) -> Padding:
    if kind == "valid":
        return tuple(0 for _ in extents), tuple(0 for _ in extents)
    if kind == "custom":
        pad = operation.integers("pad")
        return tuple(pad[0::2]), tuple(pad[1::2])
    if kind not in _AUTOMATIC:
        raise Untranslatable(f"{operation.type} with pad_type {kind}")
    totals = [
        _to_keep(size, extent, stride)
        for size, extent, stride in zip(operation["x"].shape[2:], extents, strides, strict=True)
    ]
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return None, None
    # An odd one goes after, as in TensorFlow, whose `same` this is; before in same_lower.
    smaller, larger = tuple(total // 2 for total in known), tuple(total - total // 2 for total in known)
    return (smaller, larger) if kind == "same" else (larger, smaller)


def _to_keep(size: int | None, extent: int, stride: int) -> int | None:
    """Padding of one dimension with which there are ceil(size / stride) windows; None where that is open."""
    if stride == 1:
        return extent - 1
    return None if size is None else max((-(-size // stride) - 1) * stride + extent - size, 0)
