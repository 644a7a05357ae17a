"""Operations that make tensors of a few values, and those that look at places, against numpy."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.filling import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, normal, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS16 = Target.IOS15, Target.IOS16
RANDOM = np.random.default_rng(4)


def fills(real: Real) -> Iterator[Case]:
    for value in (real(2.5), np.int32(-3), np.bool_(True)):
        given = {"value": value}
        yield case("fill", lambda shape, v=value: np.full(shape, v.item()), IOS15, given, shape=whole(2, 1, 3))
        reference = counted(3, 2, real=real)
        yield case("fill_like", lambda v=value, **_: np.full((3, 2), v.item()), IOS16, given, ref_tensor=reference)


def defaults() -> Iterator[Case]:
    yield case("fill", lambda shape: np.zeros(shape), shape=whole(2, 3))
    yield case("fill_like", lambda ref_tensor: np.zeros(ref_tensor.shape), IOS16, ref_tensor=counted(2, 3))


def ranges(real: Real) -> Iterator[Case]:
    for start, end, step in ((0, 5, 1), (2, 11, 3), (-1.5, 2, 0.5), (5, -4, -2), (0, 1, 0.125), (0, 400, 0.75)):
        bounds = {name: np.array(value, real) for name, value in (("start", start), ("end", end), ("step", step))}
        yield case("range_1d", lambda start, end, step: stepped(start, end, step), **bounds)


def stepped(start: Array, end: Array, step: Array) -> Array:
    return np.asarray(start + np.arange(np.ceil((end - start) / step)) * step)


def whole_ranges() -> Iterator[Case]:
    for start, end, step in ((0, 5, 1), (3, 12, 4), (5, -4, -2)):
        bounds = {name: np.array(value, np.int32) for name, value in (("start", start), ("end", end), ("step", step))}
        yield case("range_1d", lambda start, end, step: np.arange(start, end, step), **bounds)


def one_hots(real: Real) -> Iterator[Case]:
    indices = whole([0, 2, 4], [1, 3, 5])  # 5 is outside
    for axis in (0, 1, 2, -1, -2, -3):
        for on, off in ((real(2.5), real(-1)), (np.int32(7), np.int32(3)), (np.bool_(False), np.bool_(True))):
            given = {"one_hot_vector_size": 5, "axis": axis, "on_value": on, "off_value": off}
            yield case("one_hot", hot(5, axis, on.item(), off.item()), IOS15, given, indices=indices)


def other_one_hots() -> Iterator[Case]:
    size = {"one_hot_vector_size": 4}
    yield case("one_hot", hot(4, -1, 1, 0), IOS15, size, indices=whole(3, 0, -1, 4))  # the last two are outside
    yield case(
        "one_hot",
        lambda indices, one_hot_vector_size: hot(int(one_hot_vector_size), 0, 1, 0)(indices),
        IOS15,
        {"axis": 0},
        indices=whole(3, 0, 1),
        one_hot_vector_size=np.array(6, np.int32),
    )


def hot(size: int, axis: int, on: float, off: float) -> Callable[..., Array]:
    def expect(indices: Array) -> Array:
        return np.where(np.moveaxis(indices[..., None] == np.arange(size), -1, axis), on, off)

    return expect


def bands(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 2, 5, 7, real=real)
    for lower, upper in ((-1, -1), (0, -1), (-1, 0), (0, 0), (2, 1), (1, 9), (-1, 3), (7, 0)):
        given = {"lower": lower, "upper": upper}
        yield case("band_part", lambda x, low=lower, up=upper: band(x, low, up), IOS15, given, x=x)


def band(x: Array, lower: int, upper: int) -> Array:
    below = np.subtract.outer(np.arange(x.shape[-2]), np.arange(x.shape[-1]))
    return np.where(((lower < 0) | (below <= lower)) & ((upper < 0) | (-below <= upper)), x, 0)


def sums(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 4, 3, 5, real=real)
    for axis in (0, 1, -1):
        for exclusive in (False, True):
            for reverse in (False, True):
                given = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
                yield case("cumsum", summed(axis, exclusive, reverse), IOS15, given, x=x)


def summed(axis: int, exclusive: bool, reverse: bool) -> Callable[..., Array]:
    def expect(x: Array) -> Array:
        line = np.flip(x, axis) if reverse else x
        total = np.cumsum(line, axis) - (line if exclusive else 0)
        return np.flip(total, axis) if reverse else total

    return expect


def places(real: Real) -> Iterator[Case]:
    x = normal(RANDOM, 3, 4, 2, real=real)
    x[np.abs(x) < 0.5] = 0
    yield case("non_zero", lambda x: np.argwhere(x), x=x)


def other_types() -> Iterator[Case]:
    for kind in (np.int32, np.bool_):
        x = (counted(2, 3, 4) % 3).astype(kind)
        yield case("non_zero", lambda x: np.argwhere(x), x=x)
        yield case("band_part", lambda x: band(x, 1, 0), IOS15, {"lower": 1, "upper": 0}, x=x)
    yield case("cumsum", lambda x: np.cumsum(x, 1), IOS15, {"axis": 1}, x=counted(2, 3).astype(np.int32))


CASES = [
    *sweep(fills),
    *defaults(),
    *sweep(ranges),
    *whole_ranges(),
    *sweep(one_hots),
    *other_one_hots(),
    *sweep(bands),
    *sweep(sums),
    *sweep(places),
    *other_types(),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


# coremltools breaks at exclusive sums, and at sizes of one_hot that it cannot hash.
@pytest.mark.parametrize("op", sorted(set(operators(CASES)) - {"cumsum", "one_hot"}))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
