"""Reductions, against numpy at float64."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import special

from harness.core.target import Target
from harness.fidelity.mil.operators.reductions import TRANSLATIONS
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

RANDOM = np.random.default_rng(6)
FORMS: tuple[tuple[tuple[int, ...], Sequence[int] | None], ...] = (
    ((4500, 9), [1]),
    ((70, 8, 70), [-2]),
    ((2, 3, 4), None),
    ((2, 3, 1, 5), [0, -1]),
    ((7,), [0]),
    ((3, 5), []),
    ((2, 1, 3, 2, 3), [4, 0, 2]),
)
Real = type[np.generic]

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "reduce_l1_norm": lambda x, **over: np.sum(np.abs(x), **over),
    "reduce_l2_norm": lambda x, **over: np.sqrt(np.sum(x**2, **over)),
    "reduce_log_sum": lambda x, **over: np.log(np.sum(x, **over)),
    "reduce_log_sum_exp": special.logsumexp,
    "reduce_max": np.max,
    "reduce_mean": np.mean,
    "reduce_min": np.min,
    "reduce_prod": np.prod,
    "reduce_sum": np.sum,
    "reduce_sum_square": lambda x, **over: np.sum(x**2, **over),
}


def reals(real: Real) -> Iterator[Case]:
    for (shape, axes), keep in ((form, keep) for form in FORMS for keep in (False, True)):
        x = RANDOM.normal(size=shape)
        for op, expect in REDUCTIONS.items():
            # Products and logarithms of sums have no sense for values of both signs.
            values = np.abs(x) + 0.5 if op in ("reduce_prod", "reduce_log_sum") else x
            yield reduction(op, values.astype(real), expect, axes, keep)


def reduction(op: str, x: Array, expect: Callable[..., Any], axes: Sequence[int] | None, keep: bool) -> Case:
    given: dict[str, Any] = {"keep_dims": keep} | ({} if axes is None else {"axes": np.array(axes, np.int32)})
    over = None if axes is None else tuple(axes)
    return call(op, {"x": x}, lambda x: expect(x, axis=over, keepdims=keep), **given)


def integers() -> Iterator[Case]:
    for shape, axes in FORMS:
        x = RANDOM.integers(-5, 6, shape, np.int32)
        for op, expect in REDUCTIONS.items():
            values = np.abs(x) + 1 if op in ("reduce_prod", "reduce_log_sum") else x
            if op == "reduce_prod":
                values = np.minimum(values, 2)
            yield reduction(op, values.astype(np.int32), truncated(expect), axes, False)


def truncated(expect: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, **over: np.trunc(expect(x, **over))


def arguments(real: Real) -> Iterator[Case]:
    for shape, axis in (((90, 50), 1), ((2, 3, 4), 0), ((2, 3, 4), -2), ((9,), -1), ((1, 2, 2, 3, 4), 3)):
        x = RANDOM.permutation(int(np.prod(shape))).reshape(shape).astype(real)
        for (op, expect), keep in ((item, keep) for item in ARGUMENTS.items() for keep in (False, True)):
            yield argument(op, x, expect, axis, keep)
            yield argument(op, x.astype(np.int32), expect, axis, keep)
            for dtype in ("int32", "uint16"):
                yield argument(op, x, expect, axis, keep, Target.IOS17, output_dtype=dtype)
    yield call("reduce_argmax", {"x": x}, lambda x: np.argmax(x, -1))
    yield call("reduce_argmin", {"x": x}, lambda x: np.argmin(x, -1), Target.IOS17)


ARGUMENTS: dict[str, Callable[..., Any]] = {"reduce_argmax": np.argmax, "reduce_argmin": np.argmin}


def argument(
    op: str,
    x: Array,
    expect: Callable[..., Any],
    axis: int,
    keep: bool,
    target: Target = Target.IOS15,
    **given: str,
) -> Case:
    return call(op, {"x": x}, lambda x: expect(x, axis=axis, keepdims=keep), target, axis=axis, keep_dims=keep, **given)


CASES = [*sweep(reals), *integers(), *sweep(arguments)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_reduction_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_reduction_of_the_toolkit_is_translated() -> None:
    assert core_operators("reduction") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()


def test_sum_of_large_exponentials_does_not_overflow(tmp_path_factory: pytest.TempPathFactory) -> None:
    x = np.array([500, 499, 498], np.float32)
    case = reduction("reduce_log_sum_exp", x, special.logsumexp, None, False)
    assert misses(measure([case], tmp_path_factory.mktemp("programs")), "reduce_log_sum_exp") == []
