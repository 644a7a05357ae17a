"""Reading Core ML models: what is in them, and one clear sentence where they cannot be used."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import TensorSpec
from harness.core.target import Target
from harness.sources.coreml_schema import parse_specification
from harness.sources.mlpackage import read_graph, read_model, signature_in
from harness.sources.reading import read_macs
from harness.toolkit import import_coremltools
from tests.support import mil, mlpackages
from tests.support.mlpackages import SPECIFICATION, edit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound package that no test may change."""
    path = tmp_path_factory.mktemp("made") / "tiny.mlpackage"
    return mil.write(path, {"x": (1, 3, 8, 8)}, mlpackages.tiny_cnn)


def test_a_program_is_described(made: Path) -> None:
    model = read_model(made, name="tiny", metric="top1")
    assert (model.name, model.format, model.path, model.metric) == ("tiny", "mlpackage", made, "top1")
    assert (model.digest, model.size_bytes) == (digest.of_path(made), digest.size_of(made))
    assert model.inputs == (TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32"),)
    assert model.outputs == (TensorSpec(name="scores", shape=(1, 4), dtype="float32"),)
    assert (model.precision, model.parameters, model.target) == ("float16", 8 * 27 + 8 + 4 * 8 + 4, Target.IOS18)
    assert (model.signature, model.signatures, model.notes) == (None, (), ())


def test_the_target_and_the_precision_are_those_of_the_program(tmp_path: Path) -> None:
    path = mil.write(tmp_path / "m.mlpackage", {"x": (1, 3, 8, 8)}, mlpackages.tiny_cnn, "iOS15", "float32")
    model = read_model(path, name="m")
    assert (model.target, model.precision) == (Target.IOS15, "float32")


def test_a_program_without_weights_has_the_precision_that_it_computes_in(tmp_path: Path) -> None:
    path = mil.write(tmp_path / "m.mlpackage", {"x": (2, 3)}, _relu)
    assert (read_model(path, name="m").precision, read_model(path, name="m").parameters) == ("float16", 0)


def test_a_graph_lists_operations_with_cost(made: Path) -> None:
    graph = read_graph(made)
    kinds = ["cast", "conv", "relu", "reduce_mean", "linear", "softmax", "cast"]
    assert [node.type for node in graph.nodes] == kinds
    convolution, dense = graph.nodes[1], graph.nodes[4]
    assert (convolution.index, convolution.name, convolution.shape) == (1, "features_cast_fp16", (1, 8, 8, 8))
    assert (convolution.inputs, convolution.outputs) == (graph.nodes[0].outputs, graph.nodes[2].inputs)
    assert (convolution.macs, convolution.weight_bytes) == (64 * 8 * 27, 2 * (8 * 27 + 8))
    assert convolution.activation_bytes == 2 * (3 * 64 + 8 * 64)
    assert (dense.macs, dense.weight_bytes) == (32, 2 * (32 + 4))
    assert graph.nodes[0].inputs == graph.inputs
    assert read_macs(made) == 64 * 8 * 27 + 32


def test_reading_does_not_import_coremltools(made: Path) -> None:
    script = "import sys; from pathlib import Path; from harness.sources.mlpackage import read_model\n"
    script += "read_model(Path(sys.argv[1]), name='m'); print('coremltools' in sys.modules)"
    argv = (sys.executable, "-c", script, str(made))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_the_order_of_inputs_is_the_same_in_every_process(tmp_path: Path) -> None:
    path = mil.write(tmp_path / "m.mlpackage", {"a": (2, 3), "b": (3, 4), "c": (2, 4)}, _three)
    script = "import sys; from pathlib import Path; from harness.sources.mlpackage import read_graph\n"
    script += "print(read_graph(Path(sys.argv[1])))"
    argv = (sys.executable, "-c", script, str(path))
    told = {subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout for _ in range(3)}
    assert told == {f"{read_graph(path)}\n"}


def test_a_single_file_with_all_its_values_inside_is_a_model_too(tmp_path: Path) -> None:
    package = mil.write(tmp_path / "m.mlpackage", {"x": (2, 3)}, _relu)
    path = Path(shutil.copy(package / SPECIFICATION, tmp_path / "m.mlmodel"))
    assert read_model(path, name="m").inputs == (TensorSpec(name="x", shape=(2, 3), dtype="float32"),)


def test_a_single_file_without_its_weights_is_refused(made: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(made / SPECIFICATION, tmp_path / "m.mlmodel"))
    with pytest.raises(ModelUnreadable, match=r"give the \.mlpackage$"):
        read_model(path, name="m")


def test_functions_are_signatures(made: Path, tmp_path: Path) -> None:
    path = mlpackages.join_functions(tmp_path / "two.mlpackage", fine=made, coarse=made)
    first, other = read_model(path, name="m"), read_model(path, name="m", signature="coarse")
    assert (first.signature, first.signatures) == ("fine", ("fine", "coarse"))
    assert (other.signature, other.outputs) == ("coarse", first.outputs)
    with pytest.raises(ModelUnreadable, match="has no function 'rough'; its functions: 'fine', 'coarse'"):
        read_graph(path, "rough")


def test_the_default_function_comes_first(made: Path, tmp_path: Path) -> None:
    path = mlpackages.join_functions(tmp_path / "two.mlpackage", fine=made, coarse=made)
    edit(path, lambda it: setattr(it.description, "defaultFunctionName", "coarse"))
    assert read_model(path, name="m").signatures == ("coarse", "fine")


def test_the_only_function_may_be_named(made: Path) -> None:
    assert read_model(made, name="m", signature="main").signature is None
    with pytest.raises(ModelUnreadable, match="it has one function alone; leave `signature` out"):
        read_model(made, name="m", signature="other")


def test_a_variant_with_one_function_runs_what_the_model_runs_by_default(made: Path, tmp_path: Path) -> None:
    path = mlpackages.join_functions(tmp_path / "two.mlpackage", fine=made, coarse=made)
    assert signature_in(made, read_model(path, name="m")) is None
    assert signature_in(path, read_model(path, name="m", signature="coarse")) == "coarse"
    with pytest.raises(ModelUnreadable, match="has no function 'coarse'"):
        signature_in(made, read_model(path, name="m", signature="coarse"))


def test_an_image_is_fed_as_floats_and_labels_are_told(tmp_path: Path) -> None:
    model = read_model(mlpackages.image_classifier(tmp_path / "m.mlpackage"), name="m")
    assert model.inputs == (TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32", image=True),)
    assert model.outputs == (TensorSpec(name="classLabel", shape=(), dtype="string"),)
    image, labels = model.notes
    assert image == "input 'x' is an image (RGB) and is fed as float32 [1, 3, 8, 8], 0 to 255"
    assert labels == "output 'classLabel_probs' is a dictionary of labels, of which the numbers alone are compared"


def test_an_open_input_runs_with_its_default_shape(tmp_path: Path) -> None:
    model = read_model(mlpackages.ranges(tmp_path / "m.mlpackage"), name="m")
    assert model.inputs[0].shape == (1, 3, 8, 8)
    assert "input 'x' is open, [1, 3, -1, -1], and runs as [1, 3, 8, 8], its default" in model.notes[0]


def test_enumerated_shapes_run_with_their_default(tmp_path: Path) -> None:
    assert read_model(mlpackages.choices(tmp_path / "m.mlpackage"), name="m").inputs[0].shape == (1, 3, 16, 16)


def test_a_state_is_no_input_but_is_told(tmp_path: Path) -> None:
    path = mlpackages.counter(tmp_path / "m.mlpackage")
    model = read_model(path, name="m")
    assert [spec.name for spec in model.inputs] == ["x"]
    assert model.notes[0].startswith("it keeps a state from one inference to the next: ")
    assert len(read_graph(path).inputs) == 1


def _relu(x: Any) -> Any:  # noqa: ANN401
    return mil.builder().relu(x=x)


def _three(a: Any, b: Any, c: Any) -> Any:  # noqa: ANN401
    mb = mil.builder()
    product = mb.matmul(x=a, y=b)
    return mb.select(cond=mb.greater(x=product, y=c), a=c, b=product)


def test_coremltools_has_the_same_classes(made: Path) -> None:
    specification = parse_specification((made / SPECIFICATION).read_bytes())
    assert isinstance(specification, import_coremltools().proto.Model_pb2.Model)
