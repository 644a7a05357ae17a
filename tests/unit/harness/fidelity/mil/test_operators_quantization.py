"""Quantisation at run time, against numpy at float64."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.quantization import TRANSLATIONS
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

RANDOM = np.random.default_rng(11)
Real = type[np.generic]
STORED = (np.int8, np.uint8)
FORMS: tuple[tuple[tuple[int, ...], int | None], ...] = (
    ((61, 71), None),
    ((40, 5, 24), 1),
    ((2, 3, 4, 5), -1),
    ((2, 3, 4, 5), 0),
    ((6,), -1),
    ((1, 2, 1, 3, 2), None),
)
"""Shape, and the axis along which scales differ."""


def parameters(shape: tuple[int, ...], axis: int | None, real: Real, stored: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Without a zero point and with one."""
    size = () if axis is None else (shape[axis],)
    where: dict[str, Any] = {} if axis is None else {"axis": axis}
    scale = RANDOM.uniform(0.02, 0.1, size).astype(real)
    zero = RANDOM.integers(*((0, 255) if stored is np.uint8 else (-100, 100)), size).astype(stored)
    yield {"scale": scale, **where}
    yield {"scale": scale, "zero_point": zero, **where}


def along(values: Array, axis: int | None, rank: int) -> Array:
    wide = np.asarray(values, np.float64)
    return wide if axis is None else wide.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def quantizations(real: Real) -> Iterator[Case]:
    for (shape, axis), stored in ((form, stored) for form in FORMS for stored in STORED):
        # Some lie outside of what the type holds, and some halfway between two of its values.
        x = (RANDOM.normal(size=shape) * 5).astype(real)
        for given in parameters(shape, axis, real, stored):
            dtype = np.dtype(stored).name
            yield call("quantize", {"input": x}, quantize(given, dtype), Target.IOS17, output_dtype=dtype, **given)
        halves = (RANDOM.integers(-40, 41, shape) / 4).astype(real)
        half = {"scale": np.array(0.5, real)}
        yield call("quantize", {"input": halves}, quantize(half, "int8"), Target.IOS17, output_dtype="int8", **half)


def quantize(given: dict[str, Any], dtype: str) -> Callable[..., Array]:
    bounds, axis = np.iinfo(dtype), given.get("axis")

    def expect(**inputs: Array) -> Array:
        values = inputs["input"]
        zero = along(given["zero_point"], axis, values.ndim) if "zero_point" in given else 0
        rounded = np.rint(values / along(given["scale"], axis, values.ndim))
        return np.asarray(np.clip(rounded + zero, bounds.min, bounds.max))

    return expect


def dequantizations(real: Real) -> Iterator[Case]:
    for (shape, axis), stored in ((form, stored) for form in FORMS for stored in STORED):
        bounds = np.iinfo(stored)
        values = RANDOM.integers(bounds.min, bounds.max + 1, shape).astype(stored)
        for given in parameters(shape, axis, real, stored):
            yield call("dequantize", {"input": values}, dequantize(given), Target.IOS17, **given)


def dequantize(given: dict[str, Any]) -> Callable[..., Array]:
    axis = given.get("axis")

    def expect(**inputs: Array) -> Array:
        values = inputs["input"]
        zero = along(given["zero_point"], axis, values.ndim) if "zero_point" in given else 0
        return np.asarray(along(given["scale"], axis, values.ndim) * (values - zero))

    return expect


CASES = [*sweep(quantizations), *sweep(dequantizations)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_quantization_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


@pytest.mark.parametrize(("dtype", "wanted"), [("int8", [127, 0, -128]), ("uint8", [255, 0, 0])])
def test_what_is_no_number_becomes_zero(tmp_path: Path, dtype: str, wanted: list[int]) -> None:
    given: dict[str, Any] = {"scale": np.float32(0.1), "output_dtype": dtype}
    case = call("quantize", {"input": np.array([np.inf, np.nan, -np.inf], np.float32)}, wanted_of(wanted), **given)
    (result,) = measure([replace(case, target=Target.IOS17)], tmp_path)
    assert result.actual.tolist() == wanted


def wanted_of(values: list[int]) -> Callable[..., Array]:
    return lambda **_: np.array(values)


def test_every_quantization_of_the_toolkit_is_translated() -> None:
    assert core_operators("quantization_ops") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
