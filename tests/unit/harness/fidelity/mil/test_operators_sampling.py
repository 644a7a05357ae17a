"""Operations that read images between pixels, against loops over points."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.sampling import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, normal, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17
RANDOM = np.random.default_rng(4)
SHAPE = (2, 3, 5, 7)
MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS")


def mirror(index: int, size: int, *, edge: bool) -> int:
    """The pixel that stands for one outside; edge: the edge itself is reflected too."""
    if size == 1:
        return 0
    line = [*range(size), *range(size - 1, -1, -1)] if edge else [*range(size), *range(size - 2, 0, -1)]
    return int(line[index % len(line)])


def pixel(image: Array, y: int, x: int, padding: str, value: float) -> Array:
    """All channels at one pixel, which may be outside."""
    height, width = image.shape[1:]
    if padding == "constant":
        inside = 0 <= y < height and 0 <= x < width
        return image[:, y, x] if inside else np.full(len(image), value)
    if padding == "border":
        return image[:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
    edge = padding == "symmetric"
    return image[:, mirror(y, height, edge=edge), mirror(x, width, edge=edge)]


def between(image: Array, y: float, x: float, padding: str, value: float) -> Array:
    top, left = int(np.floor(y)), int(np.floor(x))
    total = np.zeros(len(image))
    for down, across in itertools.product((0, 1), (0, 1)):
        share = (1 - abs(y - (top + down))) * (1 - abs(x - (left + across)))
        if share:
            total = total + share * pixel(image, top + down, left + across, padding, value)
    return total


def in_pixels(place: float, size: int, mode: str, aligned: bool) -> float:
    if mode == "unnormalized":
        return place
    share = (place + 1) / 2 if mode == "normalized_minus_one_to_one" else place
    return share * (size - 1) if aligned else share * size - 0.5


def resampled(sampling: str, padding: str, value: float, mode: str, aligned: bool) -> Callable[..., Array]:
    def expect(x: Array, coordinates: Array) -> Array:
        n, height, width = coordinates.shape[:3]
        result = np.zeros((n, x.shape[1], height, width))
        for b, i, j in np.ndindex(n, height, width):
            across, down = (
                in_pixels(p, s, mode, aligned) for p, s in zip(coordinates[b, i, j], x.shape[:1:-1], strict=True)
            )
            if sampling == "nearest":
                result[b, :, i, j] = pixel(x[b], round(down), round(across), padding, value)
            else:
                result[b, :, i, j] = between(x[b], down, across, padding, value)
        return result

    return expect


COORDINATES = {
    "unnormalized": (-4.3, 9.6),
    "normalized_minus_one_to_one": (-1.7, 1.6),
    "normalized_zero_to_one": (-0.6, 1.7),
}


def resamples(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, *SHAPE, real=real)
    paddings = ("constant", "border", "reflection", "symmetric")
    for sampling, padding in itertools.product(("bilinear", "nearest"), paddings):
        for mode, aligned in itertools.product(COORDINATES, (True, False)):
            coordinates = RANDOM.uniform(*COORDINATES[mode], (2, 4, 6, 2)).astype(np.float32)
            value = real(-1.5)
            given = {
                "sampling_mode": sampling,
                "padding_mode": padding,
                "padding_value": value,
                "coordinates_mode": mode,
                "align_corners": aligned,
            }
            expect = resampled(sampling, padding, value.item(), mode, aligned)
            yield case("resample", expect, IOS15, given, x=x, coordinates=coordinates)


def whole_coordinates() -> Iterator[Case]:
    given = {
        "sampling_mode": "bilinear",
        "padding_mode": "constant",
        "padding_value": np.float32(6),
        "coordinates_mode": "unnormalized",
        "align_corners": True,
    }
    places, expect = (
        whole([0, 0], [6, 4], [7, 2], [3, -1]).reshape(1, 2, 2, 2),
        resampled("bilinear", "constant", 6, "unnormalized", True),
    )
    for kind, target in ((np.int32, IOS15), (np.int8, IOS17), (np.int16, IOS17)):
        yield case("resample", expect, target, given, x=counted(1, 2, 5, 7), coordinates=places.astype(kind))


def transformed(height: int, width: int) -> Callable[..., Array]:
    def expect(x: Array, transform_matrix: Array) -> Array:
        matrices = np.broadcast_to(transform_matrix, (len(x), 6))
        result = np.zeros((*x.shape[:2], height, width))
        for b, i, j in np.ndindex(len(x), height, width):
            at = np.array([-1 + 2 * j / (width - 1), -1 + 2 * i / (height - 1), 1])
            across, down = (
                in_pixels(row @ at, size, "normalized_minus_one_to_one", True)
                for row, size in zip(matrices[b].reshape(2, 3), x.shape[:1:-1], strict=True)
            )
            result[b, :, i, j] = between(x[b], down, across, "constant", 0.0)
        return result

    return expect


def affine(height: int, width: int, real: Real) -> dict[str, Any]:
    return {
        "output_height": height,
        "output_width": width,
        "sampling_mode": "bilinear",
        "padding_mode": "constant",
        "padding_value": real(0),
        "coordinates_mode": "normalized_minus_one_to_one",
        "align_corners": True,
    }


def transforms(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, *SHAPE, real=real)
    for height, width, matrices in ((4, 6, 2), (9, 3, 1)):
        matrix = RANDOM.uniform(-1, 1, (matrices, 6)).astype(real)
        yield case(
            "affine", transformed(height, width), IOS15, affine(height, width, real), x=x, transform_matrix=matrix
        )


CASES = [*sweep(resamples), *whole_coordinates(), *sweep(transforms)]


def test_coordinate_of_an_only_pixel_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    tensors = {"x": counted(1, 1, 2, 2), "transform_matrix": np.ones((1, 6), np.float32)}
    with pytest.raises(ReferenceUnable, match="affine to a height or width of one pixel"):
        measure(
            [case("affine", lambda **_: 0, IOS15, affine(1, 3, np.float32), **tensors)], tmp_path_factory.mktemp("p")
        )


def test_oracle_of_affine_has_what_core_ml_gave() -> None:
    """Values of coremltools' own test, which runs on Macs."""
    x, matrix = np.array([11.0, 22, 33, 44]).reshape(1, 1, 2, 2), np.array([[-1, -2, -3.7, -1, 3.5, 1.2]])
    expected = [10.7525, 2.5025, 0, 1.98, 0, 0, 0, 0, 0]
    assert transformed(3, 3)(x, matrix).reshape(-1) == pytest.approx(expected)


RESAMPLED: tuple[tuple[tuple[str, str, float, str, bool], list[float]], ...] = (
    (("bilinear", "constant", 6.17, "normalized_minus_one_to_one", True), [8.585, 6.17, 27.5, 6.17]),
    (("nearest", "border", -1, "unnormalized", False), [11, 11, 11, 44]),
    (("bilinear", "reflection", -1, "normalized_zero_to_one", True), [22, 36.3, 11, 34.1]),
)


@pytest.mark.parametrize(("form", "expected"), RESAMPLED)
def test_oracle_of_resample_has_what_core_ml_gave(
    form: tuple[str, str, float, str, bool], expected: list[float]
) -> None:
    """Values of coremltools' own test, which runs on Macs."""
    x = np.array([11.0, 22, 33, 44]).reshape(1, 1, 2, 2)
    places = np.array([-1.0, -2, -3.7, -1, 0, 0, 3.5, 1.2]).reshape(1, 2, 2, 2)
    assert resampled(*form)(x, places).reshape(-1) == pytest.approx(expected)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == {"crop_resize"}  # of test_operators_crops.py
