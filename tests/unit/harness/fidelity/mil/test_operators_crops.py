"""crop_resize, against loops over points."""

from collections.abc import Iterator

import numpy as np
import pytest

from harness.core.target import Target
from tests.support.mil_cases import Real, case, normal, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, sweep
from tests.unit.harness.fidelity.mil.test_operators_sampling import MODES, SHAPE, between

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17
RANDOM = np.random.default_rng(4)


def span(start: float, end: float, count: int, mode: str) -> list[float]:
    """Points from start to end of a box: those of resize_bilinear for an image of its size."""
    extent, sign = abs(end - start), 1 if end >= start else -1
    found = []
    for i in range(count):
        if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
            at = i * extent / (count - 1) if count > 1 else 0.0
            if mode == "ALIGN_CORNERS" and count == 1:
                at = extent / 2
        elif mode == "DEFAULT":
            at = i * (extent + 1) / count
        elif mode == "OFFSET_CORNERS":
            at = (0.5 + i) * max(1, extent) / count
        else:
            at = (i + 0.5) * (extent + 1) / count - 0.5
        found.append(start + sign * min(extent, max(0, at)))
    return found


def corners(box: Array, order: str, scale: tuple[float, float]) -> tuple[float, float, float, float]:
    """h_start, h_end, w_start, w_end."""
    if order.startswith("CENTER"):
        box = np.array([box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2])
    h, w = (0, 1) if order.endswith("HEIGHT_FIRST") else (1, 0)
    return box[h] * scale[0], box[h + 2] * scale[0], box[w] * scale[1], box[w + 2] * scale[1]


def crop(
    image: Array, box: Array, order: str, mode: str, counts: tuple[int, int], scale: tuple[float, float], value: float
) -> Array:
    top, bottom, left, right = corners(box, order, scale)
    result = np.full((len(image), *counts), float(value))
    for i, y in enumerate(span(top, bottom, counts[0], mode)):
        for j, x in enumerate(span(left, right, counts[1], mode)):
            if 0 <= y <= image.shape[1] - 1 and 0 <= x <= image.shape[2] - 1:
                result[:, i, j] = between(image, y, x, "border", 0.0)
    return result


BOXES = np.array([[1, 1, 2.5, 3], [0.5, 0.25, 4, 6], [3, 5, 1, 2], [2, 2, 6, 9], [1.5, 2, 1.5, 2]], np.float32)


def crops(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, *SHAPE, real=real)
    images = whole(0, 1, 1, 0, 1)
    orders = ("CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST")
    variants = [(mode, orders[0], (3, 4)) for mode in MODES] + [
        ("ALIGN_CORNERS", order, (2, 5)) for order in orders[1:]
    ]
    variants += [(mode, orders[0], (1, 1)) for mode in MODES]
    value = real(7)
    for mode, order, counts in variants:
        given = {
            "target_height": counts[0],
            "target_width": counts[1],
            "sampling_mode": mode,
            "box_coordinate_mode": order,
        }

        def every(
            x: Array, boxes: Array, box_indices: Array, m: str = mode, o: str = order, c: tuple[int, int] = counts
        ) -> Array:
            return np.stack([crop(x[at], box, o, m, c, (1, 1), 7) for box, at in zip(boxes, box_indices, strict=True)])

        newer = {**given, "pad_value": value}
        yield case("crop_resize", every, IOS17, newer, x=x, boxes=BOXES.astype(real), box_indices=images)

        def of_roi(x: Array, roi: Array, m: str = mode, o: str = order, c: tuple[int, int] = counts) -> Array:
            rows = roi.reshape(-1, 5)
            return np.stack([crop(x[int(row[0])], row[1:], o, m, c, (1, 1), 7) for row in rows])[:, None]

        roi = np.concatenate([np.zeros((5, 1)), BOXES], 1).reshape(5, 1, 5, 1, 1).astype(real)
        yield case("crop_resize", of_roi, IOS16, newer, x=x[:1], roi=roi)

        def of_all(x: Array, roi: Array, m: str = mode, o: str = order, c: tuple[int, int] = counts) -> Array:
            return np.stack([[crop(image, row, o, m, c, (1, 1), 0) for image in x] for row in roi.reshape(-1, 4)])

        inside = BOXES[:3].reshape(3, 1, 4, 1, 1).astype(real)
        yield case("crop_resize", of_all, IOS15, given, x=x, roi=inside)


def scaled_crops(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, *SHAPE, real=real)
    given = {"target_height": 3, "target_width": 3, "sampling_mode": "OFFSET_CORNERS", "pad_value": real(0)}

    def scaled(x: Array, boxes: Array) -> Array:
        return np.stack(
            [
                crop(x[at], box, "CORNERS_HEIGHT_FIRST", "OFFSET_CORNERS", (3, 3), (0.5, 0.5), 0)
                for at, box in enumerate(boxes)
            ]
        )

    boxes = np.array([[2, 4, 7, 9], [1, 1, 8, 3]]).astype(real)
    yield case("crop_resize", scaled, IOS17, {**given, "spatial_scale": np.float32(0.5)}, x=x, boxes=boxes)

    def normalized(x: Array, boxes: Array) -> Array:
        return np.stack(
            [
                crop(x[at], box, "CORNERS_HEIGHT_FIRST", "OFFSET_CORNERS", (3, 3), (4, 6), 0)
                for at, box in enumerate(boxes)
            ]
        )

    boxes = np.array([[0.25, 0.5, 0.75, 1], [0, 0.125, 0.5, 0.25]]).astype(real)
    yield case("crop_resize", normalized, IOS17, {**given, "normalized_coordinates": True}, x=x, boxes=boxes)


CASES = [*sweep(crops), *sweep(scaled_crops)]


def test_oracle_of_crop_resize_has_what_core_ml_gave() -> None:
    """Values of coremltools' own test, which runs on Macs: points outside are the pad value, not blended with it."""
    x = np.arange(1.0, 17).reshape(1, 4, 4)
    boxes = np.array([[0.1, 0.3, 1.3, 1], [0.5, 1.8, 1, 0.3], [0, 0.4, 0.6, 0.7]])
    found = [crop(x, box, "CORNERS_HEIGHT_FIRST", "ALIGN_CORNERS", (2, 2), (3, 3), 10) for box in boxes]
    assert np.reshape(found, -1) == pytest.approx([3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


def test_crops_are_what_float64_gives(results: tuple[Result, ...]) -> None:
    assert misses(results, "crop_resize") == []
