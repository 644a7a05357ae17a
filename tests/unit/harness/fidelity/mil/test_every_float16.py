"""Every operation of one real number, over all finite float16 values.

A ratio of signal to noise over a sweep hides what is small: here each value counts in units of its own last place.
"""

from collections.abc import Callable

import numpy as np
import pytest

from harness.fidelity.mil.operators import activations, elementwise
from tests.support.mil_oracle import Array, Case, Result, call, measure
from tests.unit.harness.fidelity.mil.test_operators_activations import (
    ALONE,
    BY_ALPHA,
    BY_BOTH,
    GELUS,
    expect_both,
)
from tests.unit.harness.fidelity.mil.test_operators_elementwise import SHIFTED, UNARY, shifted

_BITS = np.arange(2**16, dtype=np.uint16).view(np.float16)
_VALUES = {"x": _BITS[np.isfinite(_BITS)]}
_FIRST, _SECOND = np.float16(0.3), np.float16(1.7)


def _cases() -> dict[str, Case]:
    """By a name for each; the oracle names results by operator alone, of which gelu has several."""
    alone = {op: expect for op, (expect, _, _) in UNARY.items()} | ALONE
    found = {op: call(op, _VALUES, _of_x(expect)) for op, expect in alone.items()}
    found |= {f"gelu {mode}": call("gelu", _VALUES, _of_x(expect), mode=mode) for mode, expect in GELUS.items()}
    first, second = float(_FIRST), float(_SECOND)
    for op, expect in SHIFTED.items():
        found[op] = call(op, _VALUES, shifted(expect, first), epsilon=_FIRST)
    for op, one in BY_ALPHA.items():
        found[op] = call(op, _VALUES, lambda x, one=one: one(x, first), alpha=_FIRST)
    for op, both in BY_BOTH.items():
        found[op] = call(op, _VALUES, expect_both(both, first, second), alpha=_FIRST, beta=_SECOND)
    return found


def _of_x(expect: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: expect(x)


CASES = _cases()
_OF_SEVERAL = {"softmax", "prelu", "softplus_parametric"}  # or of one number and a vector
_OF_TWO_OR_NOT_REAL = {"cast", "clip", "threshold", "logical_not"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    found = measure(list(CASES.values()), tmp_path_factory.mktemp("programs"))
    return dict(zip(CASES, found, strict=True))


def _places(values: Array) -> Array:
    """float16 values as their places among all of them, both zeros at 0."""
    bits = values.astype(np.float16).view(np.int16).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFF), bits)


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_value_is_farther_off_than_its_last_place(results: dict[str, Result], name: str) -> None:
    actual, expected = results[name].actual, results[name].expected
    assert np.array_equal(np.isnan(actual), np.isnan(expected))
    real = ~np.isnan(expected)
    off = np.abs(_places(actual) - _places(expected))
    assert _VALUES["x"][real & (off > 1)].tolist() == []


def test_every_activation_is_among_them() -> None:
    assert set(activations.TRANSLATIONS) - {case.op for case in CASES.values()} == _OF_SEVERAL


def test_every_elementwise_operation_of_one_real_number_is_among_them() -> None:
    binary = {"floor_div", "mod", "not_equal", "real_div", *elementwise._SAME_BINARY}
    left = set(elementwise.TRANSLATIONS) - {case.op for case in CASES.values()} - binary
    assert left == _OF_TWO_OR_NOT_REAL
