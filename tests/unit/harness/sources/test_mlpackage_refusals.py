"""Core ML models that cannot be used: one sentence each says what, where, and what to do."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ModelUnreadable
from harness.sources.mlpackage import read_model
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
    path = mil.write(tmp_path / "m.mlpackage", {"x": (1, 1 << 30)}, lambda x: mil.builder().relu(x=x))
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
