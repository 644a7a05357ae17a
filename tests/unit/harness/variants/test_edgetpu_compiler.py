"""Variants that edgetpu_compiler makes, with a stand-in for it (FakeEdgeTpuCompiler): the real one never ran here."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.errors import RecipeError
from harness.core.variant import Transfers, Variant
from harness.variants.build import build_variants
from harness.variants.expectations import unfit
from harness.variants.job import BuildJob
from harness.variants.recipes import parse, refusal, refusal_here
from harness.variants.tflite.compiled import compiled_for
from harness.variants.tflite.edgetpu_compiler import find_compiler, version_of
from harness.variants.worker import build_one
from tests.support.edgetpu_models import compile_like, install_fake_compiler, quantised_cnn
from tests.support.fake_edgetpu_compiler import VERSION
from tests.unit.harness.variants.models import a_model, a_spec

RECIPE = "int8-edgetpu+edgetpu"
EDGETPU, CPU = ComputeUnit(kind="edgetpu"), ComputeUnit(kind="cpu")


def build(folder: Path, recipe: str = RECIPE, **environment: str) -> Variant:
    scratch = folder / "scratch"
    scratch.mkdir()
    spec = replace(a_spec(recipe), compiler=install_fake_compiler(folder, **environment))
    return build_one(BuildJob(model=a_model(folder), spec=spec, scratch=scratch))


def test_what_the_compiler_made_is_the_variant(tmp_path: Path) -> None:
    variant = build(tmp_path)
    assert str(compiled_for(variant.path.read_bytes())).startswith("the Edge TPU")
    assert variant.size_bytes == variant.path.stat().st_size
    assert {spec.dtype for spec in (*variant.inputs, *variant.outputs)} == {"int8"}


def test_what_the_compiler_said_is_kept_and_told(tmp_path: Path) -> None:
    variant = build(tmp_path, FAKE_EDGETPU_UNSUPPORTED="SOFTMAX")
    assert variant.compiled is not None
    assert (variant.compiled.on_cpu, variant.compiled.subgraphs, variant.compiled.off_chip_bytes) == (1, 1, 0)
    assert any("1 stay on the CPU: 1 x SOFTMAX, Operation not supported" in note for note in variant.notes)


def test_its_weights_are_those_before_the_compilation(tmp_path: Path) -> None:
    variant = build(tmp_path)
    assert (variant.weights_compressed, variant.weights_total) == (2, 2)
    assert "weights are counted before the compilation" in variant.notes


def test_its_fidelity_is_unknown_with_the_reason(tmp_path: Path) -> None:
    variant = build(tmp_path)
    assert variant.fidelity is None
    assert "which the host cannot run: fidelity is unknown" in variant.notes[-1]


def test_nothing_on_the_edge_tpu_is_a_failure_though_it_compiled(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="put no operator on the Edge TPU"):
        build(tmp_path, FAKE_EDGETPU_UNSUPPORTED="CONV_2D")


def test_a_compiler_that_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"Invalid model: x\.tflite; Model not quantized"):
        build(tmp_path, FAKE_EDGETPU_SAYS="Invalid model: x.tflite\nModel not quantized")


def test_the_version_is_the_compilers_own(tmp_path: Path) -> None:
    assert version_of(install_fake_compiler(tmp_path)) == VERSION


def test_a_file_that_is_no_program_is_no_compiler(tmp_path: Path) -> None:
    (tmp_path / "compiler").write_text("no program")
    assert find_compiler(tmp_path / "compiler") is None


def test_without_a_compiler_the_way_out_is_told(tmp_path: Path) -> None:
    model, lacking = a_model(tmp_path), replace(a_spec(RECIPE), compiler=tmp_path / "none")
    assert refusal_here(lacking, model) == (
        f"{tmp_path}/none is no program; compile the file on an x86-64 Linux (coral.ai/docs/edgetpu/compiler) and give "
        f"it as {{path: {model.name}_edgetpu.tflite, of: {model.name}}}"
    )
    assert refusal_here(replace(lacking, recipe="int8"), model) is None


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("edgetpu", "edgetpu compiles fully quantised files alone; write int8-edgetpu+edgetpu"),
        ("float16+edgetpu", "edgetpu compiles fully quantised files alone; write int8-edgetpu+edgetpu"),
        ("sparse-50+edgetpu", "edgetpu compiles fully quantised files alone; write sparse-50+int8-edgetpu+edgetpu"),
        ("int16x8+edgetpu", "edgetpu compiles fully quantised files alone; write int8-edgetpu+edgetpu"),
        ("edgetpu+int8", "edgetpu compiles the finished file; write it once, at the end"),
        ("int8+edgetpu+edgetpu", "edgetpu compiles the finished file; write it once, at the end"),
        ("int8+float16+edgetpu", "int8 and float16 each store the weights their own way; keep one, at the end"),
    ],
)
def test_a_recipe_that_it_cannot_compile_is_refused_with_the_way_out(tmp_path: Path, recipe: str, words: str) -> None:
    assert refusal(parse(recipe), a_model(tmp_path)) == words


@pytest.mark.parametrize("recipe", [RECIPE, "int8+edgetpu", "uint8+edgetpu", "sparse-50+int8-edgetpu+edgetpu"])
def test_fully_quantised_recipes_may_be_compiled(tmp_path: Path, recipe: str) -> None:
    assert refusal(parse(recipe), a_model(tmp_path)) is None


def test_a_compiled_variant_runs_on_the_edge_tpu_alone(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    assert unfit(a_spec(RECIPE), model, EDGETPU) is None
    assert unfit(a_spec(RECIPE), model, CPU) == "compiled for the Edge TPU: it needs an Edge TPU, cpu cannot run it"


def test_an_uncompiled_variant_on_the_edge_tpu_says_what_to_do(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    reason = str(unfit(a_spec("int8"), model, EDGETPU))
    assert reason.startswith("not compiled for the Edge TPU: take the variant int8-edgetpu+edgetpu")
    assert unfit(a_spec("int8"), model, CPU) is None


def test_a_file_that_was_compiled_beforehand_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "theirs.tflite"
    path.write_bytes(compile_like(quantised_cnn()).content)
    spec = a_spec("prebuilt", prebuilt=path)
    model = a_model(tmp_path)
    assert unfit(spec, model, EDGETPU) is None
    assert unfit(spec, model, CPU) is not None


def test_the_log_beside_a_file_that_was_compiled_beforehand_is_read(tmp_path: Path) -> None:
    from tests.unit.harness.variants.edgetpu_logs import V16_LOG

    path = tmp_path / "theirs_edgetpu.tflite"
    path.write_bytes(compile_like(quantised_cnn()).content)
    (tmp_path / "theirs_edgetpu.log").write_text(V16_LOG)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    built = build_one(BuildJob(model=a_model(tmp_path), spec=a_spec("prebuilt", prebuilt=path), scratch=scratch))
    assert built.compiled is not None
    assert (built.compiled.on_tpu, built.compiled.on_cpu) == (264, 3)


def test_what_crosses_in_an_inference_is_counted_in_the_compiled_file(tmp_path: Path) -> None:
    variant = build(tmp_path)
    assert variant.compiled is not None
    assert variant.compiled.transfers == Transfers(to_count=1, to_bytes=8 * 8 * 3, from_count=1, from_bytes=4)
    assert "Edge TPU: every inference sends 1 tensor of 192 bytes to it, and 1 tensor of 4 bytes back" in variant.notes


def test_a_compiled_variant_comes_back_whole_from_the_cache(tmp_path: Path) -> None:
    model, spec = a_model(tmp_path), replace(a_spec(RECIPE), compiler=install_fake_compiler(tmp_path))
    first, again = (
        build_variants([(model, spec)], cache=tmp_path / "cache", timeout_of=lambda _: 60.0, progress=lambda _: None)[0]
        for _ in range(2)
    )
    assert isinstance(first, Variant), first
    assert (again, first.compiled is not None) == (first, True)
