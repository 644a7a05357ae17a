"""Activations, against numpy at float64."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import special

from harness.core.target import Target
from harness.fidelity.mil.operators.activations import TRANSLATIONS
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

RANDOM = np.random.default_rng(5)
SHAPES = ((61, 71), (2, 3, 5), (1, 3, 4, 2), (2, 3, 1, 2, 2))
Real = type[np.generic]


def gelu_by_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


def softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0, x))


def leaky(x: Array, alpha: float) -> Array:
    return np.where(x >= 0, x, alpha * x)


ALONE: dict[str, Callable[[Array], Array]] = {
    "gelu": lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2))),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": lambda x: special.expit(x),
    "silu": lambda x: x * special.expit(x),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
}
BY_ALPHA: dict[str, Callable[[Array, float], Array]] = {
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    "leaky_relu": leaky,
    "thresholded_relu": lambda x, alpha: np.where(x >= alpha, x, 0),
}
BY_BOTH: dict[str, Callable[[Array, float, float], Array]] = {
    "clamped_relu": lambda x, alpha, beta: np.minimum(leaky(x, alpha), beta),
    "linear_activation": lambda x, alpha, beta: alpha * x + beta,
    "scaled_tanh": lambda x, alpha, beta: alpha * np.tanh(beta * x),
    "sigmoid_hard": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
}
GELUS: dict[str, Callable[[Array], Array]] = {
    "EXACT": ALONE["gelu"],
    "TANH_APPROXIMATION": gelu_by_tanh,
    "SIGMOID_APPROXIMATION": lambda x: x * special.expit(1.702 * x),
}


def draw(shape: tuple[int, ...], real: Real) -> Array:
    """Values with zeros and halves among them, where activations change their course."""
    values = RANDOM.normal(size=shape) * 4
    return np.where(RANDOM.random(shape) < 0.1, np.round(values * 2) / 2, values).astype(real)


def plain(real: Real) -> Iterator[Case]:
    for shape in SHAPES:
        x = {"x": draw(shape, real)}
        for op, expect in ALONE.items():
            yield call(op, x, expect)
        for mode, expect in GELUS.items():
            yield call("gelu", x, expect, mode=mode)
        for axis in (0, 1, -1, -2):
            yield call("softmax", x, lambda x, axis=axis: special.softmax(x, axis), axis=axis)
        yield call("softmax", x, lambda x: special.softmax(x, -1))


def by_parameters(real: Real) -> Iterator[Case]:
    """alpha may be a value that float16 has not, beside an input in float16, from iOS17 on."""
    for shape, target in ((shape, target) for shape in SHAPES for target in (Target.IOS15, Target.IOS17)):
        given = real if target is Target.IOS15 else np.float32
        alpha, beta = given(0.3), given(1.7)
        x, first, second = {"x": draw(shape, real)}, float(alpha), float(beta)
        for op, one in BY_ALPHA.items():
            yield call(op, x, lambda x, one=one, first=first: one(x, first), target, alpha=alpha)
        for op, both in BY_BOTH.items():
            expect = expect_both(both, first, second)
            yield call(op, x, expect, target, alpha=alpha, beta=beta)
            expect = expect_both(both, -first, -second)
            yield call(op, x, expect, target, alpha=given(-0.3), beta=given(-1.7))


def expect_both(both: Callable[[Array, float, float], Array], first: float, second: float) -> Callable[[Array], Array]:
    return lambda x: both(x, first, second)


def at_bounds(real: Real) -> Iterator[Case]:
    """Values that are the parameter itself, and beside it."""
    alpha = real(0.3)
    x = np.array([np.nextafter(alpha, real(0)), alpha, np.nextafter(alpha, real(1)), 0.0], real)
    for op, one in BY_ALPHA.items():
        yield call(op, {"x": x}, lambda x, one=one: one(x, float(alpha)), alpha=alpha)


IMAGES: tuple[tuple[int, ...], ...] = ((3, 40, 9, 11), (1, 3, 5, 2))
OTHERS: tuple[tuple[int, ...], ...] = ((2, 4, 3), (2, 3, 4, 1, 2))


def by_channel(real: Real) -> Iterator[Case]:
    for shape in (*IMAGES, *OTHERS):
        alpha, beta = (RANDOM.normal(size=shape[1]).astype(real) for _ in range(2))
        x = {"x": draw(shape, real)}
        yield call("softplus_parametric", x, parametric(alpha, beta), alpha=alpha, beta=beta)
        # Other than over images, MIL has one alpha for all channels.
        alpha = alpha if shape in IMAGES else np.full(shape[1], 0.25, real)
        yield call("prelu", x, prelu(alpha), alpha=alpha)


def along_channels(values: Array, x: Array) -> Array:
    return values.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2))


def prelu(alpha: Array) -> Callable[[Array], Array]:
    return lambda x: np.where(x > 0, x, along_channels(alpha, x) * x)


def parametric(alpha: Array, beta: Array) -> Callable[[Array], Array]:
    return lambda x: along_channels(alpha, x) * softplus(along_channels(beta, x) * x)


CASES = [*sweep(plain), *sweep(by_parameters), *sweep(at_bounds), *sweep(by_channel)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_activation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


# Its folding doubles a bound below zero: it adds what each side of zero gives, both bounded.
@pytest.mark.parametrize("op", sorted(set(operators(CASES)) - {"clamped_relu"}))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_activation_of_the_toolkit_is_translated() -> None:
    assert core_operators("activation") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
