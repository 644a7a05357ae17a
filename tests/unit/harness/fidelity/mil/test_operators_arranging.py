"""Operations that join, part, repeat, pad, reverse and window, against numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.arranging import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted, whole, with_scalars
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep, unlike_folded

pytestmark = pytest.mark.thorough

IOS15, IOS17 = Target.IOS15, Target.IOS17


def joined(op: str, expect: Any, *values: Array, **given: Any) -> Case:  # noqa: ANN401 (a function, constants)
    inputs = {f"value_{index}": value for index, value in enumerate(values)}

    def build(mb: Any, **read: Any) -> Any:  # noqa: ANN401 (of coremltools)
        return getattr(mb, op)(values=tuple(read.values()), **given)

    def expected(**read: Array) -> Any:  # noqa: ANN401 (one array or several)
        return expect(list(read.values()))

    return with_scalars(Case(op=op, inputs=inputs, build=build, expect=expected))


def interleaved(axis: int) -> Any:  # noqa: ANN401 (a function)
    def expect(values: list[Array]) -> Array:
        size = values[0].shape[axis]
        order = [part * size + at for at in range(size) for part in range(len(values))]
        return np.concatenate(values, axis).take(order, axis)

    return expect


def joins(real: Real) -> Iterator[Case]:
    wide, narrow = counted(2, 3, 4, real=real), counted(2, 1, 4, real=real) + real(100)
    yield joined("concat", lambda v: np.concatenate(v, 1), wide, narrow, axis=1)
    yield joined("concat", lambda v: np.concatenate(v, 1), wide, narrow, wide, axis=-2)
    other = wide + real(100)
    for axis in (0, 1, 2, -1, -3):
        yield joined("concat", lambda v, a=axis: np.concatenate(v, a), wide, other, axis=axis)
        yield joined("concat", interleaved(axis), wide, other, wide, axis=axis, interleave=True)
    for axis in (0, 1, 3, -1, -4):
        yield joined("stack", lambda v, a=axis: np.stack(v, a), wide, other, axis=axis)


def scalars() -> Iterator[Case]:
    yield joined("concat", np.stack, np.array(4, np.int32), np.array(-2, np.int32), axis=0)
    yield joined("stack", np.stack, np.array(4, np.float32), np.array(-2, np.float32), axis=0)


def parts(real: Real) -> Iterator[Case]:
    x = counted(2, 6, 4, real=real)
    yield case("split", lambda x: np.split(x, 3, 1), IOS15, {"num_splits": 3, "axis": 1}, x=x)
    yield case("split", lambda x: np.split(x, 2, -1), IOS15, {"num_splits": 2, "axis": -1}, x=x)
    sizes = {"split_sizes": [1, 3, 2], "axis": 1}
    yield case("split", lambda x: np.split(x, [1, 4], 1), IOS15, sizes, x=x)
    yield case("split", lambda x: [x], IOS15, {"num_splits": 1, "axis": 0}, x=x)


def repeats(real: Real) -> Iterator[Case]:
    x = counted(2, 3, real=real)
    yield case("tile", lambda x: np.tile(x, [2, 3]), IOS15, {"reps": [2, 3]}, x=x)
    yield case("tile", lambda x, reps: np.tile(x, reps), x=x, reps=whole(1, 4))


def pads(real: Real) -> Iterator[Case]:
    x = counted(2, 3, 5, 4, real=real)
    for pad in ([1, 2], [0, 1, 3, 0], [1, 2, 0, 1, 2, 2, 0, 3]):
        pairs = [(0, 0)] * (4 - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))
        filled = {"pad": pad, "constant_val": real(-1.5)}
        yield case("pad", lambda x, p=pairs: np.pad(x, p, constant_values=-1.5), IOS15, filled, x=x)
    pairs = [(0, 0), (0, 0), (2, 4), (3, 1)]
    for mode, numpys in (("reflect", "reflect"), ("replicate", "edge")):
        given = {"pad": [2, 4, 3, 1], "mode": mode, "constant_val": real(9)}
        yield case("pad", lambda x, p=pairs, m=numpys: np.pad(x, p, m), IOS15, given, x=x)
    zero = {"constant_val": real(0)}
    margins = whole(0, 1, 2, 0, 0, 0, 1, 1)
    yield case("pad", lambda x, pad: np.pad(x, pad.reshape(-1, 2)), IOS15, zero, x=x, pad=margins)


def default_pad() -> Iterator[Case]:
    pairs = [(0, 0), (1, 2)]
    yield case("pad", lambda x: np.pad(x, pairs), IOS15, {"pad": [1, 2]}, x=counted(2, 3))


def reversals(real: Real) -> Iterator[Case]:
    x = counted(2, 3, 4, real=real)
    yield case("reverse", lambda x: np.flip(x), x=x)
    for axes in ([0], [-1], [1, 2], [0, -2, 2]):
        yield case("reverse", lambda x, a=tuple(axes): np.flip(x, a), IOS15, {"axes": axes}, x=x)
    for along, batch in ((0, 1), (1, 0), (2, 0), (2, 1), (1, 2), (-1, -3)):
        lengths = whole(*[(3 * at) % (x.shape[along] + 1) for at in range(x.shape[batch])])
        given = {"seq_axis": along, "batch_axis": batch}
        yield case("reverse_sequence", partly_reversed(along, batch), IOS15, given, x=x, lengths=lengths)


def partly_reversed(along: int, batch: int) -> Any:  # noqa: ANN401 (a function)
    def expect(x: Array, lengths: Array) -> Array:
        result = x.copy()
        lines, moved = np.moveaxis(result, (batch, along), (0, 1)), np.moveaxis(x, (batch, along), (0, 1))
        for which, length in enumerate(lengths):
            lines[which, :length] = moved[which, :length][::-1]
        return result

    return expect


def windows(real: Real) -> Iterator[Case]:
    x = counted(2, 9, 3, real=real)
    for axis, size, stride in ((1, 4, 1), (1, 3, 2), (-2, 2, 3), (2, 3, 1), (0, 1, 1), (1, 9, 5)):
        given = {"axis": axis, "size": size, "stride": stride}
        yield case("sliding_windows", window(axis % 3, size, stride), IOS15, given, x=x)


def window(axis: int, size: int, stride: int) -> Any:  # noqa: ANN401 (a function)
    def expect(x: Array) -> Array:
        starts = range(0, x.shape[axis] - size + 1, stride)
        return np.stack([x.take(range(start, start + size), axis) for start in starts], axis)

    return expect


def of_open_shape() -> Iterator[Case]:
    """The number of non-zero elements is not known before the program runs."""

    def build(mb: Any, x: Any) -> Any:  # noqa: ANN401 (of coremltools)
        found = mb.non_zero(x=x)
        joined = mb.concat(values=(found, found), axis=0, interleave=False)
        return joined, mb.reverse(x=found), mb.sliding_windows(x=found, axis=0, size=2, stride=1)

    def expect(x: Array) -> list[Array]:
        found = np.argwhere(x)
        return [np.concatenate([found, found]), np.flip(found), window(0, 2, 1)(found)]

    yield Case(op="concat", inputs={"x": whole([0, 1, 0], [2, 3, 0])}, build=build, expect=expect)


def other_types() -> Iterator[Case]:
    for kind in (np.int32, np.bool_):
        x = (counted(2, 3, 4) % 3).astype(kind)
        yield joined("concat", lambda v: np.concatenate(v, 1), x, x, axis=1)
        yield joined("stack", lambda v: np.stack(v, 1), x, x, axis=1)
        yield case("split", lambda x: np.split(x, 2, 2), IOS15, {"num_splits": 2, "axis": 2}, x=x)
        yield case("tile", lambda x: np.tile(x, [1, 2, 1]), IOS15, {"reps": [1, 2, 1]}, x=x)
        yield case("reverse", lambda x: np.flip(x), x=x)
        given = {"seq_axis": 1, "batch_axis": 0}
        yield case("reverse_sequence", partly_reversed(1, 0), IOS15, given, x=x, lengths=whole(2, 3))
        target = IOS17 if kind is np.bool_ else IOS15
        yield case("sliding_windows", window(1, 2, 1), target, {"axis": 1, "size": 2}, x=x)


CASES = [
    *sweep(joins),
    *scalars(),
    *sweep(parts),
    *sweep(repeats),
    *sweep(pads),
    *default_pad(),
    *sweep(reversals),
    *sweep(windows),
    *of_open_shape(),
    *other_types(),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


# coremltools folds no reversed sequences, and concatenates without interleaving whatever it is told.
@pytest.mark.parametrize("op", sorted(set(operators(CASES)) - {"reverse_sequence", "concat"}))
def test_oracle_is_what_coremltools_folds(op: str) -> None:
    assert unlike_folded(CASES, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
