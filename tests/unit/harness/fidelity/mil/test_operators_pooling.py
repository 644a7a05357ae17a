"""Pooling, against sums over its windows at float64."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.pooling import TRANSLATIONS
from tests.support.mil_oracle import Array, Case, Result, call, core_operators, measure, misses, operators, sweep
from tests.support.mil_windows import pads_of, pool

pytestmark = pytest.mark.thorough

RANDOM = np.random.default_rng(9)
Real = type[np.generic]
FORMS: tuple[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 8, 31, 30), (3, 3), (1, 1)),
    ((1, 2, 8, 9), (2, 3), (2, 2)),
    ((1, 3, 10, 7), (4, 2), (3, 1)),
    ((2, 3, 11), (3,), (2,)),
    ((1, 2, 6, 7, 5), (2, 3, 2), (1, 2, 2)),
)
"""Shape, kernel, strides."""
KINDS = {"max_pool": "max", "avg_pool": "average", "l2_pool": "l2"}


def pooling(
    op: str,
    x: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    pad_type: str,
    *,
    pad: Sequence[int] = (),
    ceil_mode: bool = False,
    exclude: bool = False,
) -> Case:
    pads = pads_of(pad_type, x.shape[2:], kernel, strides, pad)
    counts = [
        count(size, before + after, window, stride, ceil_mode)
        for size, (before, after), window, stride in zip(x.shape[2:], pads, kernel, strides, strict=True)
    ]
    kind = "average_inside" if exclude else KINDS[op]
    given: dict[str, Any] = {"kernel_sizes": kernel, "strides": strides, "pad_type": pad_type, "ceil_mode": ceil_mode}
    given |= {"pad": pad} if pad_type == "custom" else {}
    given |= {"exclude_padding_from_average": exclude} if op == "avg_pool" else {}

    def expect(x: Array) -> Array:
        return pool(kind, x, kernel=kernel, strides=strides, pads=pads, counts=counts)

    return call(op, {"x": x}, expect, Target.IOS16, **given)


def count(size: int, padding: int, kernel: int, stride: int, ceil_mode: bool) -> int:
    """As the builder's documentation has it."""
    if not ceil_mode:
        return (size + padding - kernel) // stride + 1
    windows = int(np.ceil((size + padding - kernel) / stride)) + 1
    return windows - 1 if (windows - 1) * stride >= size + padding / 2 and padding > 0 else windows


def ways(shape: Sequence[int]) -> Iterator[tuple[str, bool]]:
    for op in KINDS:
        if op != "l2_pool" or len(shape) < 5:
            yield op, False
    yield "avg_pool", True


def padded(real: Real) -> Iterator[Case]:
    for shape, kernel, strides in FORMS:
        x = (RANDOM.normal(size=shape) - 0.5).astype(real)
        for op, exclude in ways(shape):
            for kind in ("valid", "same", "same_lower"):
                yield pooling(op, x, kernel, strides, kind, exclude=exclude)
            pad = [i % 2 for i in range(2 * len(kernel))]
            yield pooling(op, x, kernel, strides, "custom", pad=pad, exclude=exclude)


def ceiled(real: Real) -> Iterator[Case]:
    for shape, kernel, strides in ((shape, kernel, strides) for shape, kernel, strides in FORMS if len(shape) < 5):
        x = (RANDOM.normal(size=shape) - 0.5).astype(real)
        for op, exclude in ways(shape):
            yield pooling(op, x, kernel, strides, "valid", ceil_mode=True, exclude=exclude)
            for each in (0, 1):
                pad = [each] * (2 * len(kernel))
                yield pooling(op, x, kernel, strides, "custom", pad=pad, ceil_mode=True, exclude=exclude)
    x = (RANDOM.normal(size=(1, 2, 5, 6)) - 0.5).astype(real)
    for op in ("max_pool", "avg_pool", "l2_pool"):
        yield pooling(op, x, (2, 2), (3, 3), "custom", pad=(1, 1, 1, 1), ceil_mode=True)


CASES = [*sweep(padded), *sweep(ceiled)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_pooling_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_pooling_of_the_toolkit_is_translated() -> None:
    assert core_operators("pool") - set(TRANSLATIONS) == set()


# The values that coremltools' own tests of it expect of a device (converters/mil/mil/ops/tests/iOS14/test_pool.py).
def test_root_of_squares_is_that_of_their_sum(tmp_path: Path) -> None:
    x = np.array([[[1, 2, 3, 4, 5, 6, 7]]], np.float32)
    case = pooling("l2_pool", x, (3,), (3,), "same")
    (found,) = measure([case], tmp_path)
    np.testing.assert_allclose(found.actual, [[[2.236068, 7.071068, 9.219544]]], rtol=1e-6)


def test_padding_as_wide_as_a_window_is_refused(tmp_path: Path) -> None:
    case = pooling("max_pool", np.zeros((1, 1, 4, 4), np.float32), (2, 1), (1, 1), "custom", pad=(0, 0, 1, 0))
    with pytest.raises(ReferenceUnable, match="max_pool with padding as wide as a window"):
        measure([case], tmp_path)
