"""Operations that cut parts out and put parts in, against numpy's slices."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.slicing import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS18 = Target.IOS15, Target.IOS18
SHAPE = (5, 4, 6)

Index = tuple[slice | int, ...]
ONLY = slice(None)

# begin, end, stride, begin_mask, end_mask, squeeze_mask; what numpy is asked
SLICES: tuple[tuple[Sequence[Sequence[int] | None], Index], ...] = (
    (([1, 0, 2], [3, 4, 6], None, None, None, None), (slice(1, 3), ONLY, slice(2, 6))),
    (([-4, -3, 0], [-1, 4, -2], None, None, None, None), (slice(-4, -1), slice(-3, 4), slice(0, -2))),
    (([0, 0, 0], [5, 4, 6], [2, 3, 5], None, None, None), (slice(0, 5, 2), slice(0, 4, 3), slice(0, 6, 5))),
    (([4, 3, 5], [0, 1, 2], [-1, -2, -3], None, None, None), (slice(4, 0, -1), slice(3, 1, -2), slice(5, 2, -3))),
    (([9, 9, 1], [9, 9, 3], None, [1, 1, 0], [1, 1, 0], None), (ONLY, ONLY, slice(1, 3))),
    (([9, 2, 1], [3, 9, 3], None, [1, 0, 0], [0, 1, 0], None), (slice(None, 3), slice(2, None), slice(1, 3))),
    (
        ([0, 2, 9], [0, 9, 1], [-1, -1, -2], [1, 0, 1], [1, 1, 0], None),
        (slice(None, None, -1), slice(2, None, -1), slice(None, 1, -2)),
    ),
    (([2, 0, 0], [9, 4, 6], None, None, None, [1, 0, 0]), (2, ONLY, ONLY)),
    (([0, -1, 0], [0, 0, 6], [1, -1, 2], [1, 0, 0], [1, 0, 0], [0, 1, 0]), (ONLY, -1, slice(0, 6, 2))),
    (([1, 0, -6], [0, 4, 0], None, None, None, [1, 0, 1]), (1, ONLY, -6)),
)
NAMES = ("stride", "begin_mask", "end_mask", "squeeze_mask")


def constants(values: Sequence[Sequence[int] | None]) -> dict[str, Any]:
    given = {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
    return {name: [bool(each) for each in value] if "mask" in name else list(value) for name, value in given.items()}


def cuts(real: Real) -> Iterator[Case]:
    x = counted(*SHAPE, real=real)
    for (begin, end, *rest), index in SLICES:
        given = {"begin": begin, "end": end, **constants(rest)}
        yield case("slice_by_index", lambda x, i=index: x[i], IOS15, given, x=x)


def cuts_at_run_time() -> Iterator[Case]:
    for (begin, end, *rest), index in SLICES:
        bounds = {"begin": np.array(begin, np.int32), "end": np.array(end, np.int32)}
        yield case("slice_by_index", lambda x, i=index, **_: x[i], IOS15, constants(rest), x=counted(*SHAPE), **bounds)


def to_a_scalar() -> Iterator[Case]:
    given = {"begin": [1, -1], "end": [0, 0], "squeeze_mask": [True, True]}
    yield case("slice_by_index", lambda x: x[1, -1], IOS15, given, x=counted(2, 3))


def updates(real: Real) -> Iterator[Case]:
    x = counted(*SHAPE, real=real)
    for (begin, end, *rest), index in SLICES:
        update = -x[index] - real(1)
        given = {"begin": begin, "end": end, **constants(rest)}
        yield case("slice_update", updated(index), IOS18, given, x=x, update=update)


def updates_at_run_time() -> Iterator[Case]:
    x = counted(*SHAPE)
    index = (slice(1, 3), slice(0, None), slice(5, 0, -2))
    bounds = {"begin": whole(1, 0, 5), "end": whole(3, 9, 0)}
    given = {"stride": [1, 1, -2], "end_mask": [False, True, False]}
    yield case("slice_update", updated(index), IOS18, given, x=x, update=-x[index], **bounds)


def updated(index: Index) -> Any:  # noqa: ANN401 (a function)
    def expect(x: Array, update: Array, **_: Array) -> Array:
        result = x.copy()
        result[index] = update
        return result

    return expect


def sizes(real: Real) -> Iterator[Case]:
    x = counted(*SHAPE, real=real)
    for begin, size in (([1, 0, 2], [3, 4, 2]), ([1, 2, 0], [-1, 2, -1]), ([-2, -3, 1], [2, 2, -1])):
        index = tuple(
            slice(at, at + length if length >= 0 and at + length else None)
            for at, length in zip(begin, size, strict=True)
        )
        yield case("slice_by_size", lambda x, i=index: x[i], IOS15, {"begin": begin, "size": size}, x=x)
        yield case("slice_by_size", lambda x, i=index, **_: x[i], IOS15, {"size": size}, x=x, begin=whole(*begin))
    yield case("slice_by_size", lambda x, **_: x[:2, 1:, 4:5], x=x, begin=whole(0, 1, 4), size=whole(2, -1, 1))


def crops(real: Real) -> Iterator[Case]:
    x = counted(2, 3, 5, 6, real=real)
    for (top, bottom), (left, right) in (((1, 2), (0, 3)), ((0, 0), (2, 0)), ((0, 1), (1, 1))):
        given = {"crop_height": [top, bottom], "crop_width": [left, right]}
        index = (..., slice(top, 5 - bottom), slice(left, 6 - right))
        yield case("crop", lambda x, i=index: x[i], IOS15, given, x=x)


def other_types() -> Iterator[Case]:
    for kind in (np.int32, np.bool_):
        x = (counted(3, 4) % 3).astype(kind)
        bounds = {"begin": [2, 1], "end": [0, 4], "stride": [-1, 2]}
        yield case("slice_by_index", lambda x: x[2:0:-1, 1:4:2], IOS15, bounds, x=x)
        yield case("slice_by_size", lambda x: x[1:2], IOS15, {"begin": [1, 0], "size": [1, 4]}, x=x)
        index = (slice(2, 0, -1), slice(1, 4, 2))
        yield case("slice_update", updated(index), IOS18, bounds, x=x, update=np.ones_like(x[index]))


CASES = [
    *sweep(cuts),
    *cuts_at_run_time(),
    *to_a_scalar(),
    *sweep(updates),
    *updates_at_run_time(),
    *sweep(sizes),
    *sweep(crops),
    *other_types(),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
