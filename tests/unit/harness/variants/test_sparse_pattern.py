"""N zeros of every M input channels, by its properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import ModelWriter
from harness.variants.tflite.edit import Floats
from harness.variants.tflite.sparse_pattern import prune_pattern
from harness.variants.tflite.weights import read_weights, values, zero_count
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal

FINITE = st.floats(-1000, 1000, width=32)
WEIGHTS = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(8, 40)), elements=FINITE)
PATTERNS = st.integers(2, 4).flatmap(lambda of: st.tuples(st.integers(1, of - 1), st.just(of)))


def groups(weights: Floats, of: int) -> Floats:
    """Rows of `of` neighbours; a last short one is filled with zeros."""
    return np.pad(weights, ((0, 0), (0, -weights.shape[1] % of))).reshape(-1, of)


@given(WEIGHTS, PATTERNS)
@settings(max_examples=100, deadline=None)
def test_every_group_has_at_least_so_many_zeros(weights: Floats, pattern: tuple[int, int]) -> None:
    zeros, of = pattern
    pruned = groups(prune_pattern(weights, zeros, of), of)
    assert (np.count_nonzero(pruned == 0, axis=1) >= zeros).all()


@given(WEIGHTS, PATTERNS)
@settings(max_examples=100, deadline=None)
def test_what_stays_is_untouched_and_at_least_as_large_as_what_went(weights: Floats, pattern: tuple[int, int]) -> None:
    zeros, of = pattern
    before, after = groups(weights, of), groups(prune_pattern(weights, zeros, of), of)
    stays = after != 0
    np.testing.assert_array_equal(after[stays], before[stays])
    least = np.where(stays, np.abs(after), np.inf).min(axis=1)
    assert (least >= np.where(stays, 0, np.abs(before)).max(axis=1)).all()


@given(WEIGHTS, PATTERNS)
@settings(max_examples=100, deadline=None)
def test_no_more_go_than_the_pattern_asks(weights: Floats, pattern: tuple[int, int]) -> None:
    zeros, of = pattern
    before, after = groups(weights, of), groups(prune_pattern(weights, zeros, of), of)
    had = np.count_nonzero(before == 0, axis=1)
    np.testing.assert_array_equal(np.count_nonzero(after == 0, axis=1), np.maximum(had, zeros))


def test_n_counts_zeros_as_in_coremltools() -> None:
    """The example of coremltools 9, OpMagnitudePrunerConfig, n_m_ratio=(1, 2); made unambiguous in the third row."""
    weights = np.array([[3, 4, 7, 6], [1, 8, -3, -8], [-2, -3, -4, 0], [5, 4, -3, -2]], np.float32)
    assert prune_pattern(weights, 1, 2).tolist() == [[0, 4, 7, 0], [0, 8, 0, -8], [0, -3, -4, 0], [5, 0, -3, 0]]


def test_a_short_last_group_is_filled_with_zeros() -> None:
    assert prune_pattern(np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9]], np.float32), 3, 4)[0, 8] == 9
    assert prune_pattern(np.array([[1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7]], np.float32), 3, 4)[0, 8:].tolist() == [9, 0, 0]


def test_too_few_channels_stay_as_they_are() -> None:
    weights = normal(3, 7)
    np.testing.assert_array_equal(prune_pattern(weights, 2, 4), weights)


def test_groups_run_along_the_input_channels_of_a_convolution() -> None:
    weights = np.zeros((1, 1, 2, 8), np.float32)
    weights[0, 0] = np.arange(1, 17, dtype=np.float32).reshape(2, 8)
    assert (prune_pattern(weights, 2, 4)[0, 0] != 0).tolist() == [[False, False, True, True] * 2] * 2


@pytest.mark.parametrize(("name", "zeros"), [("y", 32), ("filtered", 0)])
def test_depthwise_filters_are_left_alone(name: str, zeros: int) -> None:
    built = compressed(depthwise_then_dense(), "sparse-2:4")
    (weight,) = [weight for weight in read_weights(built) if weight.name == f"{name}/weights"]
    assert zero_count(built, weight) == zeros


def test_the_recipe_prunes_a_file() -> None:
    built = compressed(dense(normal(4, 16)), "sparse-1:4")
    (weight,) = read_weights(built)
    assert (np.count_nonzero(values(built, weight).reshape(-1, 4) == 0, axis=1) == 1).all()


def depthwise_then_dense() -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4, 4, 16))
    filters = normal(9, 16).reshape(1, 3, 3, 16)
    filtered = ops.depthwise_conv_2d(graph, x, filters, np.zeros(16, np.float32), name="filtered")
    pooled = ops.mean(graph, filtered, (1, 2), name="pooled")
    y = ops.fully_connected(graph, pooled, normal(4, 16), np.zeros(4, np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()
