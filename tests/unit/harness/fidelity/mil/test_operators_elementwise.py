"""Operations on single elements, against numpy at float64."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy import special

from harness.core.target import Target
from harness.fidelity.mil.operators.elementwise import TRANSLATIONS
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

RANDOM = np.random.default_rng(4)
SHAPES = ((61, 71), (7,), (2, 1, 3, 1, 5))
PAIRS = (((61, 71), (61, 71)), ((4, 1, 5), (3, 1)), ((6,), (1, 2, 1)))
Real = type[np.generic]


def normal(shape: tuple[int, ...]) -> Array:
    return RANDOM.normal(size=shape) * 2


def between(low: float, high: float) -> Callable[[tuple[int, ...]], Array]:
    return lambda shape: RANDOM.uniform(low, high, shape)


def every_float16(low: float, high: float) -> Array:
    values = np.arange(2**16, dtype=np.uint16).view(np.float16)
    return values[(values >= low) & (values <= high)]


def halves(shape: tuple[int, ...]) -> Array:
    return RANDOM.integers(-9, 10, shape) / 2


UNARY: dict[str, tuple[Callable[[Array], Array], float, float]] = {
    "abs": (np.abs, -300, 300),
    "acos": (np.arccos, -1, 1),
    "asin": (np.arcsin, -1, 1),
    "atan": (np.arctan, -300, 300),
    "atanh": (np.arctanh, -0.99, 0.99),
    "ceil": (np.ceil, -300, 300),
    "cos": (np.cos, -10, 10),
    "cosh": (np.cosh, -8, 8),
    "erf": (special.erf, -5, 5),
    "exp": (np.exp, -10, 8),
    "exp2": (np.exp2, -12, 12),
    "floor": (np.floor, -300, 300),
    "round": (np.round, -300, 300),
    "sign": (np.sign, -300, 300),
    "sin": (np.sin, -10, 10),
    "sinh": (np.sinh, -8, 8),
    "sqrt": (np.sqrt, 0, 60000),
    "square": (np.square, -200, 200),
    "tan": (np.tan, -1.5, 1.5),
    "tanh": (np.tanh, -6, 6),
}
"""What each is at float64, and between which bounds it is swept: over every value that float16 has there."""


def unary(real: Real) -> Iterator[Case]:
    for op, (expect, low, high) in UNARY.items():
        yield one(op, every_float16(low, high).astype(real), expect)
        for shape in SHAPES:
            yield one(op, between(low, high)(shape).astype(real), expect)


def one(op: str, x: Array, expect: Callable[..., Any], target: Target = Target.IOS15, **parameters: Any) -> Case:  # noqa: ANN401
    return call(op, {"x": x}, lambda x: expect(x), target, **parameters)


def with_parameters(real: Real) -> Iterator[Case]:
    low, high = real(-0.7), real(1.3)
    for shape in SHAPES:
        x, positive = normal(shape).astype(real), between(0.01, 5)(shape).astype(real)
        yield one("clip", x, lambda x: np.clip(x, float(low), float(high)), alpha=low, beta=high)
        yield one("threshold", x, lambda x: np.maximum(x, float(high)), alpha=high)
        for op, expect in SHIFTED.items():
            yield one(op, positive, shifted(expect, float(real(DEFAULTS[op]))))
            yield one(op, positive, shifted(expect, float(high)), epsilon=high)


SHIFTED: dict[str, Callable[[Array], Array]] = {
    "inverse": lambda x: 1 / x,
    "log": np.log,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
DEFAULTS = {"inverse": 1e-4, "log": 1e-45, "rsqrt": 1e-12}


def shifted(expect: Callable[[Array], Array], epsilon: float) -> Callable[[Array], Array]:
    return lambda x: expect(x + epsilon)


def epsilons_of_another_type() -> Iterator[Case]:
    """From iOS17 on: float32 beside an input in float16, to which it would be nothing."""
    x = np.array([0, 1e-7, 6e-5, 1, 300], np.float16)
    epsilon = np.float32(1e-9)
    for op, expect in SHIFTED.items():
        yield one(op, x, shifted(expect, float(epsilon)), target=Target.IOS17, epsilon=epsilon)


BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "equal": np.equal,
    "floor_div": np.floor_divide,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": np.mod,
    "mul": np.multiply,
    "not_equal": np.not_equal,
    "real_div": np.divide,
    "sub": np.subtract,
}


def binary(real: Real) -> Iterator[Case]:
    for left, right in PAIRS:
        x, y = halves(left).astype(real), (halves(right) + 0.25).astype(real)
        for op, expect in BINARY.items():
            yield two(op, x, y, expect)
            yield two(op, normal(left).astype(real), y, expect)
        yield two("pow", np.abs(normal(left)).astype(real), normal(right).astype(real), np.power)


def two(op: str, x: Array, y: Array, expect: Callable[..., Any]) -> Case:
    return call(op, {"x": x, "y": y}, lambda x, y: expect(x, y))


def integers() -> Iterator[Case]:
    for left, right in PAIRS:
        x, y = RANDOM.integers(-20, 21, left, np.int32), RANDOM.integers(1, 7, right, np.int32)
        y = (y * RANDOM.choice([-1, 1], right)).astype(np.int32)
        for op, expect in BINARY.items():
            if op != "real_div":
                yield two(op, x, y, expect)
        yield two("real_div", x, y, lambda x, y: np.trunc(x / y))
        yield two("pow", x, np.abs(y), np.power)
        for op in ("abs", "sign", "square"):
            yield one(op, x, UNARY[op][0])
        yield one("exp2", np.abs(x), np.exp2)
        yield one("threshold", x, lambda x: np.maximum(x, 3), alpha=np.int32(3))


def bools() -> Iterator[Case]:
    for left, right in PAIRS:
        x, y = RANDOM.random(left) < 0.5, RANDOM.random(right) < 0.5
        yield one("logical_not", x, np.logical_not)
        yield two("logical_and", x, y, np.logical_and)
        yield two("logical_or", x, y, np.logical_or)
        yield two("logical_xor", x, y, np.logical_xor)


def casts() -> Iterator[Case]:
    reals = np.array([-130.7, -1.5, -0.5, 0, 0.4, 0.99, 1.5, 2.5, 127.9, 200.2], np.float32)
    whole = np.array([-70000, -129, -1, 0, 1, 127, 128, 255, 256, 65536, 70001], np.int32)
    wide: tuple[Array, ...] = (reals, reals.astype(np.float16), whole, whole > 3)
    for x in wide:
        for dtype in ("fp16", "fp32", "int32", "bool"):
            yield one("cast", x, to(dtype), dtype=dtype)
    for x in (*wide, whole.astype(np.int8), whole.astype(np.uint16)):
        for dtype in ("int8", "uint8", "int16", "uint16", "int32", "fp16", "bool"):
            yield one("cast", x, to(dtype), target=Target.IOS17, dtype=dtype)


def to(dtype: str) -> Callable[[Array], Array]:
    """Truncated, and wrapped around where the type is too narrow."""
    if dtype in ("fp16", "fp32"):
        return lambda x: x.astype(np.float64)
    if dtype == "bool":
        return lambda x: x != 0
    return lambda x: np.trunc(x).astype(np.int64).astype(dtype)


def concatenated(*groups: Iterable[Case]) -> list[Case]:
    return [case for group in groups for case in group]


CASES = concatenated(
    sweep(unary), sweep(with_parameters), sweep(binary), epsilons_of_another_type(), integers(), bools(), casts()
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


@pytest.mark.parametrize("op", operators(CASES))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_operation_of_the_toolkit_is_translated() -> None:
    assert core_operators("elementwise_unary", "elementwise_binary") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
