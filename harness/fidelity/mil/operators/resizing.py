"""Operations that resize images, axis after axis: each reads the pixels on both sides of every point and weighs them.

ONNX's Resize has not all sampling modes, and places points in float32.
"""

import math

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.grids import Exact, counted, exact, points, size_of
from harness.fidelity.mil.operators.shapes import dimension


def _upsample_nearest(emitter: Emitter, operation: Operation) -> str:
    """Pixel floor(i * size / count), where count is rounded already: as TensorFlow without half pixels."""
    x = operation["x"]
    image = x.tensor
    for axis, count in _scaled(emitter, operation):
        place = counted(emitter, count) * size_of(emitter, x, axis) / exact(emitter, count)
        image = _read(emitter, image, axis, _inside(emitter, x, axis, place.floor()))
    return image


def _upsample_bilinear(emitter: Emitter, operation: Operation) -> str:
    aligned = bool(operation.constant("align_corners", True))
    centred = bool(operation.constant("half_pixel_centers", not aligned))
    if aligned and centred:
        raise Untranslatable("upsample_bilinear with both align_corners and half_pixel_centers")
    mode = "STRICT_ALIGN_CORNERS" if aligned else "UNALIGN_CORNERS" if centred else "DEFAULT"
    x = operation["x"]
    image = x.tensor
    for axis, count in _scaled(emitter, operation):
        image = _interpolate(emitter, x, image, axis, points(mode, size_of(emitter, x, axis), count))
    return image


def _scaled(emitter: Emitter, operation: Operation) -> list[tuple[int, str]]:
    """Both axes with how many pixels they get: floor(size * factor)."""
    x, found = operation["x"], []
    for axis, name in ((x.rank - 2, "scale_factor_height"), (x.rank - 1, "scale_factor_width")):
        factor, size = operation.constant(name, 1), x.shape[axis]
        if size is not None:
            count = emitter.constant(math.floor(np.float32(factor) * np.float32(size)), np.int64)
        else:
            count = (size_of(emitter, x, axis) * float(factor)).floor().whole()
        found.append((axis, count))
    return found


def _resize_nearest(emitter: Emitter, operation: Operation) -> str:
    x = operation["x"]
    image = x.tensor
    for axis, count in _targets(emitter, operation):
        image = _nearest(emitter, x, image, axis, count)
    return image


def _resize_bilinear(emitter: Emitter, operation: Operation) -> str:
    x, mode = operation["x"], operation.constant("sampling_mode", "DEFAULT")
    image = x.tensor
    for axis, count in _targets(emitter, operation):
        image = _interpolate(emitter, x, image, axis, points(mode, size_of(emitter, x, axis), count))
    return image


def _targets(emitter: Emitter, operation: Operation) -> list[tuple[int, str]]:
    rank = operation["x"].rank
    names = ((rank - 2, "target_size_height"), (rank - 1, "target_size_width"))
    return [(axis, emitter.constant(int(operation.constant(name, 1)), np.int64)) for axis, name in names]


def _resize(emitter: Emitter, operation: Operation) -> str:
    """The last axes take the last sizes; 0 is the size that the axis has."""
    x, mode = operation["x"], operation.constant("sampling_mode", "DEFAULT")
    is_linear = operation.constant("interpolation_mode", "LINEAR") == "LINEAR"
    if is_linear and not x.is_float:
        raise Untranslatable("resize of integers between pixels, whose rounding is not documented,")
    image = x.tensor
    for axis, count in _asked(emitter, operation):
        if is_linear:
            image = _interpolate(emitter, x, image, axis, points(mode, size_of(emitter, x, axis), count))
        elif mode == "DEFAULT":
            image = _nearest(emitter, x, image, axis, count)
        else:
            point = points(mode, size_of(emitter, x, axis), count)
            image = _read(emitter, image, axis, (point + 0.5).floor().whole())
    return image


def _asked(emitter: Emitter, operation: Operation) -> list[tuple[int, str]]:
    x, shape, resized = operation["x"], operation["shape"], int(operation.constant("resized_dims"))
    found = []
    for back in range(resized, 0, -1):
        own = dimension(emitter, x, x.rank - back)
        asked = emitter.node("Gather", [shape, emitter.constant(-back, np.int64)])
        inherits = emitter.node("Equal", [asked, emitter.constant(0, np.int64)])
        found.append((x.rank - back, emitter.node("Where", [inherits, own, asked])))
    return found


def _nearest(emitter: Emitter, x: Operand, image: str, axis: int, count: str) -> str:
    """Pixel floor((i + 0.5) * size / count): resize_nearest_neighbor is TensorFlow's with half pixels, and iOS17's
    resize, which names itself its superset, is the same in its default mode: 2 pixels become 3 as a, b, b on Core ML
    (coremltools' own test of it)."""
    place = (counted(emitter, count) + 0.5) * size_of(emitter, x, axis) / exact(emitter, count)
    return _read(emitter, image, axis, _inside(emitter, x, axis, place.floor()))


def _inside(emitter: Emitter, x: Operand, axis: int, place: Exact) -> str:
    return place.at_most(size_of(emitter, x, axis) - 1.0).whole()


def _read(emitter: Emitter, image: str, axis: int, places: str) -> str:
    return emitter.node("Gather", [image, places], axis=axis)


def _interpolate(emitter: Emitter, x: Operand, image: str, axis: int, point: Exact) -> str:
    """Along one axis of an image, which had the size of x there. In float64: thirds of float16 pixels often lie halfway
    between two float16 numbers, and float32 would round many of those the other way."""
    before = point.floor()
    pixels = exact(emitter, image)
    left = Exact(emitter, _read(emitter, pixels.tensor, axis, before.whole()))
    right = Exact(emitter, _read(emitter, pixels.tensor, axis, _inside(emitter, x, axis, before + 1.0)))
    share = (point - before).reshaped([-1] + [1] * (x.rank - 1 - axis))
    return (left * (exact(emitter, 1.0) - share) + right * share).real()


TRANSLATIONS: dict[str, Translate] = {
    "upsample_nearest_neighbor": _upsample_nearest,
    "upsample_bilinear": _upsample_bilinear,
    "resize_nearest_neighbor": _resize_nearest,
    "resize_bilinear": _resize_bilinear,
    "resize": _resize,
}
