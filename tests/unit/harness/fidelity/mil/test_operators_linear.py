"""Products of matrices, against numpy at float64."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.linear import TRANSLATIONS
from tests.support.mil_oracle import (
    Array,
    Case,
    Result,
    call,
    core_operators,
    measure,
    misses,
    operators,
    sweep,
    unlike_folded,
)

pytestmark = pytest.mark.thorough

RANDOM = np.random.default_rng(7)
Real = type[np.generic]


def normal(*shape: int) -> Array:
    return RANDOM.normal(size=shape)


def linears(real: Real) -> Iterator[Case]:
    for shape, wide in (((90, 30), 64), ((2, 3, 7), 5), ((6,), 4), ((1, 1), 1)):
        x, weight, bias = normal(*shape), normal(wide, shape[-1]), normal(wide)
        yield linear(x.astype(real), weight.astype(real), bias.astype(real))
        yield linear(x.astype(real), weight.astype(real))
        yield linear(x.astype(real), weight.astype(np.float32), bias.astype(np.float32), Target.IOS17)


def linear(x: Array, weight: Array, bias: Array | None = None, target: Target = Target.IOS15) -> Case:
    expect = linearly(weight.astype(np.float64), 0 if bias is None else bias.astype(np.float64))
    given = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return call("linear", {"x": x}, expect, target, **given)


def linearly(weight: Array, bias: Array | float) -> Callable[[Array], Array]:
    return lambda x: x @ weight.T + bias


def whole_linears() -> Iterator[Case]:
    for shape in ((4, 6), (2, 3, 6), (6,)):
        x, weight, bias = (RANDOM.integers(-9, 10, size, np.int32) for size in (shape, (5, 6), (5,)))
        yield call("linear", {"x": x}, linearly(weight, bias), weight=weight, bias=bias)


SIDES: tuple[tuple[tuple[int, ...], tuple[int, ...], bool, bool], ...] = (
    ((90, 30), (30, 64), False, False),
    ((2, 3, 4), (2, 5, 4), False, True),
    ((10, 3, 4), (5, 10, 3, 2), True, False),
    ((4, 3), (2, 4), True, True),
    ((4,), (4, 2), False, False),
    ((4,), (3, 4, 2), False, False),
    ((1, 2, 2, 1, 3), (2, 1, 3, 1), False, False),
)


def matmuls(real: Real) -> Iterator[Case]:
    for left, right, over_x, over_y in SIDES:
        x, y = normal(*left).astype(real), normal(*right).astype(real)
        flags: dict[str, Any] = {"transpose_x": over_x, "transpose_y": over_y}
        yield call("matmul", {"x": x, "y": y}, product(over_x, over_y), **flags)
        constant = y.astype(np.float32)
        expect = by_constant(product(over_x, over_y), constant)
        yield call("matmul", {"x": x}, expect, Target.IOS17, y=constant, **flags)


def whole_matmuls() -> Iterator[Case]:
    for left, right, over_x, over_y in SIDES:
        x, y = RANDOM.integers(-9, 10, left, np.int32), RANDOM.integers(-9, 10, right, np.int32)
        yield call("matmul", {"x": x, "y": y}, product(over_x, over_y), transpose_x=over_x, transpose_y=over_y)


def product(over_x: bool, over_y: bool) -> Callable[..., Array]:
    def expect(x: Array, y: Array) -> Array:
        found: Array = (x.swapaxes(-1, -2) if over_x else x) @ (y.swapaxes(-1, -2) if over_y else y)
        return found

    return expect


def by_constant(expect: Callable[..., Array], y: Array) -> Callable[[Array], Array]:
    return lambda x: expect(x, y.astype(np.float64))


EINSUMS: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("nchw,nwhu->nchu", (2, 20, 5, 30), (2, 30, 5, 25)),
    ("abcd,adce->abce", (1, 2, 3, 4), (2, 4, 3, 2)),
    ("nchw,nwhu->nchu", (2, 2, 1, 4), (2, 4, 3, 2)),
    ("chw,whr->chr", (2, 3, 4), (4, 3, 2)),
    ("chw,whr->chr", (2, 3, 4), (4, 1, 2)),
)


def einsums(real: Real) -> Iterator[Case]:
    for equation, left, right in EINSUMS:
        x, y = normal(*left).astype(real), normal(*right).astype(real)
        yield Case(op="einsum", inputs={"x": x, "y": y}, build=joined(equation), expect=summed(equation))


def joined(equation: str) -> Callable[..., object]:
    return lambda mb, x, y: mb.einsum(values=(x, y), equation=equation)


def summed(equation: str) -> Callable[[Array, Array], Array]:
    """By numpy's own einsum, with the batch and the height broadcast first."""

    def expect(x: Array, y: Array) -> Array:
        batch, height = np.broadcast_shapes(x.shape[:-3], y.shape[:-3]), max(x.shape[-2], y.shape[-2])
        x = np.broadcast_to(x, (*batch, x.shape[-3], height, x.shape[-1]))
        y = np.broadcast_to(y, (*batch, y.shape[-3], height, y.shape[-1]))
        return np.asarray(np.einsum(equation, x, y))

    return expect


CASES = [*sweep(linears), *whole_linears(), *sweep(matmuls), *whole_matmuls(), *sweep(einsums)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_product_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_product_of_the_toolkit_is_translated() -> None:
    assert core_operators("linear") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
