"""Names of operators, weights, inputs and outputs through casts, targets and compressions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.model import Model
from harness.core.target import Target
from harness.sources.mil_package import write_package
from harness.sources.reading import read_graph
from harness.variants.coreml.names import CAST, restored
from harness.variants.coreml.package import load, open_program
from harness.variants.coreml.weights import read_weights
from harness.variants.technique import CoreMLProgram
from tests.support.mil import builder
from tests.unit.harness.variants.coreml.programs import a_model, a_variant


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return a_model(tmp_path_factory.mktemp("model"))


def operators(path: Path) -> dict[str, str]:
    """Types by name, without the casts at both ends."""
    return {node.name: node.type for node in read_graph(path).nodes if node.type != "cast"}


@pytest.mark.parametrize("recipe", ["float16", "palette-1", "sparse-50+weight-int8"])
@pytest.mark.parametrize("target", [Target.IOS18, Target.IOS26])
def test_an_operator_is_the_same_one_in_every_variant(
    recipe: str, target: Target, model: Model, tmp_path: Path
) -> None:
    variant = a_variant(model, recipe, tmp_path, target=target)
    wanted = operators(model.path)
    (output,) = (spec.name for spec in model.outputs)
    assert operators(variant.path) == {f"{name}{CAST}" if name == output else name: wanted[name] for name in wanted}


def test_operators_keep_their_names_in_a_newer_target(model: Model, tmp_path: Path) -> None:
    variant = a_variant(model, "float32", tmp_path, target=Target.IOS26)
    assert operators(variant.path) == operators(model.path)


def test_operators_with_several_outputs_keep_their_names(tmp_path: Path) -> None:
    def halves(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        mb = builder()
        left, right = mb.split(x=image, num_splits=2, axis=3, name="halves")
        return mb.add(x=left, y=mb.relu(x=right, name="right"), name="sum")

    model = a_model(tmp_path, body=halves)
    assert [node.name for node in read_graph(model.path).nodes] == ["halves_0", "right", "sum"]
    write_package(open_program(model.path, Target.IOS18, cast=True), tmp_path / "half.mlpackage")
    assert list(operators(tmp_path / "half.mlpackage")) == ["halves_0", "right", f"sum{CAST}"]


def test_a_weight_whose_name_is_taken_keeps_the_toolkits(model: Model) -> None:
    program: CoreMLProgram = open_program(model.path, Target.IOS18, cast=True)
    assert restored(program, ("body_weight_0",)).get_spec() == program.get_spec()


def test_weights_know_their_channels(tmp_path: Path) -> None:
    def kinds(image: Any) -> Any:  # noqa: ANN401 (the builder has no types)
        mb = builder()
        wide = mb.conv_transpose(x=image, weight=counted(3, 6, 2, 2), name="wide")
        flat = mb.reduce_mean(x=wide, axes=[2, 3], keep_dims=False, name="flat")
        return mb.matmul(x=mb.matmul(x=flat, y=counted(6, 5)), y=counted(4, 5), transpose_y=True, name="last")

    weights = read_weights(load(a_model(tmp_path, body=kinds).path))
    assert {weight.shape: (weight.output_axis, weight.input_axis) for weight in weights} == {
        (3, 6, 2, 2): (1, 0),
        (6, 5): (1, 0),
        (4, 5): (0, 1),
    }


def counted(*shape: int) -> Any:  # noqa: ANN401 (an array)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
