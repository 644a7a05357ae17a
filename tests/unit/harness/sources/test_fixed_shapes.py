"""Input shapes fixed at intake: the copy is an ordinary static model, and what the runtime refuses is said."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from harness.core.errors import ModelUnreadable
from harness.sources.fixed_shapes import FixedModel, fix_shapes
from harness.sources.tflite import read_graph, read_model, read_signatures
from harness.variants.tflite.weights import read_weights, values
from tests.support import models, unusual
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal

Shape = tuple[int, ...]


def _fix(directory: Path, content: bytes, *, signature: str | None = None, **shapes: Shape) -> FixedModel:
    return fix_shapes(models.write_model(directory, content), shapes, directory / "kept", signature=signature)


def _reason(directory: Path, content: bytes, **shapes: Shape) -> str:
    with pytest.raises(ModelUnreadable) as caught:
        fix_shapes(models.write_model(directory, content), shapes, directory)
    assert caught.value.path == str(directory / "model.tflite")
    return caught.value.reason


def test_open_dimensions_are_fixed_in_the_whole_graph(tmp_path: Path) -> None:
    fixed = _fix(tmp_path, unusual.dynamic_batch(), image=(2, 16, 12, 3))
    model = read_model(fixed.path, name="m")
    assert (model.inputs[0].shape, model.outputs[0].shape, model.notes) == ((2, 16, 12, 3), (2, 4), ())
    assert [node.shape for node in read_graph(fixed.path).nodes] == [(2, 16, 12, 4), (2, 4), (2, 4)]
    assert fixed.note == "input shapes fixed to image (2, 16, 12, 3); the file leaves them open"


def test_the_copy_computes_what_the_file_computes_in_that_shape(tmp_path: Path) -> None:
    image = np.random.default_rng(0).normal(size=(2, 16, 12, 3)).astype(np.float32)
    fixed = _fix(tmp_path, unusual.dynamic_batch(), image=image.shape)
    resized = Interpreter(model_path=str(tmp_path / "model.tflite"))
    resized.resize_tensor_input(0, image.shape)
    results = []
    for interpreter in (resized, Interpreter(model_path=str(fixed.path))):
        interpreter.allocate_tensors()
        interpreter.set_tensor(0, image)
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*results)


def test_constants_from_behind_the_flatbuffer_are_in_the_copy(tmp_path: Path) -> None:
    source = dense(normal(700, 700))
    quantised = compressed(source, "weight-int8")
    assert len(quantised) > schema_end(quantised)
    fixed = _fix(tmp_path, quantised, x=(2, 700)).path.read_bytes()
    before, after = ([values(content, weight) for weight in read_weights(content)] for content in (quantised, fixed))
    np.testing.assert_array_equal(before, after)


def schema_end(content: bytes) -> int:
    """Where the first constant behind the flatbuffer begins; the file's end where there is none."""
    model = schema.Model.GetRootAs(content, 0)
    offsets = [model.Buffers(index).Offset() for index in range(model.BuffersLength())]
    return min((offset for offset in offsets if offset > 1), default=len(content))


def test_constants_of_the_copy_stay_aligned(tmp_path: Path) -> None:
    content = _fix(tmp_path, models.tiny_cnn(), image=(1, 16, 16, 3)).path.read_bytes()
    weights = read_weights(content)
    assert [weight.offset % 16 for weight in weights] == [0] * len(weights)


def test_a_shape_without_a_size_in_the_file_is_given_one(tmp_path: Path) -> None:
    fixed = _fix(tmp_path, models.open_shape(), x=(3, 4))
    assert read_model(fixed.path, name="m").inputs[0].shape == (3, 4)


def test_sizes_that_the_file_fixes_may_change(tmp_path: Path) -> None:
    fixed = _fix(tmp_path, models.tiny_cnn(), image=(2, 16, 16, 3))
    assert read_model(fixed.path, name="m").outputs[0].shape == (2, 4)
    assert fixed.note == "input shapes fixed to image (2, 16, 16, 3); the file has [1, 8, 8, 3]"


def test_the_files_own_shape_changes_nothing(tmp_path: Path) -> None:
    fixed = _fix(tmp_path, models.tiny_cnn(), image=(1, 8, 8, 3))
    assert fixed == FixedModel(path=tmp_path / "model.tflite", note=None)


def test_the_shape_that_an_open_file_runs_in_closes_it(tmp_path: Path) -> None:
    fixed = _fix(tmp_path, models.open_signature_shape(), x=(1, 4))
    assert read_signatures(fixed.path)[0].open == {}


def test_another_signatures_graph_is_fixed_alone(tmp_path: Path) -> None:
    content = unusual.two_signatures_two_graphs()
    fixed = _fix(tmp_path, content, signature="decode", a=(2, 4), b=(2, 2), c=(2, 3))
    encode, decode = read_signatures(fixed.path)
    assert [spec.shape for spec in (*encode.inputs, *decode.outputs)] == [(1, 6), (2, 9), (2, 3)]


def test_states_strings_and_loops_are_fixed(tmp_path: Path) -> None:
    lstm = _fix(tmp_path, unusual.lstm(), x=(1, 9, 3))
    assert read_model(lstm.path, name="m").outputs[0].shape == (1, 9, 5)
    assert read_model(_fix(tmp_path, unusual.string_gather(), words=(5,)).path, name="m").inputs[0].shape == (5,)


def test_the_same_shapes_give_the_same_file(tmp_path: Path) -> None:
    first, again = (_fix(tmp_path, unusual.dynamic_batch(), image=(1, 8, 8, 3)) for _ in range(2))
    assert first == again
    assert list((tmp_path / "kept" / "fixed").iterdir()) == [first.path]


def test_an_unknown_input_is_refused_with_those_there_are(tmp_path: Path) -> None:
    reason = _reason(tmp_path, models.several_inputs(), d=(1, 2))
    assert reason == "input_shapes: no input 'd'; its inputs: 'b', 'c', 'a'"


def test_another_rank_is_refused(tmp_path: Path) -> None:
    reason = _reason(tmp_path, unusual.dynamic_batch(), image=(8, 8, 3))
    assert reason == "input_shapes: 'image' is given [8, 8, 3] and its shape is [-1, -1, -1, 3]"


def test_a_second_open_input_is_asked_for(tmp_path: Path) -> None:
    reason = _reason(tmp_path, unusual.two_open_inputs(), x=(2, 4))
    assert reason == "input_shapes: 'y' is open too, [-1, 4]; give its shape"


def test_a_shape_that_the_graph_refuses_is_said_in_the_runtimes_words(tmp_path: Path) -> None:
    reason = _reason(tmp_path, unusual.dynamic_batch(), image=(1, 8, 8, 4))
    assert reason.startswith("LiteRT does not run it with 'image' [1, 8, 8, 4]: ")
    assert "CONV_2D" in reason


def test_a_model_that_ends_its_process_costs_that_process(tmp_path: Path) -> None:
    reason = _reason(tmp_path, unusual.aborting(opened=True), x=(4,))
    assert reason == "LiteRT does not run it with 'x' [4], 'y' [2]: its process died by signal 6"


def test_a_model_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.endless(opened=True))
    with pytest.raises(ModelUnreadable, match=r"no answer in 2 s"):
        fix_shapes(path, {"x": (1,)}, tmp_path, deadline_s=2)
