"""Input shapes of Core ML programs fixed at intake: the copy is an ordinary static program that computes the same."""

from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.fidelity.mil.reference import Program
from harness.sources.fixed_shapes import FixedModel, fix_shapes
from harness.sources.mlpackage import read_graph, read_model, read_weights
from harness.sources.mlpackage_file import open_package
from tests.support import mil, mlpackages

Shape = tuple[int, ...]


@pytest.fixture(scope="module")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mlpackages.ranges(tmp_path_factory.mktemp("ranged") / "m.mlpackage")


@pytest.fixture(scope="module")
def fixed(ranged: Path) -> FixedModel:
    return fix_shapes(ranged, {"x": (1, 3, 16, 12)}, ranged.parent / "kept")


def _reason(path: Path, **shapes: Shape) -> str:
    with pytest.raises(ModelUnreadable) as caught:
        fix_shapes(path, shapes, path.parent / "refused")
    return caught.value.reason


def test_open_sizes_are_fixed_in_the_whole_program(fixed: FixedModel) -> None:
    model = read_model(fixed.path, name="m")
    assert (model.inputs[0].shape, model.outputs[0].shape, model.notes) == ((1, 3, 16, 12), (1, 4), ())
    assert all(-1 not in node.shape for node in read_graph(fixed.path).nodes)
    assert fixed.note == "input shapes fixed to x (1, 3, 16, 12); the file has [1, 3, -1, -1]"


def test_the_description_allows_these_shapes_alone(fixed: FixedModel) -> None:
    array = open_package(fixed.path).specification.description.input[0].type.multiArrayType
    assert (list(array.shape), array.WhichOneof("ShapeFlexibility")) == ([1, 3, 16, 12], None)


def test_the_copy_computes_what_the_model_computes_in_that_shape(ranged: Path, fixed: FixedModel) -> None:
    image = np.random.default_rng(0).normal(size=(1, 3, 16, 12)).astype(np.float32)
    static = mlpackages.static(ranged.parent / "static.mlpackage", *image.shape)
    made, expected = (Program.load(path).predict({"x": image})["scores"] for path in (fixed.path, static))
    np.testing.assert_array_equal(made, expected)


def test_weights_and_precision_stay(tmp_path: Path) -> None:
    def dense(x: mil.Var) -> mil.Var:
        return mil.builder().linear(x=x, weight=np.ones((4, 8), np.float32))

    source = mil.write(tmp_path / "m.mlpackage", {"x": (None, 8)}, dense, target="iOS15", precision="float32")
    copy = fix_shapes(source, {"x": (2, 8)}, tmp_path).path
    assert [weight.dtype for weight in read_weights(copy)] == [weight.dtype for weight in read_weights(source)]
    before, after = (read_model(path, name="m") for path in (source, copy))
    assert (after.precision, after.target, after.inputs[0].shape) == ("float32", before.target, (2, 8))


def test_the_same_shapes_give_the_same_folder_and_leave_the_model_alone(ranged: Path, fixed: FixedModel) -> None:
    before = digest.of_path(ranged)
    assert fix_shapes(ranged, {"x": (1, 3, 16, 12)}, ranged.parent / "kept") == fixed
    assert list((ranged.parent / "kept" / "fixed").iterdir()) == [fixed.path]
    assert digest.of_path(ranged) == before


def test_the_shape_that_a_static_program_has_changes_nothing(fixed: FixedModel, tmp_path: Path) -> None:
    again = fix_shapes(fixed.path, {"x": (1, 3, 16, 12)}, tmp_path)
    assert again == FixedModel(path=fixed.path, note=None)


def test_a_model_of_several_functions_is_refused(ranged: Path, tmp_path: Path) -> None:
    path = mlpackages.join_functions(tmp_path / "two.mlpackage", fine=ranged, coarse=ranged)
    assert _reason(path, x=(1, 3, 4, 4)).endswith("it has several functions; fix the shape when converting it")


def test_an_image_is_fixed(tmp_path: Path) -> None:
    source = mlpackages.image_ranges(tmp_path / "m.mlpackage")
    copy = fix_shapes(source, {"x": (1, 3, 16, 12)}, tmp_path).path
    assert read_model(copy, name="m").inputs[0].shape == (1, 3, 16, 12)
    assert _reason(source, x=(1, 3, 16, 30)).startswith(
        "input_shapes: 'x' is given [1, 3, 16, 30] and the model allows"
    )


def test_a_size_outside_of_the_models_range_is_refused(ranged: Path) -> None:
    assert _reason(ranged, x=(1, 3, 2, 8)) == (
        "input_shapes: 'x' is given [1, 3, 2, 8] and the model allows [1, 3, 4 to 20, 4 to 20]; "
        "give one of these or convert it for others"
    )


def test_a_shape_that_is_none_of_the_models_choices_is_refused(tmp_path: Path) -> None:
    reason = _reason(mlpackages.choices(tmp_path / "m.mlpackage"), x=(1, 3, 8, 16))
    assert "the model allows [1, 3, 16, 16] or [1, 3, 8, 8]" in reason


def test_an_unknown_input_is_refused_with_those_there_are(ranged: Path) -> None:
    assert _reason(ranged, y=(1, 3, 8, 8)) == "input_shapes: no input 'y'; its inputs: 'x'"


def test_another_rank_is_refused(ranged: Path) -> None:
    assert _reason(ranged, x=(3, 8, 8)) == "input_shapes: 'x' is given [3, 8, 8] and its shape is [1, 3, -1, -1]"


def test_a_program_that_never_ends_is_not_waited_for(ranged: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match=r"no answer in 0\.01 s"):
        fix_shapes(ranged, {"x": (1, 3, 9, 9)}, tmp_path, deadline_s=0.01)
