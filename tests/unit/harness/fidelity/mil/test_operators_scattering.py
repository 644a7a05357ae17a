"""Operations that write at places that tensors name, against loops over the updates."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.scattering import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, normal, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS17 = Target.IOS15, Target.IOS17
RANDOM = np.random.default_rng(4)

MODES: dict[str, Callable[[Array, Array], Array]] = {
    "update": lambda _, new: new,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


def lines(axis: int, mode: str) -> Any:  # noqa: ANN401 (a function)
    def expect(data: Array, indices: Array, updates: Array) -> Array:
        result = np.moveaxis(data.copy(), axis, 0)
        for place, update in zip(indices, np.moveaxis(updates, axis, 0), strict=True):
            result[place] = MODES[mode](result[place], update)
        return np.moveaxis(result, 0, axis)

    return expect


def elements(axis: int, mode: str) -> Any:  # noqa: ANN401 (a function)
    def expect(data: Array, indices: Array, updates: Array) -> Array:
        result = data.copy()
        for at in np.ndindex(*indices.shape):
            place = (*at[:axis], indices[at], *at[axis + 1 :])
            result[place] = MODES[mode](result[place], updates[at])
        return result

    return expect


def slices(mode: str) -> Any:  # noqa: ANN401 (a function)
    def expect(data: Array, indices: Array, updates: Array) -> Array:
        result = data.copy()
        for at in np.ndindex(*indices.shape[:-1]):
            place = tuple(indices[at])
            result[place] = MODES[mode](result[place], updates[at])
        return result

    return expect


def away(*shape: int, real: Real) -> Array:
    """Values that may be divided by."""
    return np.asarray(RANDOM.uniform(0.5, 2, shape) * RANDOM.choice([-1, 1], shape), real)


def scatters(real: Real) -> Iterator[Case]:
    data = normal(RANDOM, 4, 5, 3, real=real)
    for mode in MODES:
        for axis in (0, 1, -1):
            count = data.shape[axis] if mode == "update" else 6
            order = RANDOM.permutation(count) if mode == "update" else RANDOM.integers(0, data.shape[axis], count)
            shape = list(data.shape)
            shape[axis] = count
            tensors = {"indices": order.astype(np.int32), "updates": away(*shape, real=real)}
            for target in (IOS15, IOS17):
                yield case("scatter", lines(axis, mode), target, {"axis": axis, "mode": mode}, data=data, **tensors)


def along(real: Real) -> Iterator[Case]:
    data = normal(RANDOM, 4, 5, 3, real=real)
    for mode in MODES:
        for axis in (0, 1, 2, -2):
            at = axis % 3
            shape = list(data.shape)
            shape[at] = data.shape[at] if mode == "update" else 6
            order = RANDOM.random(shape).argsort(at) if mode == "update" else RANDOM.integers(0, data.shape[at], shape)
            tensors = {"indices": order.astype(np.int32), "updates": away(*shape, real=real)}
            yield case(
                "scatter_along_axis", elements(at, mode), IOS15, {"axis": axis, "mode": mode}, data=data, **tensors
            )


def in_many_axes(real: Real) -> Iterator[Case]:
    data = normal(RANDOM, 4, 5, 3, real=real)
    for mode in MODES:
        for depth in (1, 2, 3):
            every = np.stack(np.meshgrid(*map(np.arange, data.shape[:depth]), indexing="ij"), -1).reshape(-1, depth)
            chosen = RANDOM.permutation(len(every)) if mode == "update" else RANDOM.integers(0, len(every), 9)
            indices = every[chosen[:9] if mode != "update" else chosen[:3]].astype(np.int32)
            updates = away(len(indices), *data.shape[depth:], real=real)
            given = {"mode": mode}
            yield case("scatter_nd", slices(mode), IOS15, given, data=data, indices=indices, updates=updates)


def integers() -> Iterator[Case]:
    tensors = {
        "data": counted(4, 3).astype(np.int32),
        "indices": whole(3, 0, 3),
        "updates": -whole([1, 2, 3]).repeat(3, 0),
    }
    for mode in ("add", "sub", "mul", "max", "min"):
        yield case("scatter", lines(0, mode), IOS15, {"mode": mode}, **tensors)


CASES = [*sweep(scatters), *sweep(along), *sweep(in_many_axes), *integers()]


def test_division_of_integers_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    tensors = {"data": whole(8, 9), "indices": whole(1), "updates": whole(2)}
    divided = case("scatter", lines(0, "div"), IOS15, {"mode": "div"}, **tensors)
    with pytest.raises(ReferenceUnable, match="divides integers"):
        measure([divided], tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
