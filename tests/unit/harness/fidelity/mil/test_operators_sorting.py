"""Operations that order elements, against numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.sorting import TRANSLATIONS
from tests.support.mil_cases import Real, case
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17
RANDOM = np.random.default_rng(4)


def shuffled(real: Real) -> Array:
    """All different, so that there is one order."""
    return (RANDOM.permutation(4 * 7 * 5).reshape(4, 7, 5) - 70).astype(real)


def order(axis: int, *, ascending: bool) -> Any:  # noqa: ANN401 (a function)
    return lambda x: np.argsort(x if ascending else -x, axis)


def top(count: int, axis: int, *, ascending: bool, indexed: bool = True) -> Any:  # noqa: ANN401 (a function)
    def expect(x: Array) -> list[Array]:
        indices = np.argsort(x if ascending else -x, axis).take(range(count), axis)
        return [np.take_along_axis(x, indices, axis), indices][: 1 + indexed]

    return expect


def sorts(real: Real) -> Iterator[Case]:
    x = shuffled(real)
    for axis in (0, 1, -1):
        for ascending in (False, True):
            given = {"axis": axis, "ascending": ascending}
            yield case("argsort", order(axis, ascending=ascending), IOS15, given, x=x)
            for count in (1, 3):
                expect = top(count, axis, ascending=ascending)
                yield case("topk", expect, IOS15, {"k": count, **given}, x=x)


def newer(real: Real) -> Iterator[Case]:
    x = shuffled(real)
    values = {"k": 2, "axis": 1, "return_indices": False}
    yield case("topk", top(2, 1, ascending=False, indexed=False), IOS16, values, x=x)
    yield case("topk", top(2, 1, ascending=False), IOS17, {"k": np.int8(2), "axis": 1}, x=x)
    short = {"k": 3, "axis": 2, "output_indices_dtype": "uint16", "sort": True}
    yield case("topk", top(3, 2, ascending=False), IOS17, short, x=x)


def integers() -> Iterator[Case]:
    x = shuffled(np.int32)
    yield case("argsort", order(1, ascending=True), IOS15, {"axis": 1, "ascending": True}, x=x)
    yield case("topk", top(2, 1, ascending=False), IOS15, {"k": 2, "axis": 1}, x=x)
    yield case("topk", top(1, -1, ascending=False), x=x)


CASES = [*sweep(sorts), *sweep(newer), *integers()]


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
