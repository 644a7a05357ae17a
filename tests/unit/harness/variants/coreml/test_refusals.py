"""What the plan refuses of ML Programs, and that the toolkit itself cannot do it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.model import Model
from harness.core.target import Target
from harness.core.variant import OpSetting
from harness.sources.reading import read_model
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.package import open_program
from harness.variants.coreml.refusals import refusal
from harness.variants.coreml.table import DEFAULTS, TECHNIQUES
from harness.variants.coreml.targets import chosen_target, oldest_target
from harness.variants.grammar import parse
from harness.variants.recipes import default_variants
from harness.variants.technique import Compression, CoreMLProgram
from tests.support.mil import builder
from tests.unit.harness.variants.coreml.programs import a_model, a_variant

WEIGHTS = ("body_weight_0",)
EXAMPLES = (
    *("weight-int8", "weight-uint8", "weight-int4", "weight-int4-block-32"),
    *("sparse-50", "sparse-threshold-0.05", "sparse-2:4", "sparse-block-4", "sparse-50-block-4"),
    *("palette-1", "palette-2", "palette-3", "palette-4", "palette-6-uniform", "palette-8-uniform"),
    *("palette-3-uniform", "palette-4-group-16", "palette-2-vector-2", "palette-4-int8-lut"),
    *("sparse-50+weight-int8", "sparse-50+palette-2"),
)
TOO_OLD = [
    (recipe, target) for recipe in EXAMPLES for target in Target if target.is_before(oldest_target(parse(recipe)))
]
OLD_ENOUGH = [(recipe, oldest_target(parse(recipe))) for recipe in EXAMPLES]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return a_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def programs(model: Model) -> dict[Target, CoreMLProgram]:
    return {target: open_program(model.path, target, cast=True) for target in Target}


def apply(recipe: str, program: CoreMLProgram) -> CoreMLProgram:
    """The toolkit's own calls, without any refusal."""
    for index, step in enumerate(parse(recipe).steps):
        does = TECHNIQUES[step.row].does
        assert isinstance(does, Compression)
        program = does.compress(program, step, WEIGHTS, index > 0, None)
    return program


def why(text: str, model: Model, *settings: OpSetting, target: Target | None = None) -> str:
    return str(refusal(parse(text), model, settings, target))


@pytest.mark.parametrize(("recipe", "target"), TOO_OLD)
def test_what_is_refused_for_a_target_the_toolkit_raises_or_builds_for_a_newer_one(
    recipe: str, target: Target, model: Model, programs: dict[Target, CoreMLProgram]
) -> None:
    assert f"asked for {target}" in why(recipe, model, target=target)
    try:
        with quietly():
            made = apply(recipe, programs[target])
    except (ValueError, NotImplementedError, KeyError, AttributeError):
        return
    assert made.get_spec().specificationVersion > target.specification


@pytest.mark.parametrize(("recipe", "target"), OLD_ENOUGH)
def test_what_is_allowed_for_its_oldest_target_the_toolkit_builds_for_it(
    recipe: str, target: Target, model: Model, programs: dict[Target, CoreMLProgram]
) -> None:
    assert why(recipe, model, target=target) == "None"
    assert apply(recipe, programs[target]).get_spec().specificationVersion == target.specification


@pytest.mark.parametrize(
    ("recipe", "target", "reason"),
    [
        ("palette-3", Target.IOS16, "palette-3 needs iOS18, asked for iOS16: raise the target or take palette-4"),
        ("palette-2-group-8", Target.IOS17, "needs iOS18, asked for iOS17: raise the target or take palette-2"),
        ("weight-int4", Target.IOS16, "needs iOS18, asked for iOS16: raise the target or take palette-4"),
        ("weight-int8", Target.IOS15, "needs iOS16, asked for iOS15: raise the target or take float16"),
        ("int8", Target.IOS16, "int8 needs iOS17, asked for iOS16: raise the target or take weight-int8"),
        (
            "sparse-50+palette-4",
            Target.IOS17,
            "two compressions of one weight need iOS18, asked for iOS17: raise the target or take one of them alone",
        ),
    ],
)
def test_a_target_that_is_too_old_is_refused_with_the_way_out(
    recipe: str, target: Target, reason: str, model: Model
) -> None:
    assert reason in why(recipe, model, target=target)


def test_a_target_before_the_models_own_is_refused(model: Model) -> None:
    newer = replace(model, target=Target.IOS17)
    assert "is a program for iOS17 and cannot be built for iOS16" in why("float32", newer, target=Target.IOS16)


def test_two_prunings_are_refused(model: Model) -> None:
    assert "sparse-50 and sparse-2:4 both prune" in why("sparse-50+sparse-2:4", model)


def test_float16_joins_with_nothing(model: Model) -> None:
    assert "leave float16 out" in why("sparse-50+float16", model)


def test_vectors_of_pruned_weights_are_refused_and_the_toolkit_fails_on_them(
    model: Model, programs: dict[Target, CoreMLProgram]
) -> None:
    assert "vectors do not go with sparse-50" in why("sparse-50+palette-2-vector-2", model)
    with pytest.raises(IndexError):
        apply("sparse-50+palette-2-vector-2", programs[Target.IOS18])


def test_a_source_that_is_compressed_already_is_refused(model: Model) -> None:
    assert "is already palette-4" in why("weight-int8", replace(model, precision="palette-4"))


def test_a_source_that_is_compressed_already_is_not_raised_to_a_newer_target(model: Model) -> None:
    stored = replace(model, precision="palette-4", target=Target.IOS16)
    reason = "small is already palette-4 for iOS16; start from the float model"
    assert why("palette-4", stored, target=Target.IOS18) == reason
    assert why("palette-4", stored, target=Target.IOS16) == why("palette-4", stored) == "None"


def functions(folder: Path, default: str) -> Model:
    """Of two functions, `main` and `other`."""
    tools = import_coremltools().utils
    described = tools.MultiFunctionDescriptor()
    for name in ("main", "other"):
        path = a_model(folder / name, target="iOS18").path
        described.add_function(str(path), src_function_name="main", target_function_name=name)
    described.default_function_name = default
    with quietly():
        tools.save_multifunction(described, str(folder / "two.mlpackage"))
    return read_model(folder / "two.mlpackage", name="two", random_weights=True)


def test_programs_whose_default_function_is_not_main_are_not_written_anew(tmp_path: Path) -> None:
    model = functions(tmp_path, "other")
    reason = "the default function of two is called 'other'; coremltools writes programs whose default is main alone"
    assert reason in why("float16", model)
    assert reason in why("float32", model, target=Target.IOS26)
    assert why("float32", model) == "None"


def test_programs_of_several_functions_are_cast_and_raised_where_main_is_the_default(tmp_path: Path) -> None:
    model = functions(tmp_path, "main")
    assert a_variant(model, "float16", tmp_path).weights_total == 10
    assert a_variant(model, "float32", tmp_path, target=Target.IOS26).target is Target.IOS26


def test_a_float_source_with_some_weights_compressed_is_refused(model: Model, tmp_path: Path) -> None:
    path = a_variant(model, "weight-int8", tmp_path, OpSetting(op="body", recipe=None)).path
    mixed = read_model(path, name="mixed", random_weights=True)
    assert mixed.precision == "float16"
    assert why("palette-4", mixed) == "mixed is already weight-int8 for iOS18; start from the float model"


def test_int8_of_programs_with_blocks_is_refused(tmp_path: Path) -> None:
    def body(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        mb = builder()
        positive = mb.greater(x=mb.reduce_mean(x=image, axes=[0, 1, 2, 3], keep_dims=False), y=np.float32(0))
        layers = [
            lambda seed=seed: mb.conv(x=image, weight=a_weight(48) * seed, name=f"layer{seed}") for seed in (1, 2)
        ]
        return mb.cond(pred=positive, _true_fn=layers[0], _false_fn=layers[1])

    model = a_model(tmp_path, body=body)
    assert why("int8", model) == "activations cannot be quantised in a program with cond; take weight-int8"
    assert why("float16", model, OpSetting(op="layer1", recipe="int8")).endswith("take weight-int8")
    assert "int8" not in default_variants(model)


def test_int8_without_operators_whose_activations_can_be_is_refused(tmp_path: Path) -> None:
    def product(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        return builder().matmul(x=image, y=a_weight(48).reshape(16, -1), name="product")

    model = a_model(tmp_path, body=product)
    assert "no operator has activations that can be quantised" in why("int8", model)
    assert "int8" not in default_variants(model)
    assert "weight-int8" in default_variants(model)


def test_a_float16_source_is_not_widened(model: Model) -> None:
    assert "nothing here widens it" in why("float32", replace(model, precision="float16"))


def test_int8_needs_samples(model: Model) -> None:
    assert "needs samples" in why("int8", replace(model, random_weights=False))
    assert why("int8", model) == "None"


def test_a_model_without_weights_is_refused(model: Model) -> None:
    assert "has no weights to compress" in why("palette-4", replace(model, parameters=0))


def test_a_model_of_small_weights_is_refused(tmp_path: Path) -> None:
    small = a_model(tmp_path, body=lambda image: builder().conv(x=image, weight=a_weight(8), name="only"))
    assert "has no weight of small to compress" in why("palette-4", small)
    assert why("float16", small) == "None"


def test_a_technique_that_no_weight_has_the_channels_for_is_refused(tmp_path: Path) -> None:
    odd = a_model(tmp_path, body=lambda image: builder().conv(x=image, weight=a_weight(77), name="only"))
    assert "has 77 output channels, which groups of 16 do not divide" in why("palette-4-group-16", odd)
    assert "has 3 input channels, fewer than two groups of 4" in why("sparse-2:4", odd)
    assert why("palette-4", odd) == "None"


def test_patterns_are_refused_where_only_other_operators_read_weights(tmp_path: Path) -> None:
    def product(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        return builder().matmul(x=image, y=a_weight(48).reshape(16, -1), name="product")

    model = a_model(tmp_path, body=product)
    assert "is read by matmul; only conv and linear have such a pattern" in why("sparse-2:4", model)
    assert why("palette-2-group-5", model) == "None"


def test_a_plan_knows_which_way_a_product_reads_its_weight(tmp_path: Path) -> None:
    def product(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        return builder().matmul(x=image, y=a_weight(48).reshape(225, 16), transpose_y=True, name="product")

    model = a_model(tmp_path, body=product)
    assert "has 225 output channels, which groups of 4 do not divide" in why("palette-2-group-4", model)


def a_weight(channels: int) -> Any:  # noqa: ANN401 (an array)
    return np.random.default_rng(0).standard_normal((channels, 3, 5, 5)).astype(np.float32)


def test_settings_need_a_float16_variant(model: Model) -> None:
    setting = OpSetting(op_type="conv", recipe="palette-4")
    assert "write float16 as the variant's own recipe" in why("float32", model, setting)
    assert why("float16", model, setting) == "None"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (OpSetting(op="bodi", recipe="palette-4"), "did you mean 'body'"),
        (OpSetting(op_type="Conv", recipe="palette-4"), "did you mean 'conv'"),
        (OpSetting(op="body", recipe="float32"), "write null"),
        (OpSetting(op="body", recipe="palette-5"), "write palette-1, palette-2"),
        (OpSetting(op="body", recipe="sparse-50+sparse-2:4"), "both prune"),
    ],
)
def test_settings_are_refused_by_name_and_recipe(setting: OpSetting, reason: str, model: Model) -> None:
    assert reason in why("palette-4", model, setting)


def test_a_setting_can_need_a_newer_target_than_the_variants_recipe(model: Model) -> None:
    setting = OpSetting(op="body", recipe="palette-3")
    assert "the setting of 'body': palette-3 needs iOS18" in why("palette-4", model, setting, target=Target.IOS16)


def test_nothing_of_the_default_set_is_refused(model: Model) -> None:
    assert {why(name, model) for name in DEFAULTS} == {"None"}


def test_variants_are_built_for_ios18_unless_the_model_is_newer(model: Model) -> None:
    assert chosen_target(model, None) is Target.IOS18
    assert chosen_target(model, Target.IOS16) is Target.IOS16
    assert chosen_target(replace(model, target=Target.IOS26), None) is Target.IOS26


def test_the_toolkit_is_the_one_that_the_refusals_were_proved_with() -> None:
    assert import_coremltools().__version__ == "9.0"
