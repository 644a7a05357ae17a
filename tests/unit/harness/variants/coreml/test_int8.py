"""`int8` of Core ML: which operators it is about, what it stores and how far its outputs move."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.errors import RecipeRefused
from harness.core.target import Target
from harness.fidelity.mil.reference import Program
from harness.sources.mil_package import write_package
from harness.toolkit import import_coremltools, quietly
from harness.variants.coreml import int8, sparse
from harness.variants.coreml.activation_operators import operations_of, read_operators
from harness.variants.coreml.activation_scales import scales_of
from harness.variants.coreml.steps import apply_all, divide
from harness.variants.coreml.table import TECHNIQUES
from harness.variants.coreml.weights import read_weights
from harness.variants.grammar import parse
from harness.variants.technique import Calibration, CoreMLProgram, Recipe, Step
from tests.support import mil

Array = NDArray[Any]
INT8 = Step(row="int8")


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layers(x: Any) -> Any:  # noqa: ANN401 (coremltools has no types)
    """As small networks are: convolutions, a residual, a pooling, a linear layer."""
    from coremltools.converters.mil.mil import Builder

    first = Builder.relu(x=Builder.conv(x=x, weight=drawn(16, 1, 3, 3) / 3, pad_type="same", name="first"))
    second = Builder.conv(x=first, weight=drawn(16, 16, 3, 3) / 12, pad_type="same", name="second")
    summed = Builder.relu(x=Builder.add(x=second, y=first, name="summed"))
    pooled = Builder.max_pool(x=summed, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", name="pooled")
    flat = Builder.reshape(x=pooled, shape=[1, 256])
    return Builder.linear(x=flat, weight=drawn(10, 256) / 16, name="last")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with quietly():
        return mil.write(tmp_path_factory.mktemp("int8") / "network.mlpackage", {"x": (1, 1, 8, 8)}, layers)


@pytest.fixture(scope="module")
def program(package: Path) -> CoreMLProgram:
    return import_coremltools().models.MLModel(str(package), skip_model_load=True)


@pytest.fixture(scope="module")
def quantised(program: CoreMLProgram) -> CoreMLProgram:
    return int8.compress(program, INT8, weights_in(program), False, calibration())


def weights_in(program: CoreMLProgram) -> list[str]:
    return [name for each in read_operators("int8", program) for name in each.inputs.get("weight", ())]


def calibration() -> Calibration:
    return Calibration(samples={None: tuple({0: each} for each in drawn(20, 1, 1, 8, 8, seed=1))}, described="made up")


def types_in(program: CoreMLProgram) -> Counter[str]:
    return Counter(each.type for each in operations_of(program))


def outputs_of(program: CoreMLProgram, path: Path, inputs: Array) -> Array:
    write_package(program, path)
    reference = Program.load(path)
    return np.stack([reference.predict({"x": each})["last"] for each in inputs]).astype(np.float64)


def test_outputs_stay_close_to_those_of_the_float16_program(
    program: CoreMLProgram, quantised: CoreMLProgram, tmp_path: Path
) -> None:
    inputs = drawn(10, 1, 1, 8, 8, seed=2)
    before = outputs_of(program, tmp_path / "before.mlpackage", inputs)
    after = outputs_of(quantised, tmp_path / "after.mlpackage", inputs)
    assert 10 * np.log10((before**2).mean() / ((before - after) ** 2).mean()) > 25


def test_activations_are_quantised_where_values_come_and_go(quantised: CoreMLProgram) -> None:
    assert types_in(quantised)["quantize"] == 6  # x, first, second, summed, pooled, last


def test_weights_with_more_than_2048_elements_become_int8(quantised: CoreMLProgram) -> None:
    assert types_in(quantised)["constexpr_blockwise_shift_scale"] == 2  # second and last


def test_inputs_and_outputs_stay_as_they_are(program: CoreMLProgram, quantised: CoreMLProgram) -> None:
    assert quantised.get_spec().description.output == program.get_spec().description.output


def test_operators_that_are_not_chosen_stay_in_float16(program: CoreMLProgram) -> None:
    last = weights_in(program)[-1:]
    found = int8.compress(program, INT8, last, False, calibration())
    assert (types_in(found)["quantize"], types_in(found)["constexpr_blockwise_shift_scale"]) == (2, 1)


def apply(program: CoreMLProgram, given: Mapping[str, Recipe | None]) -> CoreMLProgram:
    """int8 for the whole program but the operators that are given something else."""
    works = divide(parse("int8"), given, read_weights(program), TECHNIQUES)
    return apply_all("int8", works, program, calibration()).program


def test_operators_of_small_weights_have_their_activations_quantised_too(program: CoreMLProgram) -> None:
    assert types_in(apply(program, {}))["quantize"] == 6


def test_an_operator_that_a_setting_leaves_out_stays_in_float16(program: CoreMLProgram) -> None:
    left_out = {"second_cast_fp16": None}
    found = [each.value.split("_")[0] for each in scales_of(apply(program, left_out))]
    assert found == ["x", "relu", "reshape", "last"]


def test_it_joins_with_pruning(program: CoreMLProgram) -> None:
    large = weights_in(program)[1:]
    pruned = sparse.compress(program, Step(row="sparse-P", numbers=("50",)), large, False, None)
    joint = int8.compress(pruned, INT8, weights_in(pruned), True, calibration())
    found = types_in(joint)
    assert (found["quantize"], found["constexpr_sparse_blockwise_shift_scale"]) == (6, 2)


def test_joined_weights_are_pruned_and_quantised_at_once(program: CoreMLProgram, tmp_path: Path) -> None:
    large = weights_in(program)[1:]
    pruned = sparse.compress(program, Step(row="sparse-P", numbers=("50",)), large, False, None)
    joint = int8.compress(pruned, INT8, weights_in(pruned), True, calibration())
    inputs = drawn(5, 1, 1, 8, 8, seed=2)
    before = outputs_of(pruned, tmp_path / "before.mlpackage", inputs)
    after = outputs_of(joint, tmp_path / "after.mlpackage", inputs)
    assert 10 * np.log10((before**2).mean() / ((before - after) ** 2).mean()) > 25


def test_the_same_samples_give_the_same_bytes(program: CoreMLProgram, quantised: CoreMLProgram, tmp_path: Path) -> None:
    again = int8.compress(program, INT8, weights_in(program), False, calibration())
    for name, each in {"one": quantised, "two": again}.items():
        write_package(each, tmp_path / name)
    model = "Data/com.apple.CoreML/model.mlmodel"
    assert (tmp_path / "one" / model).read_bytes() == (tmp_path / "two" / model).read_bytes()


def test_it_needs_samples(program: CoreMLProgram) -> None:
    with pytest.raises(ValueError, match="samples are missing"):
        int8.compress(program, INT8, weights_in(program), False, None)


def test_it_needs_ios17() -> None:
    assert int8.COMPRESSION.since(INT8) is Target.IOS17


def test_programs_with_blocks_inside_are_refused(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        positive = Builder.greater(x=Builder.reduce_sum(x=x, axes=[0], keep_dims=False), y=np.float32(0))
        branch = Builder.cond(pred=positive, _true_fn=lambda: Builder.relu(x=x), _false_fn=lambda: Builder.exp(x=x))
        return Builder.linear(x=Builder.expand_dims(x=branch, axes=[0]), weight=drawn(3, 4))

    with quietly():
        path = mil.write(tmp_path / "branch.mlpackage", {"x": (4,)}, body)
    branching = import_coremltools().models.MLModel(str(path), skip_model_load=True)
    with pytest.raises(RecipeRefused, match="a program with cond; take weight-int8"):
        int8.compress(branching, INT8, [], False, calibration())


def test_programs_without_operators_to_quantise_are_refused(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder

        return Builder.matmul(x=x, y=drawn(4, 4))

    with quietly():
        path = mil.write(tmp_path / "matmul.mlpackage", {"x": (4, 4)}, body)
    matmul = import_coremltools().models.MLModel(str(path), skip_model_load=True)
    with pytest.raises(RecipeRefused, match="no operator with activations to quantise; the toolkit has conv, linear"):
        int8.compress(matmul, INT8, [], False, calibration())


def test_an_output_that_is_read_inside_keeps_its_operators_as_they_are(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        from coremltools.converters.mil.mil import Builder, types

        half = Builder.cast(x=x, dtype=types.builtin_to_string(types.fp16))
        first = Builder.linear(x=half, weight=drawn(4, 4).astype(np.float16), name="first")
        return first, Builder.linear(x=Builder.exp(x=first), weight=drawn(4, 4).astype(np.float16), name="second")

    with quietly():
        path = mil.write(tmp_path / "outputs.mlpackage", {"x": (2, 4)}, body)
    program = import_coremltools().models.MLModel(str(path), skip_model_load=True)
    samples = Calibration(samples={None: tuple({0: each} for each in drawn(3, 2, 4))}, described="made up")
    found = int8.compress(program, INT8, weights_in(program), False, samples)
    assert types_in(found)["linear"] == 2
