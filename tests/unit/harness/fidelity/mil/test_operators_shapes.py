"""Operations that give another shape, against numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.shapes import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, whole
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS16, IOS17 = Target.IOS15, Target.IOS16, Target.IOS17


def reshaped(shape: tuple[int, ...], to: list[int], becomes: tuple[int, ...], target: Target, real: Real) -> Case:
    return case("reshape", lambda x: x.reshape(becomes), target, {"shape": to}, x=counted(*shape, real=real))


def reshapes(real: Real) -> Iterator[Case]:
    yield reshaped((2, 3, 4), [4, 6], (4, 6), IOS15, real)
    yield reshaped((2, 3, 4), [-1], (24,), IOS15, real)
    yield reshaped((2, 3, 4), [0, -1, 2], (2, 6, 2), IOS15, real)
    yield reshaped((2, 3, 4), [0, 0, 0], (2, 3, 4), IOS15, real)
    yield reshaped((2, 50), [1, 0, -1, 0], (1, 1, 2, 50), IOS17, real)
    yield reshaped((2, 3, 4), [-1, 0], (6, 4), IOS17, real)
    yield reshaped((2, 3, 4), [0, -1], (3, 8), IOS17, real)


def reshaped_by_run_time_shape() -> Iterator[Case]:
    for to, becomes in (([6, -1], (6, 4)), ([0, 8], (3, 8)), ([1, 0, 0, -1], (1, 2, 3, 4))):
        target = IOS17 if 0 in to else IOS15
        yield case("reshape", lambda x, b=becomes, **_: x.reshape(b), target, x=counted(2, 3, 4), shape=whole(*to))


def like(real: Real) -> Iterator[Case]:
    def build(mb: Any, x: Any, first: Any, second: Any) -> Any:  # noqa: ANN401 (of coremltools)
        bounds = {"begins": (0, 1), "ends": (2, 0), "end_masks": (False, True)}
        return mb.reshape_like(x=x, ref_tensors=(first, second), **bounds)

    inputs = {"x": counted(5, 6, 6, real=real), "first": counted(2, 3, 4), "second": counted(1, 5, 6)}

    def expect(x: Array, first: Array, second: Array) -> Array:
        del first, second
        return x.reshape(2, 3, 5, 6)

    yield Case(op="reshape_like", inputs=inputs, build=build, expect=expect, target=IOS16)


def axes(real: Real) -> Iterator[Case]:
    x = counted(2, 3, real=real)
    for chosen in ([0], [1], [-1], [0, 1], [-2, -1], [3, 0]):
        yield case("expand_dims", lambda x, a=chosen: np.expand_dims(x, a), IOS15, {"axes": chosen}, x=x)
    x = counted(1, 2, 1, 3, 1, real=real)
    for chosen in ([0], [-1], [2, 0], [0, 2, 4]):
        yield case("squeeze", lambda x, a=tuple(chosen): x.squeeze(a), IOS15, {"axes": chosen}, x=x)
    yield case("squeeze", lambda x: x.squeeze(), x=x)
    x = counted(2, 3, 4, real=real)
    for perm in ([0, 1, 2], [2, 0, 1], [-1, 0, -2]):
        yield case("transpose", lambda x, p=perm: x.transpose([i % 3 for i in p]), IOS15, {"perm": perm}, x=x)


def flat(real: Real) -> Iterator[Case]:
    for shape, axis, becomes in (
        ((3,), -1, (1, 3)),
        ((3,), 1, (3, 1)),
        ((2, 3, 2), -1, (6, 2)),
        ((5, 4, 2), 1, (5, 8)),
        ((2, 3, 2), 0, (1, 12)),
    ):
        x = counted(*shape, real=real)
        yield case("flatten2d", lambda x, b=becomes: x.reshape(b), IOS15, {"axis": axis}, x=x)
    yield case("identity", lambda x: x, x=counted(2, 3, real=real))


def of_open_shape() -> Iterator[Case]:
    """The number of non-zero elements is not known before the program runs."""
    x = whole([0, 1, 0], [2, 3, 0])

    def build(mb: Any, x: Any) -> Any:  # noqa: ANN401 (of coremltools)
        found = mb.non_zero(x=x)
        return mb.shape(x=found), mb.reshape(x=found, shape=[-1]), mb.transpose(x=found, perm=[1, 0])

    def expect(x: Array) -> list[Array]:
        found = np.argwhere(x)
        return [np.array(found.shape), found.reshape(-1), found.T]

    yield Case(op="shape", inputs={"x": x}, build=build, expect=expect)


def other_types() -> Iterator[Case]:
    for kind in (np.int32, np.bool_):
        x = (counted(2, 1, 3) % 2).astype(kind)
        yield case("reshape", lambda x: x.reshape(3, 2), IOS15, {"shape": [3, 2]}, x=x)
        yield case("squeeze", lambda x: x.squeeze(1), IOS15, {"axes": [1]}, x=x)
        yield case("transpose", lambda x: x.transpose(2, 0, 1), IOS15, {"perm": [2, 0, 1]}, x=x)
        yield case("flatten2d", lambda x: x.reshape(2, 3), x=x)
        yield case("identity", lambda x: x, x=x)


CASES = [
    *sweep(reshapes),
    *reshaped_by_run_time_shape(),
    *sweep(like),
    *sweep(axes),
    *sweep(flat),
    *of_open_shape(),
    *other_types(),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


# coremltools cannot fold flatten2d at the first axis or the last: the product of no sizes is a float to it.
@pytest.mark.parametrize("op", sorted(set(operators(CASES)) - {"flatten2d"}))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
