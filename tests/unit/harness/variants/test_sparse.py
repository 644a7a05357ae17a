"""Magnitude pruning by its properties."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.variants.tflite.edit import Floats
from harness.variants.tflite.sparse import prune

FINITE = st.floats(-1000, 1000, width=32)
VALUES = hnp.arrays(np.float32, st.integers(1, 300), elements=FINITE)
SHARES = st.integers(1, 99).map(lambda percent: percent / 100)


@given(VALUES, SHARES)
@settings(max_examples=200, deadline=None)
def test_zeros_are_the_share_within_one_element(values: Floats, share: float) -> None:
    had, wanted = float(np.count_nonzero(values == 0)), share * values.size
    zeros = float(np.count_nonzero(prune(values, share) == 0))
    assert abs(zeros - max(wanted, had)) <= 1


@given(VALUES, SHARES)
@settings(max_examples=200, deadline=None)
def test_pruning_again_changes_nothing(values: Floats, share: float) -> None:
    once = prune(values, share)
    np.testing.assert_array_equal(prune(once, share), once)


@given(VALUES, SHARES)
@settings(max_examples=200, deadline=None)
def test_what_stays_is_untouched_and_at_least_as_large_as_what_went(values: Floats, share: float) -> None:
    pruned = prune(values, share)
    stays = pruned != 0
    np.testing.assert_array_equal(pruned[stays], values[stays])
    assert np.abs(values[stays]).min(initial=np.inf) >= np.abs(values[~stays]).max(initial=0)


def test_among_equals_the_first_go() -> None:
    assert prune(np.array([5, 1, -1, 1, 1], np.float32), 0.4).tolist() == [5, 0, 0, 1, 1]
