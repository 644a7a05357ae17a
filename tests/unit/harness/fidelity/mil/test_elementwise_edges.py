"""Operations on single elements where values end: zeros of both signs, infinities, what is not a number."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.mil_oracle import Case, Result, measure, misses, operators, sweep
from tests.unit.harness.fidelity.mil.test_operators_elementwise import BINARY, UNARY, Real, one, shifted, two


def edges(real: Real) -> Iterator[Case]:
    """Zeros of both signs, infinities and what is not a number."""
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 5.5, -5.5, 0.0], real)
    y = np.array([0.0, 2, 2, 2, 2, 0.0, 0.0, np.nan, 0.5, -3], real)
    for op in ("floor_div", "maximum", "minimum", "mod", "mul", "real_div"):
        yield two(op, x, y, BINARY[op])
    for op in ("sqrt", "exp", "tanh", "round", "floor", "erf"):
        yield one(op, x, UNARY[op][0])
    yield one("log", x, shifted(np.log, 1.0), epsilon=real(1))


EDGES = sweep(edges)


@pytest.fixture(scope="module")
def at_edges(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(EDGES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(EDGES))
def test_operation_is_what_float64_gives_for_values_that_are_not_finite(op: str, at_edges: tuple[Result, ...]) -> None:
    assert misses(at_edges, op) == []


def test_zero_that_a_remainder_leaves_has_the_sign_of_the_divisor(at_edges: tuple[Result, ...]) -> None:
    remainder = next(each for each in at_edges if each.case.op == "mod" and each.dtype == "fp32").actual
    assert np.signbit(remainder[9])


def test_integers_divided_by_zero_give_zero(tmp_path_factory: pytest.TempPathFactory) -> None:
    x, y = np.array([5, -5, 7], np.int32), np.array([0, 0, 2], np.int32)
    by_zero = [two(op, x, y, BINARY[op]) for op in ("floor_div", "mod", "real_div")]
    found = measure(by_zero, tmp_path_factory.mktemp("programs"))
    assert [list(each.actual) for each in found] == [[0, 0, 3], [0, 0, 1], [0, 0, 3]]
