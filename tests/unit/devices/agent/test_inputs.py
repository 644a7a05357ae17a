"""Values made up from a seed."""

import numpy as np
import pytest

from devices.agent import inputs

DTYPES = {
    inputs.FLOAT32: np.float32,
    inputs.FLOAT64: np.float64,
    inputs.FLOAT16: np.float16,
    inputs.INT8: np.int8,
    inputs.UINT8: np.uint8,
    inputs.INT16: np.int16,
    inputs.UINT16: np.uint16,
    inputs.INT32: np.int32,
    inputs.UINT32: np.uint32,
    inputs.INT64: np.int64,
    inputs.UINT64: np.uint64,
    inputs.BOOL: np.uint8,
}
RANGES = {
    inputs.FLOAT32: (-1, 1),
    inputs.FLOAT64: (-1, 1),
    inputs.FLOAT16: (-1, 1),
    inputs.INT8: (-128, 127),
    inputs.UINT8: (0, 255),
    inputs.INT16: (-(2**15), 2**15 - 1),
    inputs.UINT16: (0, 2**16 - 1),
    inputs.INT32: (0, 127),
    inputs.UINT32: (0, 127),
    inputs.INT64: (0, 127),
    inputs.UINT64: (0, 127),
    inputs.BOOL: (0, 1),
}


@pytest.mark.parametrize("kind", DTYPES)
def test_values_lie_in_the_range_of_their_type_and_fill_it(kind: int) -> None:
    made = inputs.make(kind, 5000 * np.dtype(DTYPES[kind]).itemsize, seed=1)
    values = np.frombuffer(made or b"", DTYPES[kind]).astype(np.float64)
    low, high = RANGES[kind]
    assert len(values) == 5000
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high


@pytest.mark.parametrize("kind", DTYPES)
def test_the_same_seed_gives_the_same_values(kind: int) -> None:
    assert inputs.make(kind, 64, seed=3) == inputs.make(kind, 64, seed=3) != inputs.make(kind, 64, seed=4)


@pytest.mark.parametrize("kind", [inputs.STRING, 0, 99])
def test_a_type_without_made_up_values_is_none(kind: int) -> None:
    assert inputs.make(kind, 8, seed=0) is None


def test_no_bytes_are_asked_for_and_none_are_made() -> None:
    assert inputs.make(inputs.FLOAT32, 0, seed=0) == b""
