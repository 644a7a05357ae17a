"""Clustering of each output channel: of many rows at once, and in a file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.variants import recipes
from harness.variants.tflite import chain
from harness.variants.tflite.clusters import cluster
from harness.variants.tflite.clusters_by_row import cluster_rows
from harness.variants.tflite.edit import Floats, edit_weights
from harness.variants.tflite.weights import distinct_count, distinct_per_channel, read_weights, zero_count
from tests.support import models
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal
from tests.unit.harness.variants.test_sparse_pattern import depthwise_then_dense

FINITE = st.floats(-1000, 1000, width=32)
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 60)), elements=FINITE)
COUNTS = st.sampled_from([2, 4, 16])


@given(ROWS, COUNTS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_row_has_more_values_than_asked(rows: Floats, count: int, keep_zeros: bool) -> None:
    clustered = cluster_rows(rows, count, keep_zeros=keep_zeros)
    assert max(np.unique(row).size for row in clustered) <= count


@given(ROWS, COUNTS)
@settings(max_examples=100, deadline=None)
def test_zeros_stay_where_they_are_kept(rows: Floats, count: int) -> None:
    rows[:, ::2] = 0
    assert (cluster_rows(rows, count, keep_zeros=True)[rows == 0] == 0).all()


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_rows_of_few_values_come_back_unchanged(rows: Floats) -> None:
    np.testing.assert_array_equal(cluster_rows(rows, 64, keep_zeros=False), rows)


@given(ROWS, COUNTS)
@settings(max_examples=100, deadline=None)
def test_values_stay_within_their_row(rows: Floats, count: int) -> None:
    clustered = cluster_rows(rows, count, keep_zeros=False)
    slack = 1e-3 * np.abs(rows).max(axis=1)
    assert (clustered.min(axis=1) >= rows.min(axis=1) - slack).all()
    assert (clustered.max(axis=1) <= rows.max(axis=1) + slack).all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rows = normal(6, 200) * np.logspace(-6, 6, 6, dtype=np.float32)[:, None]
    alone = np.concatenate([cluster_rows(row[None], 16, keep_zeros=False) for row in rows])
    np.testing.assert_allclose(cluster_rows(rows, 16, keep_zeros=False), alone, rtol=1e-5)


@pytest.mark.parametrize(("size", "count"), [(27, 16), (576, 16), (576, 64), (2000, 256)])
def test_rows_at_once_are_as_good_as_rows_one_by_one(size: int, count: int) -> None:
    rows = normal(8, size)
    single = np.stack([cluster(row, count, keep_zeros=False) for row in rows])
    error = np.sum((cluster_rows(rows, count, keep_zeros=False) - rows) ** 2)
    assert error <= 1.02 * np.sum((single - rows) ** 2)


def test_each_output_channel_has_a_palette_of_its_own() -> None:
    built = compressed(dense(normal(8, 100)), "palette-2-per-channel")
    (weight,) = read_weights(built)
    assert (distinct_per_channel(built, weight), distinct_count(built, weight)) == (4, 32)


def test_channels_of_a_depthwise_convolution_are_its_last_axis() -> None:
    built = compressed(depthwise_then_dense(), "palette-2-per-channel")
    filtered = next(weight for weight in read_weights(built) if weight.operator == "DEPTHWISE_CONV_2D")
    assert distinct_per_channel(built, filtered) == 4


def test_channels_of_a_convolution_are_its_first_axis() -> None:
    built = compressed(models.tiny_cnn(), "palette-3-per-channel")
    convolution = next(weight for weight in read_weights(built) if weight.operator == "CONV_2D")
    assert distinct_per_channel(built, convolution) == 8


def test_a_pruned_tensor_keeps_its_zeros() -> None:
    pruned = compressed(dense(normal(8, 100)), "sparse-50")
    built = compressed(pruned, "palette-4-per-channel")
    assert zero_count(built, read_weights(built)[0]) == 400


def test_it_is_closer_than_one_palette_for_the_tensor() -> None:
    weights = normal(8, 100) * np.logspace(-2, 0, 8, dtype=np.float32)[:, None]

    def error(recipe: str) -> float:
        built = compressed(dense(weights), recipe)
        weight = read_weights(built)[0]
        stored = np.frombuffer(built, np.float32, weight.elements, weight.offset).reshape(weights.shape)
        return float(np.sum((stored - weights) ** 2))

    assert error("palette-4-per-channel") < error("palette-4")


def test_palettes_of_channels_are_kept_by_quantisation() -> None:
    assert losses("palette-4-per-channel", "dynamic-int8") == ()


def test_values_that_moved_within_a_channel_have_lost_its_palette() -> None:
    (step,) = recipes.parse("palette-4-per-channel").steps
    clustered = compressed(dense(normal(4, 200)), "palette-4-per-channel")
    moved = edit_weights(
        clustered, "noise", lambda values, _: values + np.linspace(0, 1, 200, dtype=np.float32)[None, :]
    )
    (note,) = chain.losses(chain.promises(step, clustered), moved)
    assert note.startswith("palette-4-per-channel was lost: 1 of 1 weights store more than 16 values in one channel")


def losses(first: str, second: str) -> tuple[str, ...]:
    """What the second step loses of the first."""
    (step,) = recipes.parse(first).steps
    clustered = compressed(dense(normal(40, 300)), first)
    return chain.losses(chain.promises(step, clustered), compressed(clustered, second))
