"""Whether a later step kept what an earlier one made."""

import numpy as np
import pytest

from harness.core.errors import RecipeError
from harness.core.model import TensorSpec
from harness.variants.technique import Step
from harness.variants.tflite import chain, float16, inspect, int8
from harness.variants.tflite.clusters import cluster
from harness.variants.tflite.edit import Floats, edit_weights
from harness.variants.tflite.weights import Weight, read_weights
from tests.support import models
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal

SPARSE = Step(row="sparse-P", numbers=("50",))
PALETTE = Step(row="palette-B", numbers=("4",))


def pruned() -> bytes:
    return compressed(dense(normal(40, 50)), str(SPARSE))


def fill(values: Floats, _weight: Weight) -> Floats:
    return cluster(np.sort(values.reshape(-1)) + np.float32(1), 16, keep_zeros=False).reshape(values.shape)


def test_clustering_that_fills_zeros_has_lost_the_sparsity() -> None:
    filled = edit_weights(pruned(), "naive", fill)
    (note,) = chain.losses(chain.promises(SPARSE, pruned()), filled)
    assert note == (
        "sparse-50 was lost: 1 of 1 weights have fewer zeros than it left; worst 'y/weights', 0% instead of 50%"
    )


def test_clustering_that_keeps_zeros_has_lost_nothing() -> None:
    kept = compressed(pruned(), str(PALETTE))
    assert chain.losses(chain.promises(SPARSE, pruned()), kept) == ()


def test_weights_that_moved_after_clustering_have_lost_the_clusters() -> None:
    clustered = compressed(dense(normal(40, 50)), str(PALETTE))
    moved = edit_weights(clustered, "noise", lambda values, _: values + np.linspace(0, 1e-3, 50, dtype=np.float32))
    (note,) = chain.losses(chain.promises(PALETTE, clustered), moved)
    assert note.startswith("palette-4 was lost: 1 of 1 weights store more than 16 values under one scale; worst")


def test_clusters_under_one_scale_are_kept_by_quantisation() -> None:
    clustered = compressed(dense(normal(1, 500)), str(PALETTE))
    quantised = compressed(clustered, "weight-int8")
    assert chain.losses(chain.promises(PALETTE, clustered), quantised) == ()


def test_one_chance_zero_does_not_make_a_source_pruned() -> None:
    weights = normal(40, 50)
    weights[3, 4] = 0
    assert chain.source_promises(dense(weights)) == ()


def ends(source: str, built: str) -> list[tuple[TensorSpec, TensorSpec]]:
    return [(TensorSpec(name="x", shape=(1, 50), dtype=source), TensorSpec(name="x", shape=(1, 50), dtype=built))]


def test_an_end_of_the_wrong_dtype_is_an_error() -> None:
    with pytest.raises(RecipeError, match="'x' came out as float32 instead of int8"):
        inspect.check_ends("int8", "int8", ends("float32", "float32"))


def test_integer_ends_of_the_source_may_stay() -> None:
    inspect.check_ends("int8", "int8", ends("int32", "int32"))


def test_weights_of_the_wrong_dtype_are_an_error() -> None:
    source = dense(normal(4, 5))
    with pytest.raises(RecipeError, match="came out as int8 instead of float16"):
        inspect.check_stored("float16", float16.QUANTIZATION, source, compressed(source, "weight-int8"))


def test_weights_of_an_edit_are_float32() -> None:
    source = dense(normal(4, 5))
    with pytest.raises(RecipeError, match="came out as int8 instead of float32"):
        inspect.check_stored("sparse-50", None, source, compressed(source, "weight-int8"))


def test_float_activations_are_no_static_quantisation() -> None:
    source = dense(normal(4, 5))
    with pytest.raises(RecipeError, match="no operator computes on int8; activations are float32"):
        inspect.check_stored("int8-float-io", int8.QUANTIZATION, source, compressed(source, "weight-int8"))


def test_a_weight_that_was_to_stay_and_changed_is_an_error() -> None:
    source = dense(normal(4, 5))
    with pytest.raises(RecipeError, match="'y/weights' was to stay as it is"):
        inspect.check_untouched("float16", source, compressed(source, "sparse-50"), lambda _: True)


def test_static_quantisation_needs_samples() -> None:
    with pytest.raises(ValueError, match="without calibration samples"):
        compressed(models.tiny_cnn(), "int8-float-io")


def test_weights_of_a_rebuilt_file_find_their_partners_by_name() -> None:
    source, built = read_weights(models.tiny_cnn()), read_weights(models.tiny_cnn())[1:]
    assert [weight.name for weight in inspect.pair(source, built).values()] == [built[0].name]
