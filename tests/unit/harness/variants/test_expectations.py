"""What cannot run on an old runtime, and what surprises on a unit."""

from pathlib import Path

import pytest

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.model import Model
from harness.core.variant import OpSetting
from harness.sources import mobilenet_v2
from harness.variants.expectations import unable
from harness.variants.recipes import lacking, parse, warning
from tests.support.models import partitioned
from tests.unit.harness.variants.models import a_model

XNNPACK = ComputeUnit(kind="cpu", backend="xnnpack")


@pytest.fixture(scope="module")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Convolutions, depthwise ones, a fully connected layer."""
    return a_model(tmp_path_factory.mktemp("mobile"), mobilenet_v2.NETWORK.write_tflite(), name="mobile")


def device(runtime: str | None) -> DeviceFacts:
    versions = {"LiteRT": "2.3.0", "tflite-runtime": "2.14.0"}
    return DeviceFacts(name="board", family="linux", simulated=False, runtimes=versions, runtime=runtime)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("weight-int4", "tflite-runtime 2.14.0 has no DEQUANTIZE of int4; take weight-int8"),
        ("sparse-50+weight-int4", "tflite-runtime 2.14.0 has no DEQUANTIZE of int4; take weight-int8"),
        ("w4a8", "tflite-runtime 2.14.0 has no FULLY_CONNECTED of int8 with int4 weights; take int8"),
        ("dynamic-int4", "tflite-runtime 2.14.0 computes NaN in CONV_2D with int4 weights"),
        ("dynamic-int8", "tflite-runtime 2.14.0 computes zeros in FULLY_CONNECTED"),
    ],
)
def test_an_old_runtime_lacks_kernels(mobile: Model, recipe: str, reason: str) -> None:
    assert str(lacking(parse(recipe), mobile, device("tflite-runtime"))).startswith(reason)


@pytest.mark.parametrize(
    "recipe", ["float32", "float16", "weight-int8", "int8", "int16x8", "int8-edgetpu", "sparse-50"]
)
def test_an_old_runtime_runs_the_rest(mobile: Model, recipe: str) -> None:
    assert lacking(parse(recipe), mobile, device("tflite-runtime")) is None


@pytest.mark.parametrize("runtime", ["LiteRT", None])
def test_another_runtime_is_not_what_the_device_measures_with(mobile: Model, runtime: str | None) -> None:
    assert lacking(parse("weight-int4"), mobile, device(runtime)) is None


def test_a_model_without_the_operator_runs_on_the_old_runtime(tmp_path: Path) -> None:
    assert lacking(parse("dynamic-int8"), a_model(tmp_path, partitioned()), device("tflite-runtime")) is None


def test_a_setting_can_lack_a_kernel_too(mobile: Model) -> None:
    settings = (OpSetting(op_type="CONV_2D", recipe="weight-int4"),)
    assert "DEQUANTIZE" in str(lacking(parse("int8"), mobile, device("tflite-runtime"), settings))


@pytest.mark.parametrize(
    ("recipe", "setting"),
    [
        ("dynamic-int8", OpSetting(op_type="FULLY_CONNECTED")),
        ("float32", OpSetting(op_type="CONV_2D", recipe="dynamic-int8")),
    ],
)
def test_an_operator_that_a_recipe_is_not_for_lacks_nothing(mobile: Model, recipe: str, setting: OpSetting) -> None:
    assert lacking(parse(recipe), mobile, device("tflite-runtime"), (setting,)) is None


def test_an_operator_that_a_recipe_is_not_for_is_no_surprise(mobile: Model) -> None:
    settings = (OpSetting(op_type="DEPTHWISE_CONV_2D"),)
    assert warning(parse("dynamic-int8"), mobile, XNNPACK, settings) is None


@pytest.mark.parametrize("unit", [XNNPACK, ComputeUnit(kind="cpu"), ComputeUnit(kind="cpu", threads=4)])
def test_int16_activations_are_warned_of_on_xnnpack(mobile: Model, unit: ComputeUnit) -> None:
    assert warning(parse("int16x8"), mobile, unit) == (
        "XNNPACK has no int16 kernels: reference kernels, tens of times slower than float32"
    )


@pytest.mark.parametrize("recipe", ["dynamic-int8", "dynamic-int4", "weight-int4", "w4a8"])
def test_what_xnnpack_does_not_take_is_warned_of(mobile: Model, recipe: str) -> None:
    assert "slower than float32" in str(warning(parse(recipe), mobile, XNNPACK))


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8", "int8-per-tensor", "sparse-50", "sparse-2:4"])
def test_what_runs_as_expected_has_no_warning(mobile: Model, recipe: str) -> None:
    assert warning(parse(recipe), mobile, XNNPACK) is None


@pytest.mark.parametrize("unit", [ComputeUnit(kind="cpu", backend="builtin"), ComputeUnit(kind="gpu")])
def test_other_units_are_not_warned_of_xnnpack(mobile: Model, unit: ComputeUnit) -> None:
    assert warning(parse("int16x8"), mobile, unit) is None


def test_hybrid_kernels_without_depthwise_convolutions_are_no_surprise(tmp_path: Path) -> None:
    assert warning(parse("dynamic-int8"), a_model(tmp_path), XNNPACK) is None


def test_a_setting_is_warned_of_too(mobile: Model) -> None:
    settings = (OpSetting(op_type="CONV_2D", recipe="int16x8"),)
    assert "int16" in str(warning(parse("float32"), mobile, XNNPACK, settings))


def test_a_program_needs_an_apple_device() -> None:
    reason = unable("mlpackage", device("LiteRT"))
    assert reason == "no Apple device attached: board runs .tflite"
    assert unable("tflite", device("LiteRT")) is None


def test_an_apple_device_without_litert_runs_no_tflite() -> None:
    mac = DeviceFacts(name="studio", family="mac", simulated=False, runtimes={"Core ML": "15.4"}, runtime="Core ML")
    assert unable("tflite", mac) == "studio runs .mlpackage alone"
    assert unable("mlpackage", mac) is None


def test_a_device_that_names_no_runtime_is_asked_all_the_same() -> None:
    assert unable("mlpackage", DeviceFacts(name="odd", family="unknown", simulated=False)) is None
