"""Reading Core ML models: what is in them, and one clear sentence where they cannot be used."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import TensorSpec
from harness.core.target import Target
from harness.sources.coreml_schema import parse_specification
from harness.sources.mlpackage import read_graph, read_macs, read_model, signature_in
from harness.toolkit import import_coremltools
from tests.support import mil, mlpackages
from tests.support.mlpackages import MANIFEST, SPECIFICATION, WEIGHTS, edit, edit_manifest

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound package that no test may change."""
    path = tmp_path_factory.mktemp("made") / "tiny.mlpackage"
    return mil.write(path, {"x": (1, 3, 8, 8)}, mlpackages.tiny_cnn)


@pytest.fixture
def tiny(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "tiny.mlpackage"))


def _reason(path: Path) -> str:
    with pytest.raises(ModelUnreadable) as caught:
        read_model(path, name="m")
    assert caught.value.path == str(path)
    assert "\n" not in caught.value.reason
    return caught.value.reason


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
    assert _reason(path).endswith("give the .mlpackage")


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
    assert model.inputs == (TensorSpec(name="x", shape=(1, 3, 8, 8), dtype="float32"),)
    assert model.outputs == (TensorSpec(name="classLabel", shape=(), dtype="string"),)
    image, labels = model.notes
    assert image == "input 'x' is an image (RGB) and is fed as float32 [1, 3, 8, 8], 0 to 255"
    assert labels == "output 'classLabel_probs' is a dictionary of labels and is not compared"


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


def _kind(name: str) -> Damage:
    return lambda package: edit(package, lambda it: getattr(it, name).SetInParent())


def _version(number: int) -> Damage:
    return lambda package: edit(package, lambda it: setattr(it, "specificationVersion", number))


def _program(change: Callable[[Any], object]) -> Damage:
    return lambda package: edit(package, lambda it: change(it.mlProgram.functions["main"]))


def _block(change: Callable[[Any], object]) -> Damage:
    return _program(lambda function: change(function.block_specializations[function.opset]))


def _operation(kind: str, change: Callable[[Any], object]) -> Damage:
    return _block(lambda block: change(next(each for each in block.operations if each.type == kind)))


def _item(**changes: object) -> Damage:
    """Change what the manifest says of the specification."""
    return lambda package: edit_manifest(
        package, lambda it: it["itemInfoEntries"][it["rootModelIdentifier"]].update(changes)
    )


def _link_out(package: Path) -> None:
    (package.parent / "elsewhere").write_bytes((package / SPECIFICATION).read_bytes())
    (package / SPECIFICATION).unlink()
    (package / SPECIFICATION).symlink_to(package.parent / "elsewhere")


def _blob(offset: int, content: bytes) -> Damage:
    def change(package: Path) -> None:
        whole = bytearray((package / WEIGHTS).read_bytes())
        whole[offset : offset + len(content)] = content
        (package / WEIGHTS).write_bytes(whole)

    return change


def _pipe(package: Path) -> None:
    (package / SPECIFICATION).unlink()
    os.mkfifo(package / SPECIFICATION)


_DAMAGES: dict[str, tuple[Damage, str]] = {
    "no manifest": (lambda it: (it / MANIFEST).unlink(), "a folder without Manifest.json, so no Core ML package"),
    "manifest no JSON": (lambda it: (it / MANIFEST).write_text("{"), "Manifest.json is no JSON"),
    "manifest too deep": (lambda it: (it / MANIFEST).write_text("[" * 100_000), "Manifest.json is no JSON"),
    "manifest a list": (lambda it: (it / MANIFEST).write_text("[]"), "Manifest.json names no model"),
    "manifest without root": (
        lambda it: edit_manifest(it, lambda manifest: manifest.pop("rootModelIdentifier")),
        "Manifest.json names no model",
    ),
    "manifest of tomorrow": (
        lambda it: edit_manifest(it, lambda manifest: manifest.update(fileFormatVersion="2.0.0")),
        "has the format '2.0.0', and 1.0.0 is known",
    ),
    "item without path": (_item(path=None), "has an item without path"),
    "path that climbs": (_item(path="../../tiny.mlpackage/Manifest.json"), "leads out of the package"),
    "absolute path": (_item(path="/etc/passwd"), "leads out of the package"),
    "path with a NUL": (_item(path="a\0b"), "cannot be read"),
    "link that leads out": (_link_out, "leads out of the package"),
    "no specification": (lambda it: (it / SPECIFICATION).unlink(), "lists 'com.apple.CoreML/model.mlmodel'"),
    "empty specification": (lambda it: (it / SPECIFICATION).write_bytes(b""), "'model.mlmodel' is empty"),
    "no protobuf": (lambda it: (it / SPECIFICATION).write_bytes(b"\xff" * 99), "is no Core ML model, or damaged"),
    "cut specification": (
        lambda it: os.truncate(it / SPECIFICATION, 1000),
        "is no Core ML model, or damaged; copy or convert it again",
    ),
    "a pipe": (_pipe, "is no regular file"),
    "NeuralNetwork": (
        _kind("neuralNetwork"),
        "is a NeuralNetwork, the format before ML Programs: convert the original network again with "
        "convert_to='mlprogram'",
    ),
    "NeuralNetwork classifier": (_kind("neuralNetworkClassifier"), "is a NeuralNetwork classifier"),
    "pipeline": (_kind("pipeline"), "is a pipeline of models"),
    "other type": (_kind("treeEnsembleRegressor"), "is a treeEnsembleRegressor, and only ML Programs"),
    "no type": (lambda it: edit(it, lambda spec: spec.ClearField("mlProgram")), "its specification holds no model"),
    "version of tomorrow": (_version(99), "version 99 of Core ML's format, and 10 (iOS26) is the newest known"),
    "version of yesterday": (_version(3), "version 3 of Core ML's format, which has no ML Programs"),
    "no main": (
        lambda it: edit(it, lambda spec: spec.mlProgram.functions.clear()),
        "it has no function 'main'; its functions: none at all",
    ),
    "no body": (_program(lambda function: function.block_specializations.clear()), "no body for its own operators"),
    "no outputs": (lambda it: edit(it, lambda spec: spec.description.ClearField("output")), "it has no outputs"),
    "output of nothing": (_block(lambda block: block.outputs.append("ghost")), "'ghost' is made by no operation"),
    "an output unknown": (
        lambda it: edit(it, lambda spec: setattr(spec.description.output[0], "name", "other")),
        "its description has an output 'other' and its program has none",
    ),
    "an input unknown": (
        lambda it: edit(it, lambda spec: setattr(spec.description.input[0], "name", "other")),
        "its description has an input 'other' and its program has none",
    ),
    "an input undescribed": (
        lambda it: edit(it, lambda spec: spec.description.ClearField("input")),
        "its description leaves out the input 'x'",
    ),
    "empty program": (_block(lambda block: block.ClearField("operations")), "is made by no operation"),
    "a name of nothing": (
        _operation("relu", lambda it: setattr(it.inputs["x"].arguments[0], "name", "ghost")),
        "reads 'ghost', which nothing before it makes",
    ),
    "an operation before its input": (
        _block(lambda block: block.operations.sort(key=lambda each: each.type != "softmax")),
        "which nothing before it makes",
    ),
    "unknown element type": (
        _operation("relu", lambda it: setattr(it.outputs[0].type.tensorType, "dataType", 99)),
        "element type 99 is unknown",
    ),
    "rank of another shape": (
        _operation("relu", lambda it: setattr(it.outputs[0].type.tensorType, "rank", 7)),
        "a tensor of 7 dimensions has the shape",
    ),
    "huge shape": (
        _operation("relu", lambda it: setattr(it.outputs[0].type.tensorType.dimensions[0].constant, "size", 1 << 62)),
        "more than any machine holds",
    ),
    "a constant without value": (
        _operation("const", lambda it: it.attributes["val"].ClearField("immediateValue")),
        "a constant of",
    ),
    "no weights": (lambda it: shutil.rmtree((it / WEIGHTS).parent), "lists 'com.apple.CoreML/weights'"),
    "no weight file": (
        lambda it: (it / WEIGHTS).unlink(),
        "has no weights: '@model_path/weights/weight.bin' is missing",
    ),
    "empty weights": (lambda it: (it / WEIGHTS).write_bytes(b""), "its weights are damaged or cut short"),
    "cut weights": (lambda it: os.truncate(it / WEIGHTS, 300), "its weights are damaged or cut short"),
    "weights of version 1": (_blob(4, b"\1"), "has version 1 instead of 2"),
    "another weight": (_blob(64, b"\0"), "has no constant at 64"),
    "unknown weight type": (_blob(68, b"\x63"), "the unknown type 99"),
    "shorter weight": (_blob(72, b"\x10\0"), "has 16 bytes of float16 and the program needs 432 of float16"),
    "weight elsewhere": (_blob(80, b"\xff\xff\xff"), "and the constant at 64 ends at"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_damage_is_told_in_one_sentence(tiny: Path, damage: str) -> None:
    change, words = _DAMAGES[damage]
    change(tiny)
    assert words in _reason(tiny)


@pytest.mark.parametrize("name", ["/etc/passwd", "@model_path/../../../secret", "@model_path//etc/passwd"])
def test_weights_outside_the_package_are_not_read(tiny: Path, name: str) -> None:
    def change(block: Any) -> None:  # noqa: ANN401
        for each in block.operations:
            if each.type == "const" and each.attributes["val"].WhichOneof("value") == "blobFileValue":
                each.attributes["val"].blobFileValue.fileName = name

    _block(change)(tiny)
    assert "out of the package" in _reason(tiny) or "outside the package" in _reason(tiny)


def test_an_input_too_large_is_refused(tmp_path: Path) -> None:
    path = mil.write(tmp_path / "m.mlpackage", {"x": (1, 1 << 30)}, _relu)
    assert _reason(path) == "input 'x' has the shape [1, 1073741824], more than 2 GiB; make it smaller"


def test_what_is_no_package_is_told(tmp_path: Path) -> None:
    assert _reason(tmp_path / "none.mlpackage") == "no such file"
    (tmp_path / "zipped.mlpackage").write_bytes(b"PK\x03\x04 and more")
    assert _reason(tmp_path / "zipped.mlpackage").startswith("is a zip archive; unpack it")
    (tmp_path / "compiled.mlmodelc").mkdir()
    assert _reason(tmp_path / "compiled.mlmodelc").startswith("is a compiled model")


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.mlpackage"
    path.mkdir()
    with pytest.raises(ModelUnreadable, match="its name is not UTF-8"):
        read_model(path, name="m")


def test_the_manifest_of_the_toolkit_is_the_one_that_is_known(made: Path) -> None:
    assert json.loads((made / MANIFEST).read_text())["fileFormatVersion"] == "1.0.0"


def test_coremltools_has_the_same_classes(made: Path) -> None:
    specification = parse_specification((made / SPECIFICATION).read_bytes())
    assert isinstance(specification, import_coremltools().proto.Model_pb2.Model)
