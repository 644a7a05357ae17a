"""Operations that read at places that tensors name, against numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.gathering import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17
RANDOM = np.random.default_rng(4)


def places(size: int, *shape: int, low: int = 0) -> Array:
    return RANDOM.integers(low, size, shape).astype(np.int32)


def gathers(real: Real) -> Iterator[Case]:
    x = counted(4, 5, 3, real=real)
    for axis in (0, 1, 2, -1, -3):
        size = x.shape[axis]
        for indices in (places(size, 7, low=-size), places(size, 2, 3), np.array(1, np.int32)):
            given = {"axis": axis}
            yield case("gather", lambda x, indices, a=axis: np.take(x, indices, a), IOS15, given, x=x, indices=indices)
    validated = {"axis": 1, "validate_indices": True}
    yield case("gather", lambda x, indices: np.take(x, indices, 1), IOS17, validated, x=x, indices=places(5, 4))


def batched(real: Real) -> Iterator[Case]:
    x = counted(2, 3, 4, 5, real=real)
    for axis, batch_dims, shape in (
        (1, 1, (2, 6)),
        (2, 1, (2, 3, 2)),
        (3, 1, (2,)),
        (3, 2, (2, 3, 4)),
        (2, 2, (2, 3)),
        (3, 3, (2, 3, 4, 2)),
    ):
        given, indices = {"axis": axis, "batch_dims": batch_dims}, places(x.shape[axis], *shape)
        for target in (IOS16, IOS17):
            yield case("gather", taken(axis % 4, batch_dims), target, given, x=x, indices=indices)


def taken(axis: int, batch_dims: int) -> Any:  # noqa: ANN401 (a function)
    def expect(x: Array, indices: Array) -> Array:
        batches = np.ndindex(*x.shape[:batch_dims])
        found = np.array([np.take(x[at], indices[at], axis - batch_dims) for at in batches])
        return found.reshape(*x.shape[:batch_dims], *found.shape[1:])

    return expect


def along(real: Real) -> Iterator[Case]:
    x = counted(4, 5, 3, real=real)
    for axis in (0, 1, 2, -1):
        shape = list(x.shape)
        shape[axis] = 6
        indices, given = places(x.shape[axis], *shape), {"axis": axis}
        for target in (IOS15, IOS17):
            expect = lambda x, indices, a=axis: np.take_along_axis(x, indices, a)  # noqa: E731
            yield case("gather_along_axis", expect, target, given, x=x, indices=indices)


def in_many_axes(real: Real) -> Iterator[Case]:
    x = counted(2, 3, 4, real=real)
    for depth in (1, 2, 3):
        indices = np.stack([places(size, 5, 2) for size in x.shape[:depth]], -1)
        yield case("gather_nd", lambda x, indices: x[tuple(np.moveaxis(indices, -1, 0))], x=x, indices=indices)
    for depth in (1, 2):
        indices = np.stack([places(size, 2, 5) for size in x.shape[1 : depth + 1]], -1)
        yield case("gather_nd", each_batch, IOS16, {"batch_dims": 1}, x=x, indices=indices)


def each_batch(x: Array, indices: Array) -> Array:
    return np.stack([x[at][tuple(np.moveaxis(indices[at], -1, 0))] for at in range(len(x))])


def integers() -> Iterator[Case]:
    x = counted(4, 3).astype(np.int32)
    yield case("gather", lambda x, indices: x[indices], x=x, indices=whole(3, 0))
    for kind in (np.int16, np.uint16, np.int8, np.uint8):
        yield case("gather", lambda x, indices: x[indices], IOS17, x=x, indices=np.array([3, 0], kind))
    yield case("gather_nd", lambda x, indices: x[indices[..., 0]], x=x, indices=whole([3], [0]))


def batched_from_the_end() -> Iterator[Case]:
    """At float16 alone: coremltools cannot fold it."""
    x, given = counted(2, 3, 4, 5, real=np.float16), {"axis": -1, "batch_dims": 2}
    yield case("gather", taken(3, 2), IOS17, given, x=x, indices=places(5, 2, 3, 4))


CASES = [*batched_from_the_end(), *sweep(gathers), *sweep(batched), *sweep(along), *sweep(in_many_axes), *integers()]


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
