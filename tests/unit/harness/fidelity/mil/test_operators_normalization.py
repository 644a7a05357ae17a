"""Normalisations, against numpy at float64."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.normalization import TRANSLATIONS
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

RANDOM = np.random.default_rng(10)
Real = type[np.generic]
SHAPES: tuple[tuple[int, ...], ...] = ((2, 8, 21, 20), (3, 5, 7), (1, 3, 4, 5), (2, 3, 2, 3, 4))


def draw(shape: Sequence[int], real: Real) -> Array:
    return (RANDOM.normal(size=shape) * 3 + 1).astype(real)


def wide(values: Array, rank: int) -> Array:
    """A value for each channel, over all else."""
    return values.astype(np.float64).reshape(-1, *[1] * (rank - 2))


def chosen(kind: Real, small: float, **given: Array) -> Iterator[dict[str, Array]]:
    """None, some and all of the optional parameters. epsilon is always there at float16: coremltools does not read a
    program in which its default, a float32, stands beside parameters in float16."""
    names, epsilon = list(given), {"epsilon": np.array(small, kind)}
    for kept in ([], names[:1], names):
        optional = {name: given[name] for name in kept}
        yield optional | epsilon
        if kind is np.float32:
            yield optional


def parameter_types(real: Real) -> Iterator[tuple[Real, Target]]:
    """From iOS17 on parameters may have another type than what they normalise."""
    yield real, Target.IOS15
    yield np.float32, Target.IOS17


def batch_norms(real: Real) -> Iterator[Case]:
    for shape, (given, target) in ((shape, each) for shape in SHAPES for each in parameter_types(real)):
        mean, gamma, beta = (draw([shape[1]], given) for _ in range(3))
        variance = RANDOM.uniform(0.01, 4, shape[1]).astype(given)
        for optional in chosen(given, 0.01, gamma=gamma, beta=beta):
            fixed = {"mean": mean, "variance": variance}
            expect = batch_norm(mean, variance, epsilon(optional), optional)
            yield call("batch_norm", {"x": draw(shape, real)}, expect, target, **fixed, **optional)


def epsilon(given: dict[str, Array]) -> float:
    return float(given.get("epsilon", np.float32(1e-5)))


def scaled(x: Array, optional: dict[str, Array]) -> Array:
    gamma, beta = optional.get("gamma", np.ones(1)), optional.get("beta", np.zeros(1))
    return x * wide(gamma, x.ndim) + wide(beta, x.ndim)


def batch_norm(mean: Array, variance: Array, small: float, optional: dict[str, Array]) -> Callable[[Array], Array]:
    return lambda x: scaled((x - wide(mean, x.ndim)) / np.sqrt(wide(variance, x.ndim) + small), optional)


def standardized(x: Array, axes: tuple[int, ...], small: float) -> Array:
    centred = x - x.mean(axes, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(axes, keepdims=True) + small))


def instance_norms(real: Real) -> Iterator[Case]:
    shapes = [shape for shape in SHAPES if len(shape) < 5]
    for shape, (given, target) in ((shape, each) for shape in shapes for each in parameter_types(real)):
        gamma, beta = (draw([shape[1]], given) for _ in range(2))
        for optional in chosen(given, 0.1, gamma=gamma, beta=beta):
            expect = instance_norm(epsilon(optional), optional)
            yield call("instance_norm", {"x": draw(shape, real)}, expect, target, **optional)


def instance_norm(small: float, optional: dict[str, Array]) -> Callable[[Array], Array]:
    return lambda x: scaled(standardized(x, tuple(range(2, x.ndim)), small), optional)


AXES: tuple[tuple[tuple[int, ...], Sequence[int]], ...] = (
    ((30, 6, 40), [-1]),
    ((3, 5, 7), [1, 2]),
    ((3, 5, 7), [-3]),
    ((3, 5, 7), [0, 1, 2]),
    ((2, 3, 4, 5), [1, 3]),
    ((2, 3, 4, 5), [-1, -2]),
    ((6, 9), [1]),
)


def layer_norms(real: Real) -> Iterator[Case]:
    for (shape, axes), (given, target) in ((form, each) for form in AXES for each in parameter_types(real)):
        normalized = sorted(axis % len(shape) for axis in axes)
        gamma, beta = (draw([shape[axis] for axis in normalized], given) for _ in range(2))
        for optional in chosen(given, 0.1, gamma=gamma, beta=beta):
            expect = layer_norm(normalized, epsilon(optional), optional)
            yield call("layer_norm", {"x": draw(shape, real)}, expect, target, axes=axes, **optional)


def layer_norm(axes: Sequence[int], small: float, optional: dict[str, Array]) -> Callable[[Array], Array]:
    def expect(x: Array) -> Array:
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        found = standardized(x, tuple(axes), small)
        for combine, name in ((np.multiply, "gamma"), (np.add, "beta")):
            if name in optional:
                found = combine(found, optional[name].astype(np.float64).reshape(shape))
        return found

    return expect


def l2_norms(real: Real) -> Iterator[Case]:
    for shape, (given, target) in ((shape, each) for shape in SHAPES for each in parameter_types(real)):
        x = {"x": draw(shape, real)}
        yield call("l2_norm", x, l2_norm(0.5), target, epsilon=given(0.5))
        if given is np.float32:
            yield call("l2_norm", x, l2_norm(1e-6), target)


def l2_norm(small: float) -> Callable[[Array], Array]:
    return lambda x: x / np.sqrt((x**2).sum((-3, -2, -1), keepdims=True) + small)


def response_norms(real: Real) -> Iterator[Case]:
    for shape, size in (((2, 8, 16, 18), 5), ((1, 4, 2, 3), 3), ((1, 2, 3, 2), 1), ((1, 3, 2, 2), 7)):
        x = {"x": draw(shape, real)}
        given: dict[str, Any] = {name: real(value) for name, value in {"alpha": 0.5, "beta": 0.6, "k": 2.0}.items()}
        yield call("local_response_norm", x, response_norm(size, **given), size=size, **given)
        if real is np.float32:
            yield call("local_response_norm", x, response_norm(size, 1e-4, 0.75, 1.0), size=size)


def response_norm(size: int, alpha: float, beta: float, k: float) -> Callable[[Array], Array]:
    def expect(x: Array) -> Array:
        around = np.pad(x**2, [(0, 0), (size // 2, size // 2), (0, 0), (0, 0)])
        total = sum(around[:, i : i + x.shape[1]] for i in range(size))
        return np.asarray(x / (float(k) + float(alpha) / size * total) ** float(beta))

    return expect


CASES = [
    *sweep(batch_norms),
    *sweep(instance_norms),
    *sweep(layer_norms),
    *sweep(l2_norms),
    *sweep(response_norms),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_normalization_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_normalization_of_the_toolkit_is_translated() -> None:
    assert core_operators("normalization") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()


@pytest.mark.parametrize(("shape", "size"), [((1, 4, 2, 3), 2), ((1, 4, 6), 3)])
def test_windows_of_channels_that_are_not_documented_are_refused(
    shape: tuple[int, ...], size: int, tmp_path: Path
) -> None:
    case = call("local_response_norm", {"x": draw(shape, np.float32)}, lambda x: x, size=size)
    with pytest.raises(ReferenceUnable, match=r"local_response_norm of size . over rank .: its window"):
        measure([case], tmp_path)


@pytest.mark.parametrize("op", ["instance_norm", "layer_norm"])
@pytest.mark.parametrize("real", [np.float16, np.float32])
def test_normalization_is_what_float64_gives_where_the_mean_is_large(op: str, real: Real, tmp_path: Path) -> None:
    """Over several draws: near 300 float16 has steps of 0.25, so that one value by a tie is a thousandth of a draw."""
    small = real(1e-5)
    axes: dict[str, Any] = {"axes": [2, 3]} if op == "layer_norm" else {}

    def case() -> Case:
        x = (draw((4, 8, 50, 60), np.float64) + 300).astype(real)
        return call(op, {"x": x}, lambda x: standardized(x, (2, 3), float(small)), epsilon=small, **axes)

    assert misses(measure([case() for _ in range(6)], tmp_path), op) == []
