"""Operations that move blocks of pixels, against loops over pixels."""

from collections.abc import Iterator

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.blocks import TRANSLATIONS
from tests.support.mil_cases import Real, case, counted
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS16 = Target.IOS15, Target.IOS16


def spread(x: Array, block: int, *, channels_first: bool) -> Array:
    """Channels to space. channels_first: a channel's places stand together (pixel_shuffle), else a place's channels."""
    n, depth, height, width = x.shape
    channels = depth // block**2
    result = np.zeros((n, channels, height * block, width * block))
    for c, down, across in np.ndindex(channels, block, block):
        place = down * block + across
        source = c * block**2 + place if channels_first else place * channels + c
        result[:, c, down::block, across::block] = x[:, source]
    return result


def gather(x: Array, block: int, *, channels_first: bool) -> Array:
    """Space to channels, the inverse."""
    n, channels, height, width = x.shape
    result = np.zeros((n, channels * block**2, height // block, width // block))
    for c, down, across in np.ndindex(channels, block, block):
        place = down * block + across
        result[:, c * block**2 + place if channels_first else place * channels + c] = x[
            :, c, down::block, across::block
        ]
    return result


def space_to_batch(x: Array, block: list[int], paddings: list[list[int]]) -> Array:
    """Batches of the first place of all blocks, then those of the next (tf.space_to_batch_nd)."""
    padded = np.pad(x, [(0, 0), (0, 0), *map(tuple, paddings)])
    places = np.ndindex(*block)
    return np.concatenate([padded[:, :, down :: block[0], across :: block[1]] for down, across in places])


def batch_to_space(x: Array, block: list[int], crops: list[list[int]]) -> Array:
    places = block[0] * block[1]
    n, channels, height, width = x.shape
    whole = np.zeros((n // places, channels, height * block[0], width * block[1]))
    for place, (down, across) in enumerate(np.ndindex(*block)):
        whole[:, :, down :: block[0], across :: block[1]] = x[place * n // places : (place + 1) * n // places]
    (top, bottom), (left, right) = crops
    return whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]


def moves(real: Real) -> Iterator[Case]:
    deep, wide = counted(2, 18, 2, 3, real=real), counted(2, 2, 6, 9, real=real)
    yield case("depth_to_space", lambda x: spread(x, 3, channels_first=False), IOS15, {"block_size": 3}, x=deep)
    yield case("pixel_shuffle", lambda x: spread(x, 3, channels_first=True), IOS15, {"upscale_factor": 3}, x=deep)
    yield case("space_to_depth", lambda x: gather(x, 3, channels_first=False), IOS15, {"block_size": 3}, x=wide)
    factor = {"downscale_factor": np.uint32(3)}
    yield case("pixel_unshuffle", lambda x: gather(x, 3, channels_first=True), IOS16, factor, x=wide)


def batches(real: Real) -> Iterator[Case]:
    x, many = counted(2, 3, 4, 6, real=real), counted(12, 3, 2, 3, real=real)
    for block, margins in (([2, 3], [[0, 0], [0, 0]]), ([2, 2], [[1, 1], [2, 0]]), ([3, 1], [[0, 2], [0, 3]])):
        given = {"block_shape": block, "paddings": margins}
        yield case("space_to_batch", lambda x, b=block, m=margins: space_to_batch(x, b, m), IOS15, given, x=x)
    for block, margins in (([2, 3], [[0, 0], [0, 0]]), ([2, 2], [[1, 0], [2, 1]]), ([3, 1], [[0, 2], [1, 0]])):
        given = {"block_shape": block, "crops": margins}
        yield case("batch_to_space", lambda x, b=block, m=margins: batch_to_space(x, b, m), IOS15, given, x=many)


CASES = [*sweep(moves), *sweep(batches)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_numpy_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()


def test_oracle_of_batches_has_what_core_ml_gave() -> None:
    """Values of coremltools' own test of space_to_batch, which runs on a Mac."""
    x = np.arange(1.0, 17.0).reshape(2, 1, 2, 4)
    expected = [[0, 1, 3], [0, 9, 11], [0, 2, 4], [0, 10, 12], [0, 5, 7], [0, 13, 15], [0, 6, 8], [0, 14, 16]]
    assert space_to_batch(x, [2, 2], [[0, 0], [2, 0]])[:, 0, 0].tolist() == expected
