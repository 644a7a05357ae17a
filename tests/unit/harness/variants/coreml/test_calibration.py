"""Ranges of activations: those that coremltools wrote into a program against ranges computed without it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.errors import RecipeRefused
from harness.fidelity.mil.reference import Program
from harness.sources.mil_package import write_package
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml.activation_operators import read_operators
from harness.variants.coreml.activation_scales import ActivationScale, scales_of
from harness.variants.coreml.activations import quantize_activations
from harness.variants.technique import Calibration, CoreMLProgram
from tests.support import mil

Array = NDArray[Any]
STEPS = 127  # of a symmetric int8 from zero on
WEIGHTS = {
    name: np.random.default_rng(seed).standard_normal(shape).astype(np.float16).astype(np.float32)
    for seed, (name, shape) in enumerate({"first": (8, 6), "second": (8, 8), "third": (4, 8)}.items())
}


def program_of(path: Path, shapes: Mapping[str, Sequence[int]], body: mil.Body) -> CoreMLProgram:
    with quietly():
        mil.write(path, shapes, body)
        return import_coremltools().models.MLModel(str(path), skip_model_load=True)


def weights_in(program: CoreMLProgram) -> list[str]:
    """Names of all weights, those of the operators that were compressed too."""
    return [name for each in read_operators("int8", program) for name in each.inputs.get("weight", ())]


def calibration(*inputs: Array) -> Calibration:
    """Each input: samples first."""
    samples = tuple(dict(enumerate(each)) for each in zip(*inputs, strict=True))
    return Calibration(samples={None: samples}, described="made up")


def quantised(program: CoreMLProgram, *inputs: Array) -> CoreMLProgram:
    return quantize_activations("int8", program, weights_in(program), calibration(*inputs))


def scale_of(low: float, high: float) -> float:
    """What a symmetric int8 needs for a range, in float16 as the program stores it."""
    return float(np.float16(np.float32(max(abs(low), abs(high))) / np.float32(STEPS)))


def samples(shape: tuple[int, ...], seed: int = 7) -> Array:
    """Six samples, the widest of them neither first nor last."""
    widths = np.array([1, 0.5, 3, 0.25, 2, 0.1], np.float32)
    drawn = np.random.default_rng(seed).standard_normal((6, *shape)).astype(np.float32)
    return drawn * widths.reshape(-1, *[1] * len(shape))


def layers(x: Any) -> Any:  # noqa: ANN401 (coremltools has no types)
    from coremltools.converters.mil.mil import Builder

    first = Builder.relu(x=Builder.linear(x=x, weight=WEIGHTS["first"], name="first"), name="kept")
    second = Builder.linear(x=first, weight=WEIGHTS["second"], name="second")
    summed = Builder.add(x=first, y=second, name="summed")
    return Builder.linear(x=summed, weight=WEIGHTS["third"], name="third")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "network.mlpackage"
    program_of(path, {"x": (2, 6)}, layers)
    return path


@pytest.fixture(scope="module")
def program(network: Path) -> CoreMLProgram:
    return import_coremltools().models.MLModel(str(network), skip_model_load=True)


@pytest.fixture(scope="module")
def written(program: CoreMLProgram) -> dict[str, ActivationScale]:
    """Scales of the quantised network by the value they are of."""
    return {each.value: each for each in scales_of(quantised(program, samples((2, 6))))}


def in_float64(x: Array) -> dict[str, Array]:
    """The network's values, by numpy alone."""
    first = np.maximum(x @ WEIGHTS["first"].T.astype(np.float64), 0)
    second = first @ WEIGHTS["second"].T.astype(np.float64)
    third = (first + second) @ WEIGHTS["third"].T.astype(np.float64)
    return {"x": x, "kept": first, "second": second, "summed": first + second, "third": third}


def whole(written: Mapping[str, ActivationScale]) -> dict[str, float]:
    """Scales by value, that of the addition no more divided by the scale of its second operand."""
    second = written["second_cast_fp16"].scale
    return {name: each.scale * (second if name.startswith("summed") else 1) for name, each in written.items()}


@pytest.mark.parametrize("name", ["x", "kept", "second", "summed", "third"])
def test_ranges_are_those_of_numpy_in_float64(written: Mapping[str, ActivationScale], name: str) -> None:
    (scale,) = (each for value, each in whole(written).items() if value.startswith(name))
    values = in_float64(samples((2, 6)).astype(np.float16).astype(np.float64))[name]
    assert scale == pytest.approx(scale_of(values.min(), values.max()), rel=2**-9)


def test_ranges_are_exactly_those_of_the_values_inside(network: Path, written: Mapping[str, ActivationScale]) -> None:
    reference = Program.load(network, observe=tuple(written))
    seen = [reference.predict({"x": each}) for each in samples((2, 6))]
    ranges = {name: np.stack([each[name] for each in seen]) for name in written}
    expected = {name: scale_of(values.min(), values.max()) for name, values in ranges.items()}
    second = expected["second_cast_fp16"]
    expected["summed_cast_fp16"] = float(np.float16(expected["summed_cast_fp16"]) / np.float16(second))
    assert {name: each.scale for name, each in written.items()} == expected


def test_symmetric_ranges_have_no_zero_point(written: Mapping[str, ActivationScale]) -> None:
    assert {each.zero_point for each in written.values()} == {0}


def test_values_are_quantised_around_the_operators(written: Mapping[str, ActivationScale]) -> None:
    assert [name.split("_")[0] for name in written] == ["x", "kept", "second", "summed", "third"]


def test_the_toolkit_alone_keeps_the_range_of_the_last_sample(program: CoreMLProgram) -> None:
    coreml = import_coremltools().optimize.coreml
    config = coreml.OptimizationConfig(coreml.OpLinearQuantizerConfig(mode="linear_symmetric"))
    drawn = samples((2, 6))
    with quietly():
        alone = coreml.linear_quantize_activations(program, config, [{"x": each} for each in drawn])
    last = quantised(program, drawn[-1:])
    assert [each.scale for each in scales_of(alone)] == [each.scale for each in scales_of(last)]


def test_samples_reach_inputs_by_position(tmp_path: Path) -> None:
    def body(b: Any, a: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        return Builder.linear(x=Builder.concat(values=[b, a], axis=1), weight=np.ones((3, 6), np.float32))

    program = program_of(tmp_path / "two.mlpackage", {"b": (1, 2), "a": (1, 4)}, body)
    found = quantised(program, np.full((3, 1, 2), 5, np.float32), np.full((3, 1, 4), -1, np.float32))
    assert scales_of(found)[0].scale == scale_of(-1, 5)


def test_what_is_joined_over_several_steps_shares_one_range(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        value = Builder.conv(x=x, weight=np.ones((1, 1, 1, 1), np.float32), name="step0")
        for step in range(1, 6):
            new = Builder.conv(x=value, weight=np.full((1, step, 1, 1), step / 8, np.float32), name=f"step{step}")
            value = Builder.concat(values=[value, new], axis=1, name=f"joined{step}")
        return Builder.conv(x=value, weight=np.ones((1, 6, 1, 1), np.float32))

    program = program_of(tmp_path / "joined.mlpackage", {"x": (1, 1, 2, 2)}, body)
    found = scales_of(quantised(program, samples((1, 1, 2, 2))))
    shared = {each.scale for each in found if each.value.startswith(("step", "joined"))}
    assert (len(shared), len({each.scale for each in found})) == (1, 3)  # the others: x and the last one


def test_an_addition_of_values_far_apart_does_not_overflow(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        one, many = (np.full((2, 1, 1, 1), value, np.float32) for value in (1, 1000))
        summed = Builder.add(x=Builder.conv(x=x, weight=many), y=Builder.conv(x=x, weight=one), name="summed")
        return Builder.conv(x=summed, weight=np.ones((2, 2, 1, 1), np.float32), name="y")

    path = tmp_path / "apart.mlpackage"
    found = quantised(program_of(path, {"x": (1, 1, 2, 2)}, body), samples((1, 1, 2, 2)))
    write_package(found, tmp_path / "quantised.mlpackage")
    before, after = Program.load(path), Program.load(tmp_path / "quantised.mlpackage")
    errors = [before.predict({"x": each})["y"] - after.predict({"x": each})["y"] for each in samples((1, 1, 2, 2))]
    assert np.abs(errors).max() < 3 * scales_of(found)[-1].scale


def test_images_are_calibrated_as_arrays(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        return Builder.conv(x=x, weight=np.ones((2, 3, 1, 1), np.float32))

    program = program_of(tmp_path / "image.mlpackage", {"x": (1, 3, 4, 4)}, body)
    specification = program.get_spec()
    image = specification.description.input[0].type.imageType
    image.width, image.height, image.colorSpace = 4, 4, 20  # RGB
    models = import_coremltools().models
    with_image = models.MLModel(specification, weights_dir=program.weights_dir, skip_model_load=True)
    found = quantised(with_image, np.full((2, 1, 3, 4, 4), 254, np.float32))
    kinds = [each.type.WhichOneof("Type") for each in found.get_spec().description.input]
    assert (kinds, scales_of(found)[0].scale) == (["imageType"], 2)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (2e4, "kept_cast_fp16 goes beyond 32752 on the calibration samples"),
        (-1, "kept_cast_fp16 is zero or next to it on the calibration samples"),
        (1e-6, "conv_0_cast_fp16 is zero or next to it on the calibration samples"),
        (np.nan, "x_to_fp16 is not a number on the calibration samples"),
    ],
)
def test_ranges_that_no_scale_covers_are_refused(tmp_path: Path, value: float, why: str) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        kept = Builder.relu(x=Builder.conv(x=x, weight=np.ones((2, 3, 1, 1), np.float32)), name="kept")
        return Builder.reduce_sum(x=kept)

    program = program_of(tmp_path / "wide.mlpackage", {"x": (1, 3, 2, 2)}, body)
    with pytest.raises(RecipeRefused, match=why):
        quantised(program, np.full((2, 1, 3, 2, 2), value, np.float32))


def test_values_that_are_watched_a_few_at_a_time_have_the_same_ranges(
    program: CoreMLProgram, written: Mapping[str, ActivationScale]
) -> None:
    all_samples = calibration(samples((2, 6)))
    found = quantize_activations("int8", program, weights_in(program), all_samples, at_once=100)
    assert {each.value: each for each in scales_of(found)} == written


def test_calibration_leaves_the_program_as_it_was(network: Path, tmp_path: Path) -> None:
    program = import_coremltools().models.MLModel(str(network), skip_model_load=True)
    write_package(program, tmp_path / "before.mlpackage")
    quantised(program, samples((2, 6)))
    write_package(program, tmp_path / "after.mlpackage")
    model = "Data/com.apple.CoreML/model.mlmodel"
    assert (tmp_path / "after.mlpackage" / model).read_bytes() == (tmp_path / "before.mlpackage" / model).read_bytes()
