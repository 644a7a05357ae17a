"""The shipped models through real builds in real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.core.deadline import Deadline
from harness.core.model import Model
from harness.core.variant import BuildFailed, BuildOutcome, OpSetting, Variant
from harness.sources.samples import sample_model
from harness.variants.build import build_variants
from harness.variants.recipes import default_variants
from tests.unit.harness.variants.models import a_model, a_spec, calls_itself, never_ends

ROOT = Path(__file__).parents[2]
MOBILENET_RECIPES = (
    "float32",
    "float16",
    "dynamic-int8",
    "dynamic-int4",
    "int8",
    "int8-per-tensor",
    "palette-4",
    "sparse-50+palette-4+int8",
)


def build(model: Model, recipes: Sequence[str], cache: Path, timeout_s: float = 120) -> tuple[BuildOutcome, ...]:
    orders = [(model, a_spec(recipe, model=model.name)) for recipe in recipes]
    return build_variants(orders, cache=cache, timeout_of=lambda _: timeout_s, progress=lambda _: None)


def built(outcomes: Sequence[BuildOutcome]) -> Mapping[str, Variant]:
    assert [outcome.error for outcome in outcomes if isinstance(outcome, BuildFailed)] == []
    return {outcome.recipe: outcome for outcome in outcomes if isinstance(outcome, Variant)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache: Path) -> Model:
    return sample_model("digits", cache / "samples")


@pytest.fixture(scope="module")
def of_digits(digits: Model, cache: Path) -> Mapping[str, Variant]:
    return built(build(digits, default_variants(digits), cache))


@pytest.fixture(scope="module")
def of_mobilenet(cache: Path) -> Mapping[str, Variant]:
    return built(build(sample_model("mobilenet_v2", cache / "samples"), MOBILENET_RECIPES, cache))


def test_every_default_variant_of_digits_is_built_and_scored(digits: Model, of_digits: Mapping[str, Variant]) -> None:
    assert tuple(of_digits) == default_variants(digits)
    assert all(variant.accuracy is not None and variant.fidelity is not None for variant in of_digits.values())


@pytest.mark.parametrize(
    "recipe",
    [
        *("float16", "dynamic-int8", "dynamic-int4", "weight-int8", "weight-int4", "int8", "int8-per-tensor"),
        *("int8-edgetpu", "int8-float-io", "uint8", "int16x8", "w4a8", "palette-6"),
    ],
)
def test_mild_compression_keeps_what_digits_can(of_digits: Mapping[str, Variant], recipe: str) -> None:
    source, variant = of_digits["float32"].accuracy, of_digits[recipe].accuracy
    assert source is not None
    assert variant is not None
    assert source.value > 0.97
    assert variant.value > source.value - 0.01


def test_sizes_of_digits_fall_with_bits_and_scales(of_digits: Mapping[str, Variant]) -> None:
    sizes = {recipe: variant.size_bytes for recipe, variant in of_digits.items()}
    assert sizes["int8-per-tensor"] < sizes["int8-edgetpu"] < sizes["int8"] < sizes["float16"] < sizes["float32"]
    assert max(sizes["dynamic-int4"], sizes["weight-int4"], sizes["w4a8"]) < 0.16 * sizes["float32"]


def test_digits_could_be_on_an_edge_tpu(of_digits: Mapping[str, Variant]) -> None:
    assert (
        "Edge TPU (static check, not its compiler): all 6 operators could be on it" in of_digits["int8-edgetpu"].notes
    )


def test_a_variant_with_settings_is_built_in_its_own_process_and_kept(digits: Model, cache: Path) -> None:
    settings = (OpSetting(op_type="CONV_2D", recipe="weight-int8"), OpSetting(op="logits"))
    orders = [(digits, a_spec("sparse-50+int8", *settings, model="digits", name="mixed"))]
    first, again = (
        build_variants(orders, cache=cache, timeout_of=lambda _: 120, progress=lambda _: None) for _ in range(2)
    )
    (variant,) = first
    assert isinstance(variant, Variant)
    assert {tensor.name: tensor.dtype for tensor in variant.tensors} == {
        "conv1/weights": "int8",
        "conv2/weights": "int8",
        "dense/weights": "int8",
        "logits/weights": "float32",
    }
    assert again == first


def test_calibration_on_the_models_own_data_is_said(of_digits: Mapping[str, Variant]) -> None:
    assert str(of_digits["int8"].calibration).startswith("100 samples of digits")
    assert of_digits["float16"].calibration is None


def test_all_weights_of_digits_are_compressed(of_digits: Mapping[str, Variant]) -> None:
    counts = {recipe: (v.weights_compressed, v.weights_total) for recipe, v in of_digits.items()}
    assert counts.pop("float32") == (0, 4)
    assert counts.pop("palette-4-per-channel") == (3, 4)  # conv1 has 9 weights a channel, fewer than 16 values
    assert set(counts.values()) == {(4, 4)}


def test_zip_pays_for_zeros_and_clusters(of_digits: Mapping[str, Variant]) -> None:
    zips = {recipe: variant.zip_bytes for recipe, variant in of_digits.items()}
    assert zips["sparse-50"] < 0.65 * zips["float32"]
    assert zips["palette-4"] < 0.25 * zips["float32"]
    assert zips["sparse-50+palette-4"] < zips["palette-4"]
    assert zips["sparse-75+int8"] < 0.6 * zips["int8"]


def test_a_second_build_costs_nothing(digits: Model, of_digits: Mapping[str, Variant], cache: Path) -> None:
    started = time.monotonic()
    again = built(build(digits, tuple(of_digits), cache))
    assert again == of_digits
    assert time.monotonic() - started < 0.05 * len(of_digits)


@pytest.mark.thorough
def test_sizes_of_mobilenet_v2(of_mobilenet: Mapping[str, Variant]) -> None:
    megabytes = {recipe: variant.size_bytes / 1e6 for recipe, variant in of_mobilenet.items()}
    assert megabytes["float32"] == pytest.approx(14.0, abs=0.1)
    assert megabytes["float16"] == pytest.approx(7.06, abs=0.1)
    assert megabytes["dynamic-int8"] == pytest.approx(3.8, abs=0.1)
    assert megabytes["dynamic-int4"] == pytest.approx(2.2, abs=0.1)
    assert megabytes["int8"] == pytest.approx(4.0, abs=0.1)
    assert megabytes["int8-per-tensor"] == pytest.approx(3.6, abs=0.1)
    assert of_mobilenet["palette-4"].size_bytes == of_mobilenet["float32"].size_bytes


@pytest.mark.thorough
def test_random_weights_make_fidelity_meaningless_and_calibration_random(of_mobilenet: Mapping[str, Variant]) -> None:
    variant = of_mobilenet["int8"]
    assert variant.fidelity is not None
    assert not variant.fidelity.meaningful
    assert variant.accuracy is None
    assert "calibrated on random inputs" in variant.notes


@pytest.mark.thorough
def test_a_chain_keeps_its_zeros_through_every_layer(of_mobilenet: Mapping[str, Variant]) -> None:
    variant = of_mobilenet["sparse-50+palette-4+int8"]
    assert all(tensor.zeros >= tensor.elements // 2 for tensor in variant.tensors)
    assert not [note for note in variant.notes if "was lost" in note]


def test_a_model_that_crashes_the_runtime_costs_itself_alone(tmp_path: Path) -> None:
    hostile, good = a_model(tmp_path, calls_itself(), name="hostile"), a_model(tmp_path)
    orders = [(hostile, a_spec("float32", model="hostile")), (good, a_spec("int8"))]
    bad, fine = build_variants(orders, cache=tmp_path / "cache", timeout_of=lambda _: 60, progress=lambda _: None)
    assert isinstance(bad, BuildFailed)
    assert bad.error.startswith("the build process was killed by SIGSEGV")
    assert isinstance(fine, Variant)


def test_a_model_that_hangs_the_runtime_ends_at_the_deadline(tmp_path: Path) -> None:
    (out,) = build(a_model(tmp_path, never_ends()), ("float32",), tmp_path / "cache", timeout_s=5)
    assert isinstance(out, BuildFailed)
    assert out.error.startswith("did not end within 5 s and was ended")


def test_builds_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """The parent has no time to clean up; the build notices that it is alone."""
    a_model(tmp_path)
    script = tmp_path / "parent.py"
    script.write_text(
        "from pathlib import Path\n"
        "from harness.variants.build import build_variants\n"
        "from tests.unit.harness.variants.builders import act\n"
        "from tests.unit.harness.variants.models import a_model, a_spec\n"
        "if __name__ == '__main__':\n"
        f"    model = a_model(Path({str(tmp_path)!r}))\n"
        "    orders = [(model, a_spec('sparse-4'))]\n"
        f"    build_variants(orders, cache=Path({str(tmp_path / 'cache')!r}), timeout_of=lambda _: 60,\n"
        "                   progress=lambda _: None, build=act)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen((sys.executable, str(script)), cwd=ROOT, env=environment) as parent:
        deadline = Deadline(30)
        while not (marks := list(tmp_path.glob("hung-*"))):
            assert not deadline.expired, "the build never began"
            time.sleep(0.02)
        parent.send_signal(signal.SIGKILL)
    pid = int(marks[0].name.removeprefix("hung-"))
    while _is_alive(pid):
        assert not deadline.expired, "the build, or what it started, outlived its parent"
        time.sleep(0.02)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
