"""Operations that resize, against the formulas of coremltools' documentation of resize_bilinear, point by point."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.resizing import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, normal, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17
RANDOM = np.random.default_rng(4)
SIZES = ((5, 7), (10, 21), (3, 4), (13, 5), (1, 1), (2, 30))
MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS")

Points = Callable[[int, int], list[float]]


def grid(mode: str) -> Points:
    """Points of one axis, of size pixels for count."""

    def expect(size: int, count: int) -> list[float]:
        if mode == "ALIGN_CORNERS" and count == 1:
            return [(size - 1) / 2]
        found = []
        for i in range(count):
            if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
                at = i * (size - 1) / (count - 1) if count > 1 else 0.0
            elif mode == "DEFAULT":
                at = i * (size - size / count) / (count - 1) if count > 1 else 0.0
            elif mode == "OFFSET_CORNERS":
                at = 0.5 * max(1, size - 1) / count + i * max(1, size - 1) / count
            else:
                at = i * size / count + 0.5 * size / count - 0.5
            found.append(min(size - 1, max(0, at)))
        return found

    return expect


def interpolated(points: Points, counts: dict[int, int]) -> Callable[..., Array]:
    """counts: pixels by axis."""

    def expect(x: Array, **_: Array) -> Array:
        for axis, count in counts.items():
            lines = []
            for at in points(x.shape[axis], count):
                before, after = int(np.floor(at)), min(int(np.floor(at)) + 1, x.shape[axis] - 1)
                lines.append(x.take(before, axis) * (1 - (at - before)) + x.take(after, axis) * (at - before))
            x = np.stack(lines, axis)
        return x

    return expect


def nearest(counts: dict[int, int], offset: float) -> Callable[..., Array]:
    def expect(x: Array, **_: Array) -> Array:
        for axis, count in counts.items():
            size = x.shape[axis]
            x = x.take([min(int((i + offset) * size // count), size - 1) for i in range(count)], axis)
        return x

    return expect


def resizes(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 2, 3, 5, 7, real=real)
    for height, width in SIZES:
        target, counts = {"target_size_height": height, "target_size_width": width}, {2: height, 3: width}
        yield case("resize_nearest_neighbor", nearest(counts, 0.5), IOS15, target, x=x)
        for mode in MODES:
            given = {**target, "sampling_mode": mode}
            yield case("resize_bilinear", interpolated(grid(mode), counts), IOS15, given, x=x)
    low = normal(RANDOM, 3, 4, 6, real=real)
    defaults = {"target_size_height": 8, "target_size_width": 9}
    yield case("resize_bilinear", interpolated(grid("DEFAULT"), {1: 8, 2: 9}), IOS15, defaults, x=low)


def upsamples(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 2, 3, 5, 7, real=real)
    scales: tuple[tuple[Any, Any], ...] = ((2, 3), (np.float32(2.5), np.float32(1)), (np.float32(0.6), np.float32(1.5)))
    for factors in scales:
        height, width = (int(np.floor(size * factor)) for size, factor in zip((5, 7), factors, strict=True))
        scale, counts = (
            dict(zip(("scale_factor_height", "scale_factor_width"), factors, strict=True)),
            {2: height, 3: width},
        )
        yield case("upsample_nearest_neighbor", nearest(counts, 0.0), IOS15, scale, x=x)
        for aligned, mode in ((True, "STRICT_ALIGN_CORNERS"), (False, "UNALIGN_CORNERS")):
            given = {**scale, "align_corners": aligned}
            yield case("upsample_bilinear", interpolated(grid(mode), counts), IOS15, given, x=x)
        given = {**scale, "align_corners": False, "half_pixel_centers": False}
        yield case("upsample_bilinear", interpolated(grid("DEFAULT"), counts), IOS16, given, x=x)


def on_pixels(real: Real) -> Iterator[Case]:
    """Sizes for which i * (size / count) falls short of the pixel that i * size / count is."""
    target = {"target_size_height": 49, "target_size_width": 33}
    yield case("resize_nearest_neighbor", nearest({1: 49, 2: 33}, 0.5), IOS15, target, x=counted(1, 4, 18, real=real))
    scale = {"scale_factor_height": np.float32(1.5), "scale_factor_width": np.float32(22.5 / 30)}
    x = counted(1, 4, 30, real=real)
    yield case("upsample_nearest_neighbor", nearest({1: 6, 2: 22}, 0.0), IOS15, scale, x=x)


def resizes_of_ios17(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 2, 3, 5, 7, real=real)
    for mode in MODES:
        given = {"resized_dims": np.uint32(2), "sampling_mode": mode}
        expect = interpolated(grid(mode), {2: 8, 3: 9})
        yield case("resize", expect, IOS17, {"shape": [1, 8, 9], **given}, x=x)
        yield case("resize", expect, IOS17, given, x=x, shape=whole(8, 9))
        inherited = interpolated(grid(mode), {2: 5, 3: 9})
        yield case("resize", inherited, IOS17, given, x=x, shape=whole(0, 0, 9))
    given = {"resized_dims": np.uint32(2), "interpolation_mode": "NEAREST_NEIGHBOR"}
    yield case("resize", nearest({2: 8, 3: 3}, 0.5), IOS17, {"shape": [8, 3], **given}, x=x)
    yield case("resize", nearest({2: 8, 3: 3}, 0.5), IOS17, given, x=x, shape=whole(8, 3))
    unaligned = {**given, "sampling_mode": "UNALIGN_CORNERS"}
    yield case("resize", nearest({2: 10, 3: 21}, 0.5), IOS17, {"shape": [10, 21], **unaligned}, x=x)
    given = {"resized_dims": np.uint32(3), "shape": [4, 6, 8], "sampling_mode": "UNALIGN_CORNERS"}
    yield case("resize", interpolated(grid("UNALIGN_CORNERS"), {1: 4, 2: 6, 3: 8}), IOS17, given, x=x)


CASES = [*sweep(resizes), *sweep(upsamples), *sweep(on_pixels), *sweep(resizes_of_ios17)]


def test_integers_are_not_resized_between_pixels(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = {"shape": [4, 4], "resized_dims": np.uint32(2)}
    asked = case("resize", lambda x: x, IOS17, given, x=counted(1, 2, 2).astype(np.int32))
    with pytest.raises(ReferenceUnable, match="resize of integers between pixels"):
        measure([asked], tmp_path_factory.mktemp("programs"))


def test_corners_and_centres_at_once_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = {"scale_factor_height": 2, "align_corners": True, "half_pixel_centers": True}
    with pytest.raises(ReferenceUnable, match="both align_corners and half_pixel_centers"):
        measure(
            [case("upsample_bilinear", lambda x: x, IOS16, given, x=counted(1, 2, 2))], tmp_path_factory.mktemp("p")
        )


# Values of coremltools' own tests of these operations, which run on Macs.
KNOWN: dict[str, tuple[list[float], dict[str, Any], list[float], Target]] = {
    "upsample_nearest_neighbor": ([1.5, -2.5, 3.5], {"scale_factor_width": np.float32(0.67)}, [1.5, -2.5], IOS15),
    "upsample_bilinear": (
        [1, 2],
        {"scale_factor_width": 3, "align_corners": False, "half_pixel_centers": False},
        [1, 4 / 3, 5 / 3, 2, 2, 2],
        IOS16,
    ),
    "resize_bilinear": (
        [0, 1],
        {"target_size_width": 5, "sampling_mode": "UNALIGN_CORNERS"},
        [0, 0.1, 0.5, 0.9, 1],
        IOS15,
    ),
    "resize": (
        [-6.174, 9.371],
        {"shape": [1, 3], "resized_dims": np.uint32(2), "interpolation_mode": "NEAREST_NEIGHBOR"},
        [-6.174, 9.371, 9.371],
        IOS17,
    ),
}


def test_results_are_those_of_core_ml(tmp_path_factory: pytest.TempPathFactory) -> None:
    cases = []
    for op, (pixels, given, expected, target) in KNOWN.items():
        x, becomes = np.array(pixels, np.float32).reshape(1, 1, -1), np.reshape(expected, (1, 1, -1))
        if op == "upsample_nearest_neighbor":
            given = {"scale_factor_height": np.float32(1), **given}
        cases.append(case(op, lambda x, b=becomes: b.astype(np.float32) * np.ones_like(x[..., :1]), target, given, x=x))
    found = measure(cases, tmp_path_factory.mktemp("programs"))
    assert [misses(found, op) for op in KNOWN] == [[] for _ in KNOWN]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
