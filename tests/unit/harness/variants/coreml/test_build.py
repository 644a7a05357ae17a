"""Variants of ML Programs as they are built: every row of the table, what it stores, what it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ChangedNothing, ModelUnreadable, RecipeError, RecipeRefused
from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting, Variant
from harness.fidelity.mil.reference import Program
from harness.sources.mlpackage import read_weights
from harness.variants.coreml.table import DEFAULTS, TECHNIQUES
from harness.variants.coreml.targets import oldest_target
from harness.variants.grammar import parse
from tests.support.mil import builder
from tests.unit.harness.variants.coreml.programs import SHAPE, a_model, a_variant

# Of each recipe: how its weights are stored, stem first, and the least SNR in dB (measured, less some).
STORED: dict[str, tuple[tuple[str, ...], float]] = {
    "float16": (("float16",) * 5, 60),
    "weight-int8": (("float16", "int8", "int8", "int8", "int8"), 40),
    "weight-uint8": (("float16", "uint8", "uint8", "uint8", "uint8"), 40),
    "weight-int4": (("float16", "int4", "int4", "int4", "int4"), 18),
    "weight-int4-block-32": (("float16", "int4", "int4", "float16", "float16"), 20),
    "int8": (("float16", "int8", "int8", "int8", "int8"), 20),
    "sparse-50": (("float16", "sparse", "sparse", "sparse", "sparse"), 1),
    "sparse-75": (("float16", "sparse", "sparse", "sparse", "sparse"), 0),
    "sparse-threshold-0.05": (("float16", "sparse", "sparse", "sparse", "sparse"), 5),
    "sparse-2:4": (("float16", "sparse", "sparse", "sparse", "sparse"), 1),
    "sparse-block-4": (("float16", "sparse", "sparse", "sparse", "sparse"), 0.5),
    "sparse-25-block-4": (("float16", "sparse", "sparse", "sparse", "sparse"), 2),
    "palette-8": (("float16", "palette-8", "palette-8", "palette-8", "palette-8"), 40),
    "palette-6": (("float16", "palette-6", "palette-6", "palette-6", "palette-6"), 30),
    "palette-4": (("float16", "palette-4", "palette-4", "palette-4", "palette-4"), 15),
    "palette-3": (("float16", "palette-3", "palette-3", "palette-3", "palette-3"), 10),
    "palette-2": (("float16", "palette-2", "palette-2", "palette-2", "palette-2"), 5),
    "palette-1": (("float16", "palette-1", "palette-1", "palette-1", "palette-1"), 1),
    "palette-4-uniform": (("float16", "palette-4", "palette-4", "palette-4", "palette-4"), 12),
    "palette-4-unique": (("float16", "float16", "float16", "float16", "palette-3"), 60),
    "palette-4-group-16": (("float16", "palette-4", "float16", "float16", "palette-4"), 15),
    "palette-2-vector-2": (("float16", "palette-2", "palette-2", "float16", "palette-2"), 3),
    "palette-4-int8-lut": (("float16", *("palette-4-int8-lut",) * 4), 15),
    "sparse-50+palette-4": (("float16", *("sparse+palette-4",) * 4), 1),
    "sparse-50+weight-int8": (("float16", *("sparse+int8",) * 4), 1),
    "sparse-2:4+weight-int4": (("float16", *("sparse+int4",) * 4), 1),
    "sparse-threshold-0.05+palette-4-uniform": (("float16", *("sparse+palette-4",) * 4), 5),
    "sparse-50+palette-2-group-4": (
        ("float16", "sparse+palette-2", "sparse+palette-2", "sparse", "sparse+palette-2"),
        1,
    ),
    "sparse-50+palette-4-int8-lut": (("float16", *("sparse+palette-4-int8-lut",) * 4), 1),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return a_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def variants(model: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Variant]:
    scratch = tmp_path_factory.mktemp("built")
    return {recipe: a_variant(model, recipe, scratch) for recipe in STORED}


def answers(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    image = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    return next(iter(Program.load(path).predict({"image": image}).values())).astype(np.float64)


def snr(reference: Path, variant: Path) -> float:
    """Decibels."""
    wanted, given = answers(reference), answers(variant)
    return float(10 * np.log10((wanted**2).sum() / ((wanted - given) ** 2).sum()))


def test_every_row_of_the_table_is_built_here() -> None:
    assert {step.row for recipe in STORED for step in parse(recipe).steps} == set(TECHNIQUES) - {"float32"}


@pytest.mark.parametrize("recipe", STORED)
def test_weights_are_stored_as_the_recipe_says_and_the_others_are_float16(
    recipe: str, variants: dict[str, Variant]
) -> None:
    assert tuple(tensor.dtype for tensor in variants[recipe].tensors) == STORED[recipe][0]


@pytest.mark.parametrize("recipe", STORED)
def test_a_variant_computes_about_what_the_source_does(recipe: str, model: Model, variants: dict[str, Variant]) -> None:
    assert snr(model.path, variants[recipe].path) > STORED[recipe][1]


@pytest.mark.parametrize("recipe", [recipe for recipe in STORED if oldest_target(parse(recipe)) is not Target.IOS18])
def test_a_variant_for_the_oldest_target_computes_the_same(
    recipe: str, model: Model, variants: dict[str, Variant], tmp_path: Path
) -> None:
    built = a_variant(model, recipe, tmp_path, target=oldest_target(parse(recipe)))
    assert built.target is oldest_target(parse(recipe))
    if not recipe.endswith("unique"):  # three bits, where they are enough, from iOS18 on
        assert [tensor.dtype for tensor in built.tensors] == [tensor.dtype for tensor in variants[recipe].tensors]
    np.testing.assert_array_equal(answers(variants[recipe].path), answers(built.path))


def test_the_fewest_bits_of_a_palette_of_own_values_are_four_before_ios18(model: Model, tmp_path: Path) -> None:
    built = a_variant(model, "palette-8-unique", tmp_path, target=Target.IOS16)
    assert built.tensors[-1].dtype == "palette-4"


def test_a_variant_for_the_newest_target_is_built_too(model: Model, tmp_path: Path) -> None:
    built = a_variant(model, "sparse-50+palette-4", tmp_path, target=Target.IOS26)
    assert (built.target, built.weights_compressed) == (Target.IOS26, 4)


def test_inputs_and_outputs_are_the_sources(model: Model, variants: dict[str, Variant]) -> None:
    assert {(variant.inputs, variant.outputs) for variant in variants.values()} == {(model.inputs, model.outputs)}


def test_parameters_are_counted_as_in_the_source(model: Model, variants: dict[str, Variant]) -> None:
    assert {variant.parameters for variant in variants.values()} == {model.parameters}


def test_weights_are_called_as_in_the_source(variants: dict[str, Variant]) -> None:
    names = {tuple(tensor.name for tensor in variant.tensors) for variant in variants.values()}
    assert names == {("stem_weight_0", "body_weight_0", "point_weight_0", "odd_weight_0", "coarse_weight_0")}


def test_weights_that_are_left_alone_are_named_with_their_reason(variants: dict[str, Variant]) -> None:
    (note,) = variants["weight-int4-block-32"].notes
    assert note.startswith("left 3 of 5 weights alone: 'stem_weight_0' of 'stem' has 864 elements")
    assert "'odd_weight_0' of 'odd' has 40 input channels, which blocks of 32 do not divide" in note


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("palette-4-group-16", "'odd_weight_0' of 'odd' has 65 output channels, which groups of 16 do not divide"),
        ("palette-2-vector-2", "'odd_weight_0' of 'odd' has 65 output channels, which vectors of 2 do not divide"),
        ("palette-4-unique", "distinct values, more than 16"),
        ("sparse-50", "'stem_weight_0' of 'stem' has 864 elements, and more than 2048 are needed"),
    ],
)
def test_each_technique_has_reasons_of_its_own(recipe: str, reason: str, variants: dict[str, Variant]) -> None:
    assert reason in " ".join(variants[recipe].notes)


def test_k_of_n_weights_are_counted_without_those_that_are_only_float16(variants: dict[str, Variant]) -> None:
    counts = {recipe: variants[recipe].weights_compressed for recipe in ("float16", "palette-4", "palette-4-unique")}
    assert counts == {"float16": 5, "palette-4": 4, "palette-4-unique": 1}
    assert variants["palette-4"].weights_total == 5


def test_the_weights_are_those_that_readers_of_the_file_find(variants: dict[str, Variant]) -> None:
    for variant in variants.values():
        found = {weight.name: (weight.shape, weight.is_compressed) for weight in read_weights(variant.path)}
        compressed = {each.name: (each.shape, not each.dtype.startswith("float")) for each in variant.tensors}
        assert found == compressed


def test_a_palette_of_own_values_loses_nothing(variants: dict[str, Variant]) -> None:
    wanted, given = answers(variants["float16"].path), answers(variants["palette-4-unique"].path)
    np.testing.assert_array_equal(wanted, given)


def test_sizes_are_of_all_files(variants: dict[str, Variant]) -> None:
    variant = variants["palette-4"]
    assert variant.size_bytes == digest.size_of(variant.path)
    assert 0 < variant.zip_bytes < variant.size_bytes


def test_the_source_is_copied_as_it_is(model: Model, tmp_path: Path) -> None:
    variant = a_variant(model, "float32", tmp_path)
    assert (variant.digest, variant.target, variant.weights_compressed) == (model.digest, Target.IOS15, 0)


def test_the_source_for_a_newer_target_computes_the_same(model: Model, tmp_path: Path) -> None:
    variant = a_variant(model, "float32", tmp_path, target=Target.IOS18)
    assert variant.target is Target.IOS18
    np.testing.assert_array_equal(answers(model.path), answers(variant.path))


def test_a_build_leaves_the_source_as_it_was(model: Model, tmp_path: Path) -> None:
    a_variant(model, "palette-4-uniform", tmp_path)
    assert digest.of_path(model.path) == model.digest


def test_a_build_leaves_nothing_but_the_artefact(model: Model, tmp_path: Path) -> None:
    variant = a_variant(model, "weight-int8", tmp_path)
    assert [path.name for path in variant.path.parent.iterdir()] == ["artefact.mlpackage"]


def test_a_source_that_is_float16_starts_there(tmp_path: Path) -> None:
    half = a_model(tmp_path, target="iOS16", precision="float16")
    assert a_variant(half, "palette-4", tmp_path / "a").weights_compressed == 4
    assert a_variant(half, "float16", tmp_path / "b").digest == half.digest


def test_a_source_that_changed_since_it_was_read_is_refused(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    (model.path / "Manifest.json").write_text("{}")
    with pytest.raises(ModelUnreadable, match="changed since it was read"):
        a_variant(model, "float16", tmp_path)


def test_a_package_built_elsewhere_is_taken_as_it_is(
    model: Model, variants: dict[str, Variant], tmp_path: Path
) -> None:
    theirs = variants["sparse-50+palette-4"]
    variant = a_variant(model, "sparse-50+palette-4", tmp_path, prebuilt=theirs.path)
    assert (variant.digest, variant.weights_compressed, variant.target) == (theirs.digest, 4, Target.IOS18)
    assert variant.notes == ("built elsewhere and taken as it is",)


def test_the_source_under_another_name_is_no_variant(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing, match="is the source itself"):
        a_variant(model, "palette-4", tmp_path, prebuilt=model.path)


def test_weights_with_too_many_values_for_a_palette_of_own_values_fail(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing, match="distinct values, more than 4"):
        a_variant(model, "palette-2-unique", tmp_path)


def test_pruning_all_of_a_weight_fails(tmp_path: Path) -> None:
    def alike(image: object) -> object:
        mb = builder()
        signs = np.where(np.arange(64 * 3 * 16).reshape(64, 3, 4, 4) % 3 == 0, 1, -1).astype(np.float32)
        return mb.conv(x=image, weight=signs, name="only")

    with pytest.raises(RecipeError, match="has lost all of its values"):
        a_variant(a_model(tmp_path, body=alike), "sparse-50", tmp_path)


def test_more_than_65504_weights_are_pruned_to_their_share(tmp_path: Path) -> None:
    def wide(image: object) -> object:
        mb = builder()
        weight = np.random.default_rng(0).standard_normal((400, 3, 8, 8)).astype(np.float32)
        return mb.conv(x=image, weight=weight, name="wide")

    (tensor,) = a_variant(a_model(tmp_path, body=wide), "sparse-75", tmp_path).tensors
    assert tensor.zeros / tensor.elements == pytest.approx(0.75, abs=0.001)


@pytest.mark.thorough
def test_building_twice_in_processes_of_their_own_gives_the_same_bytes(model: Model, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from harness.sources.reading import read_model;"
        "from tests.unit.harness.variants.coreml.programs import a_variant;"
        "model = read_model(Path(sys.argv[1]), name='small', random_weights=True);"
        "print([a_variant(model, r, Path(sys.argv[2])).digest for r in sys.argv[3:]])"
    )
    recipes = ("palette-2-vector-2", "sparse-2:4+palette-4-int8-lut")
    found = {
        subprocess.run(
            (sys.executable, "-c", script, str(model.path), str(tmp_path / seed), *recipes),
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_operators_get_recipes_of_their_own(model: Model, tmp_path: Path) -> None:
    variant = a_variant(
        model,
        "weight-int8",
        tmp_path,
        OpSetting(op_type="linear", recipe="sparse-50+palette-4"),
        OpSetting(op="odd", recipe=None),
        OpSetting(op="po*", recipe="palette-2-uniform"),
    )
    assert [tensor.dtype for tensor in variant.tensors] == [
        "float16",
        "int8",
        "palette-2",
        "float16",
        "sparse+palette-4",
    ]


def test_operators_that_give_outputs_are_known_by_their_names_too(model: Model, tmp_path: Path) -> None:
    variant = a_variant(model, "float16", tmp_path, OpSetting(op="coarse", recipe="palette-3-unique"))
    assert [tensor.dtype for tensor in variant.tensors][-1] == "palette-3"
    assert variant.weights_compressed == 1


def test_a_weight_that_two_operators_share_gets_one_recipe(tmp_path: Path) -> None:
    def shared(image: object) -> object:
        mb = builder()
        weight = np.random.default_rng(0).standard_normal((64, 3, 4, 4)).astype(np.float32)
        first = mb.conv(x=image, weight=weight, name="first")
        return mb.add(x=first, y=mb.conv(x=mb.relu(x=image), weight=weight, name="second"))

    model = a_model(tmp_path, body=shared)
    with pytest.raises(RecipeRefused, match="share a weight"):
        a_variant(model, "palette-4", tmp_path, OpSetting(op="second", recipe="weight-int8"))


def test_the_default_set_begins_with_the_source_and_has_each_variant_once() -> None:
    assert len(DEFAULTS) == len(set(DEFAULTS)) == 22
    assert DEFAULTS[0] == "float32"
