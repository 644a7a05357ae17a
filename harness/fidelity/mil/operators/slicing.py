"""Operations that cut parts out of tensors, or put parts into them."""

from dataclasses import dataclass

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate

_FAR = int(np.iinfo(np.int64).max)
_STEP = int(np.iinfo(np.int32).max)  # longer than any axis: takes one element


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    begin: list[int]
    end: list[int]
    squeeze: list[int]
    stride: list[int]

    @property
    def squeezed(self) -> list[int]:
        return [axis for axis, is_index in enumerate(self.squeeze) if is_index]

    @property
    def steps(self) -> list[int]:
        return [_STEP if index else step for step, index in zip(self.stride, self.squeeze, strict=True)]

    @property
    def starts(self) -> list[int | None]:
        """Where a slice begins that has no begin: at the end that it comes from."""
        ends = [0 if step > 0 else _FAR for step in self.steps]
        return [end if is_open else None for end, is_open in zip(ends, self.begin, strict=True)]

    @property
    def stops(self) -> list[int | None]:
        stops = [_FAR if step > 0 else -_FAR for step in self.steps]
        masks = zip(stops, self.end, self.squeeze, strict=True)
        return [stop if is_open or index else None for stop, is_open, index in masks]


def _masks(operation: Operation) -> _Masks:
    rank = operation["x"].rank
    read = {name: operation.integers(f"{name}_mask", [0] * rank) for name in ("begin", "end", "squeeze")}
    return _Masks(stride=operation.integers("stride", [1] * rank), **read)


def _bound(emitter: Emitter, given: Operand, instead: list[int | None]) -> str:
    """The given bounds, and others where those are masked."""
    if all(each is None for each in instead):
        return given.tensor
    masked = emitter.constant([each is not None for each in instead], np.bool_)
    return emitter.node("Where", [masked, emitter.integers(each or 0 for each in instead), given])


def _cut(emitter: Emitter, tensor: str, operation: Operation) -> str:
    """What begin, end, stride and masks of an operation choose, with no axis squeezed. Bounds are numpy's."""
    masks = _masks(operation)
    begin = _bound(emitter, operation["begin"], masks.starts)
    end = _bound(emitter, operation["end"], masks.stops)
    axes = emitter.integers(range(operation["x"].rank))
    return emitter.node("Slice", [tensor, begin, end, axes, emitter.integers(masks.steps)])


def _slice_by_index(emitter: Emitter, operation: Operation) -> str:
    part = _cut(emitter, operation["x"].tensor, operation)
    squeezed = _masks(operation).squeezed
    return emitter.node("Squeeze", [part, emitter.integers(squeezed)]) if squeezed else part


def _slice_update(emitter: Emitter, operation: Operation) -> str:
    """The same slice of the numbers of all elements says where the update goes."""
    x, flat = operation["x"], emitter.integers([-1])
    shape = emitter.node("Shape", [x])
    zero, one = emitter.constant(0, np.int64), emitter.constant(1, np.int64)
    numbers = emitter.node("Range", [zero, emitter.node("Size", [x]), one])
    places = _cut(emitter, emitter.node("Reshape", [numbers, shape]), operation)
    pieces = [emitter.node("Reshape", [each, flat]) for each in (x, places, operation["update"])]
    return emitter.node("Reshape", [emitter.node("ScatterElements", pieces, axis=0), shape])


def _slice_by_size(emitter: Emitter, operation: Operation) -> str:
    """A negative begin counts from the end; a size of -1 is the rest."""
    x, begin, size = (operation[name] for name in ("x", "begin", "size"))
    shape, zero = emitter.node("Shape", [x]), emitter.integers([0])
    from_end = emitter.node("Less", [begin, zero])
    start = emitter.node("Where", [from_end, emitter.node("Add", [begin, shape]), begin])
    is_rest = emitter.node("Less", [size, zero])
    end = emitter.node("Where", [is_rest, shape, emitter.node("Add", [start, size])])
    return emitter.node("Slice", [x, start, end])


def _crop(emitter: Emitter, operation: Operation) -> str:
    x = operation["x"]
    (top, bottom), (left, right) = operation.integers("crop_height"), operation.integers("crop_width")
    ends = [-bottom or _FAR, -right or _FAR]
    axes = emitter.integers([x.rank - 2, x.rank - 1])
    return emitter.node("Slice", [x, emitter.integers([top, left]), emitter.integers(ends), axes])


TRANSLATIONS: dict[str, Translate] = {
    "slice_by_index": _slice_by_index,
    "slice_update": _slice_update,
    "slice_by_size": _slice_by_size,
    "crop": _crop,
}
