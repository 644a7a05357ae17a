"""Programs with weights that no technique expects: beyond float16, too small, all zero, no numbers; read in detours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ChangedNothing, RecipeError, RecipeRefused
from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting
from harness.sources.reading import read_model
from harness.toolkit import import_coremltools
from harness.variants.coreml.activation_check import check_activations
from harness.variants.coreml.operators import read_contents
from harness.variants.coreml.package import load, open_program
from harness.variants.coreml.weights import read_weights
from harness.variants.coreml.widened import widened
from tests.support.mil import builder, write
from tests.unit.harness.variants.coreml.programs import a_model, a_variant

pytestmark = pytest.mark.thorough

Array = Any


def drawn(*shape: int, seed: int = 0) -> Array:
    values = np.random.default_rng(seed).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


def two_layers(folder: Path, first: Array) -> Model:
    """`odd` with the weight of 64 x 64 given, then `ok`."""

    def body(x: Array) -> Array:
        mb = builder()
        return mb.linear(x=mb.linear(x=x, weight=first, name="odd"), weight=drawn(64, 64), name="ok")

    path = write(folder / "odd.mlpackage", {"x": (4, 64)}, body, "iOS15", "float32")
    return read_model(path, name="odd", random_weights=True)


def spoilt(value: float) -> Array:
    weight = drawn(64, 64, seed=1)
    weight[0, 0] = value
    return weight


def test_an_operator_with_weights_beyond_float16_is_named(tmp_path: Path) -> None:
    variant = a_variant(two_layers(tmp_path, spoilt(1e6)), "float16", tmp_path)
    assert [tensor.dtype for tensor in variant.tensors] == ["float32", "float16"]
    assert variant.notes == ("'odd' computes in float32: its constants, 'odd_weight_0' among them, go beyond float16",)


def test_an_operator_that_computes_in_float32_is_named_where_its_weight_is_compressed(tmp_path: Path) -> None:
    variant = a_variant(two_layers(tmp_path, spoilt(1e6)), "weight-int8", tmp_path)
    assert (variant.weights_compressed, len(variant.notes)) == (2, 1)
    assert "'odd' computes in float32" in variant.notes[0]


def test_int8_of_an_operator_that_computes_in_float32_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeRefused, match=r"'odd' computes in float32.*leave it out with a setting"):
        a_variant(two_layers(tmp_path, spoilt(1e6)), "int8", tmp_path)


def test_a_program_that_was_not_cast_is_no_float16_variant(tmp_path: Path) -> None:
    weights = read_weights(load(two_layers(tmp_path, drawn(64, 64)).path))
    with pytest.raises(RecipeError, match="the weight 'odd_weight_0' of 'odd' is float32 instead of float16"):
        widened("float16", weights, cast=True)
    assert widened("float16", weights, cast=False)["odd_weight_0"] == "'odd' computes in float32, as in the source"


def test_weights_too_small_for_a_scale_fail_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the weight 'odd_weight_0' has lost all of its values"):
        a_variant(two_layers(tmp_path, drawn(64, 64) * 1e-7), "weight-int8", tmp_path)


@pytest.mark.parametrize(
    "recipe", ["weight-int8", "sparse-50", "palette-4", "palette-4-uniform", "sparse-50+palette-4"]
)
@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (np.zeros((64, 64), np.float32), "has zeros alone"),
        (spoilt(np.nan), "has values that are infinite or no numbers"),
        (spoilt(np.inf), "has values that are infinite or no numbers"),
    ],
    ids=["zeros", "nan", "infinite"],
)
def test_weights_without_numbers_to_compress_are_left_alone(
    recipe: str, weight: Array, reason: str, tmp_path: Path
) -> None:
    variant = a_variant(two_layers(tmp_path, weight), recipe, tmp_path)
    assert variant.tensors[0].dtype == "float16"
    assert variant.weights_compressed == 1
    assert f"left 1 of 2 weights alone: 'odd_weight_0' of 'odd' {reason}" in variant.notes


def test_settings_that_leave_nothing_to_compress_fail(tmp_path: Path) -> None:
    model = two_layers(tmp_path, drawn(64, 64))
    with pytest.raises(ChangedNothing, match="its settings leave no weight"):
        a_variant(model, "sparse-50", tmp_path, OpSetting(op_type="linear", recipe=None))


def test_a_palette_of_own_values_holds_every_value_of_many_weights(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(200).astype(np.float16).astype(np.float32)
    wide = values[np.random.default_rng(1).integers(0, 200, (1024, 64))]

    def body(x: Array) -> Array:
        return builder().linear(x=x, weight=wide, name="wide")

    path = write(tmp_path / "wide.mlpackage", {"x": (4, 64)}, body, "iOS15", "float32")
    (tensor,) = a_variant(read_model(path, name="wide", random_weights=True), "palette-8-unique", tmp_path).tensors
    assert (tensor.dtype, tensor.distinct) == ("palette-8", len(np.unique(values)))


def detours(folder: Path, precision: str) -> Model:
    """`turned` reads its weight through a transpose, `shaped` one of one dimension through a reshape, as they stand."""
    dtype = np.float16 if precision == "float16" else np.float32

    def body(x: Array) -> Array:
        mb = builder()
        x = mb.cast(x=x, dtype="fp16") if precision == "float16" else x
        turned = mb.transpose(x=mb.const(val=drawn(128, 64).astype(dtype), name="wt"), perm=[1, 0], name="tr")
        x = mb.matmul(x=x, y=turned, name="turned")
        shaped = mb.reshape(x=mb.const(val=drawn(128 * 64).astype(dtype), name="flat"), shape=[64, 128], name="rs")
        x = mb.linear(x=x, weight=shaped, name="shaped")
        return mb.linear(x=x, weight=drawn(70, 64).astype(dtype), name="last")

    as_it_stands = import_coremltools().PassPipeline.EMPTY
    path = write(folder / "d.mlpackage", {"x": (4, 64)}, body, "iOS16", "float32", pass_pipeline=as_it_stands)
    return read_model(path, name="detours", random_weights=True)


def test_weights_behind_what_reorders_them_count_in_source_plan_and_variants(tmp_path: Path) -> None:
    model = detours(tmp_path, "float32")
    counts = [a_variant(model, recipe, tmp_path).weights_total for recipe in ("float32", "float16", "palette-4")]
    assert (counts, len(read_contents(model).weights)) == ([3, 3, 3], 3)


@pytest.mark.parametrize("target", [Target.IOS16, Target.IOS18])
def test_weights_that_a_float16_source_reorders_as_it_runs_are_compressed_too(target: Target, tmp_path: Path) -> None:
    model = detours(tmp_path, "float16")
    assert (model.precision, a_variant(model, "float16", tmp_path).weights_total) == ("float16", 3)
    variant = a_variant(model, "palette-4", tmp_path, target=target)
    assert (variant.weights_compressed, variant.weights_total) == (3, 3)


def test_weights_that_are_dequantised_as_the_program_runs_count_in_plan_and_source(tmp_path: Path) -> None:
    def body(x: Array) -> Array:
        mb = builder()
        stored = np.arange(64 * 64).reshape(64, 64).astype(np.int8)
        weight = mb.dequantize(input=stored, scale=np.float32(0.01), name="weight")
        return mb.matmul(x=x, y=weight, name="layer")

    as_it_stands = import_coremltools().PassPipeline.EMPTY
    path = write(tmp_path / "d.mlpackage", {"x": (4, 64)}, body, "iOS17", "float32", pass_pipeline=as_it_stands)
    model = read_model(path, name="dequantised", random_weights=True)
    (tensor,) = a_variant(model, model.precision, tmp_path).tensors
    assert (tensor.dtype, tensor.distinct, len(read_contents(model).weights)) == ("int8", 256, 1)


def test_a_plan_knows_the_channels_of_weights_behind_what_reorders_them(tmp_path: Path) -> None:
    shapes = {weight.shape for weight in read_contents(detours(tmp_path, "float16")).weights}
    assert shapes == {(64, 128), (70, 64)}


def test_float_activations_of_an_int8_artefact_fail(tmp_path: Path) -> None:
    model = two_layers(tmp_path, drawn(64, 64))
    program = open_program(model.path, Target.IOS18, cast=True)
    weights = [weight.name for weight in read_weights(program)]
    with pytest.raises(RecipeError, match="'odd' came out with float activations instead of int8"):
        check_activations("int8", weights, program, load(a_variant(model, "weight-int8", tmp_path).path))
    assert check_activations("int8", weights, program, load(a_variant(model, "int8", tmp_path).path)) == ()


def product_and_layer(folder: Path, *, shared: bool) -> Model:
    """A product and a linear layer, whose weights coremltools makes one where they are alike."""

    def body(x: Array) -> Array:
        mb = builder()
        product = mb.matmul(x=x, y=drawn(64, 64, seed=0 if shared else 1), name="product")
        return mb.linear(x=product, weight=drawn(64, 64), name="layer")

    path = write(folder / "m.mlpackage", {"x": (4, 64)}, body, "iOS15", "float32")
    return read_model(path, name="m", random_weights=True)


def test_operators_whose_activations_stay_floats_are_counted_and_named(tmp_path: Path) -> None:
    notes = a_variant(product_and_layer(tmp_path, shared=False), "int8", tmp_path).notes
    assert "activations of 1 of 2 operators quantised; left in float16: matmul 'product'" in notes


@pytest.mark.parametrize("recipe", ["weight-int8", "weight-int4-block-32", "palette-4", "palette-4-group-16"])
def test_a_weight_that_is_read_along_different_axes_has_no_channels(recipe: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeRefused, match="is read by matmul and linear along different axes"):
        a_variant(product_and_layer(tmp_path, shared=True), recipe, tmp_path)


def test_a_weight_that_is_read_along_different_axes_is_pruned(tmp_path: Path) -> None:
    variant = a_variant(product_and_layer(tmp_path, shared=True), "sparse-50", tmp_path)
    assert [tensor.dtype for tensor in variant.tensors] == ["sparse"]


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("target", [Target.IOS17, Target.IOS18, Target.IOS26])
def test_a_source_is_raised_to_newer_targets(precision: str, target: Target, tmp_path: Path) -> None:
    model = a_model(tmp_path, target="iOS16", precision=precision)
    variant = a_variant(model, precision, tmp_path, target=target)
    assert (variant.target, {tensor.dtype for tensor in variant.tensors}) == (target, {precision})
    assert (variant.weights_compressed, variant.weights_total) == (0, 5)


@pytest.mark.parametrize("labels", [list(range(40)), [f"class {number}" for number in range(40)]])
def test_a_classifier_is_compressed_like_any_program(tmp_path: Path, labels: list[int] | list[str]) -> None:
    """Its labels are a list, which coremltools' cast to float16 stumbles over."""
    config = import_coremltools().ClassifierConfig(labels)

    def body(x: Array) -> Array:
        mb = builder()
        return mb.softmax(x=mb.linear(x=x, weight=drawn(40, 64), name="scores"))

    path = write(tmp_path / "c.mlpackage", {"x": (1, 64)}, body, "iOS15", "float32", classifier_config=config)
    model = read_model(path, name="classifier", random_weights=True)
    for recipe in ("float16", "weight-int8", "int8"):
        variant = a_variant(model, recipe, tmp_path / recipe)
        assert (variant.weights_compressed, variant.weights_total) == (1, 1)
