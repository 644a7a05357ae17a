"""Operations that read images at points between pixels, which data or a transform name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate, Untranslatable
from harness.fidelity.mil.operators.grids import Exact, counted, exact, points, size_of
from harness.fidelity.mil.operators.shapes import dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Where to read: which image, int64, and the pixel's coordinates; all broadcast to (n, height, width)."""

    image: str
    down: Exact
    across: Exact


def _resample(emitter: Emitter, operation: Operation) -> str:
    x, padding = operation["x"], operation.constant("padding_mode")
    down, across = (
        _padded(padding, _pixels(operation, place, size), size)
        for place, size in (
            (_coordinate(emitter, operation["coordinates"], 1), size_of(emitter, x, 2)),
            (_coordinate(emitter, operation["coordinates"], 0), size_of(emitter, x, 3)),
        )
    )
    at = _Points(image=_every_image(emitter, x), down=down, across=across)
    outside = float(operation.constant("padding_value")) if padding == "constant" else None
    if operation.constant("sampling_mode") == "nearest":
        at = _Points(image=at.image, down=down.unary("Round"), across=across.unary("Round"))
        return _channels_second(emitter, _pixel(emitter, x, at, outside))
    return _channels_second(emitter, _blend(emitter, at, lambda corner: _pixel(emitter, x, corner, outside)))


def _coordinate(emitter: Emitter, coordinates: Operand, which: int) -> Exact:
    index = emitter.constant(which, np.int64)
    return exact(emitter, emitter.node("Gather", [coordinates, index], axis=-1))


def _pixels(operation: Operation, place: Exact, size: Exact) -> Exact:
    """Normalized coordinates span pixel centres with align_corners, else the pixels' outer edges."""
    mode = operation.constant("coordinates_mode")
    if mode == "unnormalized":
        return place
    if mode == "normalized_minus_one_to_one":
        place = (place + 1.0) * 0.5
    elif mode != "normalized_zero_to_one":
        raise Untranslatable(f"{operation.type} with coordinates_mode {mode}")
    return place * (size - 1.0) if operation.constant("align_corners") else place * size - 0.5


def _padded(mode: str, place: Exact, size: Exact) -> Exact:
    """A place inside the image that stands for one outside; for a constant, the place itself."""
    if mode == "constant":
        return place
    if mode == "reflection":
        place = _mirror(place, (size - 1.0) * 2.0)
    elif mode == "symmetric":
        place = _mirror(place + 0.5, size * 2.0) - 0.5
    elif mode != "border":
        raise Untranslatable(f"resample with padding_mode {mode}")
    return place.at_least(0.0).at_most(size - 1.0)


def _mirror(place: Exact, period: Exact) -> Exact:
    """Between 0 and half a period, as between two mirrors; an axis of one pixel has no period."""
    safe = period.at_least(1.0)
    left = place - (place / safe).floor() * safe
    return left.at_most(safe - left)


def _affine(emitter: Emitter, operation: Operation) -> str:
    """Coordinates of the output go from -1 to 1 over pixel centres, through the matrix, to those of the input."""
    x, outputs = operation["x"], [int(operation.constant(f"output_{side}")) for side in ("height", "width")]
    if min(outputs) < 2:
        raise Untranslatable("affine to a height or width of one pixel, which has no coordinate,")
    if not operation.constant("align_corners"):
        raise Untranslatable("affine without align_corners")
    y, across = (exact(emitter, np.linspace(-1.0, 1.0, count).tolist()) for count in outputs)
    y, across = y.reshaped([1, -1, 1]), across.reshaped([1, 1, -1])
    rows = []
    for first, size in ((0, size_of(emitter, x, 3)), (3, size_of(emitter, x, 2))):
        a, b, c = (_entry(emitter, operation["transform_matrix"], first + step) for step in range(3))
        rows.append(_pixels(operation, a * across + b * y + c, size))
    at = _Points(image=_every_image(emitter, x), down=rows[1], across=rows[0])
    outside = float(operation.constant("padding_value"))
    return _channels_second(emitter, _blend(emitter, at, lambda corner: _pixel(emitter, x, corner, outside)))


def _entry(emitter: Emitter, matrix: Operand, which: int) -> Exact:
    column = emitter.node("Gather", [matrix, emitter.constant(which, np.int64)], axis=1)
    return exact(emitter, column).reshaped([-1, 1, 1])


def _crop_resize(emitter: Emitter, operation: Operation) -> str:
    """A point outside the image is the pad value, not blended. Before iOS17 boxes come in roi, with an image's index
    or for all images."""
    x = operation["x"]
    if "boxes" in operation.inputs:
        return _crops(emitter, operation, exact(emitter, operation["boxes"]).tensor, _box_images(emitter, operation))
    roi = operation["roi"]
    flat = emitter.node("Reshape", [exact(emitter, roi).tensor, emitter.integers([-1, roi.shape[2] or 4])])
    counts = [emitter.integers([size or -1]) for size in (roi.shape[0], x.shape[0])]
    if roi.shape[2] == 5:
        image = emitter.cast(emitter.node("Gather", [flat, emitter.constant(0, np.int64)], axis=1), "int64")
        boxes = emitter.node("Gather", [flat, emitter.integers([1, 2, 3, 4])], axis=1)
        return emitter.node("Unsqueeze", [_crops(emitter, operation, boxes, image), emitter.integers([1])])
    if roi.shape[0] is None or x.shape[0] is None:
        raise Untranslatable("crop_resize of boxes for every image where their numbers are not known")
    each = np.repeat(np.arange(roi.shape[0]), x.shape[0])
    boxes = emitter.node("Gather", [flat, emitter.integers(each.tolist())], axis=0)
    image = emitter.integers(np.tile(np.arange(x.shape[0]), roi.shape[0]).tolist())
    crops = _crops(emitter, operation, boxes, image)
    rest = emitter.node("Shape", [crops], start=1)
    return emitter.node("Reshape", [crops, emitter.node("Concat", [*counts, rest], axis=0)])


def _box_images(emitter: Emitter, operation: Operation) -> str:
    given = operation.optional("box_indices")
    return counted(emitter, dimension(emitter, operation["boxes"], 0)).whole() if given is None else given.tensor


_BOXES = {
    "CORNERS_HEIGHT_FIRST": (0, 1),
    "CORNERS_WIDTH_FIRST": (1, 0),
    "CENTER_SIZE_HEIGHT_FIRST": (0, 1),
    "CENTER_SIZE_WIDTH_FIRST": (1, 0),
}


def _crops(emitter: Emitter, operation: Operation, boxes: str, image: str) -> str:
    """boxes (n, 4) float64, image (n,) -> (n, channels, height, width)."""
    x, mode = operation["x"], operation.constant("box_coordinate_mode", "CORNERS_HEIGHT_FIRST")
    height, width = (
        _along(emitter, operation, boxes, first, side)
        for first, side in zip(_BOXES[mode], ("height", "width"), strict=True)
    )
    image = emitter.node("Reshape", [image, emitter.integers([-1, 1, 1])])
    at = _Points(image=image, down=_column(height), across=_row(width))
    value = float(operation.constant("pad_value", 0.0))
    found = _blend(emitter, at, lambda corner: _pixel(emitter, x, corner, None))
    inside = emitter.node("And", [_within(emitter, x, at.down, 2), _within(emitter, x, at.across, 3)])
    inside = emitter.node("Unsqueeze", [inside, emitter.integers([-1])])
    return _channels_second(emitter, emitter.node("Where", [inside, found, emitter.real(value)]))


def _along(emitter: Emitter, operation: Operation, boxes: str, first: int, side: str) -> Exact:
    """Points (n, count) along one side of every box, in pixels of the image: a box from pixel a to b is sampled as an
    image of b - a + 1 pixels."""
    mode = operation.constant("box_coordinate_mode", "CORNERS_HEIGHT_FIRST")
    one, two = (
        Exact(emitter, emitter.node("Gather", [boxes, emitter.integers([which])], axis=1))
        for which in (first, first + 2)
    )
    if mode.startswith("CENTER"):
        one, two = one - two * 0.5, one + two * 0.5
    scale = exact(emitter, float(operation.constant("spatial_scale", 1.0)))
    if operation.constant("normalized_coordinates", False):
        scale = scale * (size_of(emitter, operation["x"], {"height": 2, "width": 3}[side]) - 1.0)
    start, end = one * scale, two * scale
    count = emitter.constant(int(operation.constant(f"target_{side}", 1)), np.int64)
    sampling = operation.constant("sampling_mode", "DEFAULT")
    backwards = end.compare("Less", start)
    length = (start - end).where(backwards, end - start)
    steps = points(sampling, length + 1.0, count)
    return (start - steps).where(backwards, start + steps)


def _within(emitter: Emitter, x: Operand, place: Exact, axis: int) -> str:
    last = size_of(emitter, x, axis) - 1.0
    return emitter.node("And", [place.compare("GreaterOrEqual", 0.0), place.compare("LessOrEqual", last)])


def _column(place: Exact) -> Exact:
    return Exact(place.emitter, place.emitter.node("Unsqueeze", [place.tensor, place.emitter.integers([2])]))


def _row(place: Exact) -> Exact:
    return Exact(place.emitter, place.emitter.node("Unsqueeze", [place.tensor, place.emitter.integers([1])]))


def _every_image(emitter: Emitter, x: Operand) -> str:
    """(batch, 1, 1): each image reads itself."""
    return counted(emitter, dimension(emitter, x, 0)).reshaped([-1, 1, 1]).whole()


def _blend(emitter: Emitter, at: _Points, pixel: Callable[[_Points], str]) -> str:
    """Bilinear: the four pixels around every point, each by its share of the area. (n, height, width, channels)."""
    total = ""
    top, left = at.down.floor(), at.across.floor()
    low, near = at.down - top, at.across - left
    whole = exact(emitter, 1.0)
    for down, part in ((top, whole - low), (top + 1.0, low)):
        for across, share in ((left, whole - near), (left + 1.0, near)):
            weight = emitter.node("Unsqueeze", [(part * share).real(), emitter.integers([-1])])
            value = emitter.node("Mul", [pixel(_Points(image=at.image, down=down, across=across)), weight])
            total = emitter.node("Add", [total, value]) if total else value
    return total


def _pixel(emitter: Emitter, x: Operand, at: _Points, outside: float | None) -> str:
    """Pixels at whole coordinates, (n, height, width, channels); outside is their value beyond the image, or None
    where the nearest edge stands for them."""
    height, width = (dimension(emitter, x, axis) for axis in (2, 3))
    down, across = (
        place.at_least(0.0).at_most(size_of(emitter, x, axis) - 1.0).whole()
        for place, axis in ((at.down, 2), (at.across, 3))
    )
    row = emitter.node("Add", [emitter.node("Mul", [at.image, height]), down])
    number = emitter.node("Add", [emitter.node("Mul", [row, width]), across])
    by_pixel = emitter.node("Transpose", [x], perm=[0, 2, 3, 1])
    channels = emitter.node("Shape", [x], start=1, end=2)
    flat = emitter.node("Reshape", [by_pixel, emitter.node("Concat", [emitter.integers([-1]), channels], axis=0)])
    value = emitter.node("Gather", [flat, number], axis=0)
    if outside is None:
        return value
    inside = emitter.node("And", [_within(emitter, x, at.down, 2), _within(emitter, x, at.across, 3)])
    inside = emitter.node("Unsqueeze", [inside, emitter.integers([-1])])
    return emitter.node("Where", [inside, value, emitter.real(outside)])


def _channels_second(emitter: Emitter, pixels: str) -> str:
    return emitter.node("Transpose", [pixels], perm=[0, 3, 1, 2])


TRANSLATIONS: dict[str, Translate] = {"resample": _resample, "affine": _affine, "crop_resize": _crop_resize}
