"""Settings of single operators: whom they are about, what goes first, and what is built of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import ChangedNothing, RecipeRefused
from harness.core.model import Model
from harness.core.variant import OpSetting, Variant
from harness.variants.job import BuildJob
from harness.variants.recipes import parse, refusal
from harness.variants.settings import Operator, assign, meant
from harness.variants.tflite.weights import read_weights, values
from harness.variants.worker import build_one
from tests.support.models import partitioned
from tests.unit.harness.variants.models import a_model, a_spec, dense_in_a_loop

LOOP_NOTE = "operators inside loops and branches stay as they are: nothing calibrates them"
OPERATORS = tuple(
    Operator(place=(0, index), type=type, name=name, weight_bytes=4)
    for index, (type, name) in enumerate(
        [("CONV_2D", "block/conv1"), ("CONV_2D", "block/conv2"), ("FULLY_CONNECTED", "logits"), ("SOFTMAX", "a[b]")]
    )
)


def given(*settings: OpSetting) -> dict[str, str]:
    """What each operator gets, by name, where the variant's own recipe is int8."""
    names = {operator.place: operator.name for operator in OPERATORS}
    parts = assign(parse("int8"), settings, OPERATORS)
    return {names[place]: str(part) for part in parts for place in part.operators}


def test_without_settings_all_get_the_variants_recipe() -> None:
    assert set(given().values()) == {"int8"}


def test_a_type_goes_before_the_variants_recipe() -> None:
    assert given(OpSetting(op_type="CONV_2D")) == {
        "block/conv1": "null",
        "block/conv2": "null",
        "logits": "int8",
        "a[b]": "int8",
    }


def test_a_name_goes_before_a_type() -> None:
    told = given(OpSetting(op_type="CONV_2D"), OpSetting(op="block/conv2", recipe="weight-int8"))
    assert (told["block/conv1"], told["block/conv2"]) == ("null", "weight-int8")


@pytest.mark.parametrize(("pattern", "count"), [("block/*", 2), ("*/conv?", 2), ("*", 4), ("logits", 1), ("LOGITS", 0)])
def test_names_are_shell_patterns(pattern: str, count: int) -> None:
    assert len(meant(OpSetting(op=pattern), OPERATORS)) == count


def test_a_name_that_looks_like_a_pattern_is_found() -> None:
    assert given(OpSetting(op="a[b]"))["a[b]"] == "null"


def test_a_name_with_brackets_is_no_pattern_where_an_operator_has_it() -> None:
    named = tuple(
        Operator(place=(0, index), type="CONV_2D", name=name, weight_bytes=4)
        for index, name in enumerate(("conv[1]", "conv1"))
    )
    assert meant(OpSetting(op="conv[1]"), named) == {(0, 0)}
    assert meant(OpSetting(op="conv[1]"), named[1:]) == {(0, 1)}


@pytest.mark.parametrize("place", ["inside", "behind"])
@pytest.mark.parametrize("recipe", ["float32", "weight-int8", "int8"])
def test_static_settings_leave_operators_inside_a_loop_alone(tmp_path: Path, recipe: str, place: str) -> None:
    inside, behind = OpSetting(op="inside", recipe="int8-float-io"), OpSetting(op="behind", recipe="weight-int8")
    settings = (inside, behind) if place == "behind" else (inside, behind, OpSetting(op="before", recipe="float16"))
    variant = built(tmp_path, recipe, *settings, content=dense_in_a_loop())
    assert dtypes(variant)["inside/weights"] == "float32"
    assert dtypes(variant)["behind/weights"] == "int8"
    assert LOOP_NOTE in variant.notes


def test_a_static_setting_of_a_loop_alone_calibrates_nothing(tmp_path: Path) -> None:
    setting = OpSetting(op="inside", recipe="int8")
    variant = built(tmp_path, "weight-int8", setting, content=dense_in_a_loop())
    assert (variant.calibration, variant.notes) == (None, (LOOP_NOTE,))


def test_a_static_setting_outside_a_loop_has_no_note_on_it(tmp_path: Path) -> None:
    variant = built(tmp_path, "weight-int8", OpSetting(op="behind", recipe="int8"), content=dense_in_a_loop())
    assert set(dtypes(variant).values()) == {"int8"}
    assert LOOP_NOTE not in variant.notes


@pytest.mark.parametrize("setting", [OpSetting(op="logits"), OpSetting(op="logits", recipe="int8")])
def test_settings_of_a_quantised_source_are_refused(tmp_path: Path, setting: OpSetting) -> None:
    model = replace(a_model(tmp_path), precision="int8")
    assert refusal(parse("int8"), model, (setting,)) == "tiny is already int8; settings need a float32 source"


def test_operators_inside_a_loop_can_be_named(tmp_path: Path) -> None:
    variant = built(tmp_path, "int8", OpSetting(op="inside", recipe="weight-int8"), content=dense_in_a_loop())
    assert {tensor.dtype for tensor in variant.tensors} == {"int8"}


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (OpSetting(op="logit"), "no operator has the name 'logit'; did you mean 'logits'?"),
        (OpSetting(op_type="conv_2d"), "no operator has the type 'conv_2d'; did you mean 'CONV_2D'?"),
        (OpSetting(op="zzz/*"), "no operator has the name 'zzz/*'; did you mean one of 'features'"),
        (OpSetting(op="logits", recipe="int7"), "the setting of 'logits': 'int7' is no technique; did you mean int8"),
        (OpSetting(op="logits", recipe="int8+float16"), "the setting of 'logits': int8 and float16 each store"),
        (OpSetting(op="logits", recipe="sparse-70-encoded"), "sparse-70-encoded and int8 do not go into one file"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_the_way_out(
    tmp_path: Path, setting: OpSetting, reason: str
) -> None:
    assert reason in str(refusal(parse("int8"), a_model(tmp_path), (setting,)))


@pytest.mark.parametrize(
    "setting",
    [OpSetting(op_type="SOFTMAX"), OpSetting(op="scores", recipe="weight-int8"), OpSetting(op="*", recipe="float16")],
)
def test_a_setting_that_can_work_is_not_refused(tmp_path: Path, setting: OpSetting) -> None:
    assert refusal(parse("int8"), a_model(tmp_path), (setting,)) is None


def test_the_source_with_settings_is_a_variant_of_its_own(tmp_path: Path) -> None:
    variant = built(tmp_path, "float32", OpSetting(op="features", recipe="int8"))
    assert dtypes(variant) == {"features/weights": "int8", "logits/weights": "float32"}


def test_an_operator_that_is_left_alone_is_neither_pruned_nor_quantised(tmp_path: Path) -> None:
    variant = built(tmp_path, "sparse-50+int8", OpSetting(op="logits"))
    assert dtypes(variant) == {"features/weights": "int8", "logits/weights": "float32"}
    assert (variant.weights_compressed, variant.weights_total) == (1, 2)
    assert stored(variant.path.read_bytes(), "logits") == stored(a_model(tmp_path).path.read_bytes(), "logits")


def test_an_operator_left_alone_keeps_the_ends_of_the_variant(tmp_path: Path) -> None:
    variant = built(tmp_path, "int8", OpSetting(op_type="CONV_2D"), OpSetting(op_type="SOFTMAX"))
    assert {spec.dtype for spec in (*variant.inputs, *variant.outputs)} == {"int8"}


@pytest.mark.parametrize(
    ("recipe", "other", "dtype"),
    [
        ("int8", "weight-int8", "int8"),
        ("int8", "float16", "float16"),
        ("int8", "dynamic-int4", "int4"),
        ("int8", "w4a8", "int4"),
        ("int16x8", "int8", "int8"),
        ("float16", "int8-float-io", "int8"),
        ("weight-int4", "uint8", "int8"),
        ("sparse-50", "weight-int4", "int4"),
    ],
)
def test_quantisations_of_one_variant_are_combined(tmp_path: Path, recipe: str, other: str, dtype: str) -> None:
    variant = built(tmp_path, recipe, OpSetting(op="features", recipe=other))
    assert dtypes(variant)["features/weights"] == dtype
    assert variant.fidelity is not None


def test_another_share_of_zeros_for_one_operator(tmp_path: Path) -> None:
    variant = built(tmp_path, "sparse-50+int8", OpSetting(op="features", recipe="sparse-75+int8"))
    shares = {tensor.name: round(tensor.zeros / tensor.elements, 2) for tensor in variant.tensors}
    assert shares == {"features/weights": 0.75, "logits/weights": 0.5}


def test_encoding_one_operator_leaves_the_others_dense(tmp_path: Path) -> None:
    variant = built(tmp_path, "sparse-50", OpSetting(op="second", recipe="sparse-90-encoded"), content=partitioned())
    sparse = [weight.sparse_encoded for weight in read_weights(variant.path.read_bytes())]
    assert sparse == [False, True, False]


def test_settings_that_leave_everything_alone_changed_nothing(tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing):
        built(tmp_path, "int8", OpSetting(op="*"))


def test_a_refusal_holds_in_the_build_too(tmp_path: Path) -> None:
    with pytest.raises(RecipeRefused, match="no operator has the name"):
        built(tmp_path, "int8", OpSetting(op="gone"))


def built(directory: Path, recipe: str, *settings: OpSetting, content: bytes | None = None) -> Variant:
    scratch = directory / "scratch"
    scratch.mkdir()
    model: Model = a_model(directory, content)
    return build_one(BuildJob(model=model, spec=a_spec(recipe, *settings), scratch=scratch))


def dtypes(variant: Variant) -> dict[str, str]:
    return {tensor.name: tensor.dtype for tensor in variant.tensors}


def stored(content: bytes, name: str) -> bytes:
    (weight,) = [weight for weight in read_weights(content) if weight.name.startswith(name)]
    return values(content, weight).tobytes()
