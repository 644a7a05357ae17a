"""Programs that cannot be read or run say why."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ModelUnreadable, ReferenceUnable
from harness.fidelity.mil.reference import Program
from harness.toolkit import import_coremltools
from tests.support.mil import Var, builder, write

mb = builder()
_WEIGHTS, _MODEL = "Data/com.apple.CoreML/weights/weight.bin", "Data/com.apple.CoreML/model.mlmodel"
_KERNEL = np.random.default_rng(0).standard_normal((40, 30, 3, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "good.mlpackage"
    return write(path, {"x": (1, 30, 8, 8)}, lambda x: mb.conv(x=x, weight=_KERNEL))


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "copy.mlpackage"))


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _overwrite(path: Path, start: int, stop: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xa5" * (stop - start) + content[stop:])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / _WEIGHTS).unlink(),
        lambda path: _cut(path / _WEIGHTS, 0),
        lambda path: _cut(path / _WEIGHTS, 100),
        lambda path: _cut(path / _WEIGHTS, 10_000),
        lambda path: _overwrite(path / _WEIGHTS, 0, 64),
        lambda path: _overwrite(path / _WEIGHTS, 64, 128),
        lambda path: _overwrite(path / _MODEL, 0, 300),
        lambda path: _cut(path / _MODEL, 300),
        lambda path: (path / _MODEL).unlink(),
        lambda path: (path / "Manifest.json").unlink(),
    ],
    ids=[
        "no weights",
        "empty weights",
        "weights end in their header",
        "weights end early",
        "weights of another kind",
        "weights without a header",
        "noise for a specification",
        "half a specification",
        "no specification",
        "no manifest",
    ],
)
def test_a_damaged_package_is_unreadable(copy: Path, damage: Callable[[Path], None]) -> None:
    damage(copy)
    with pytest.raises(ModelUnreadable, match=f"{re.escape(str(copy))}: "):
        Program.load(copy)


def test_loading_leaves_every_file_as_it_is(copy: Path) -> None:
    """The toolkit writes the manifest anew where it opens a package itself."""
    (copy / "Manifest.json").write_text((copy / "Manifest.json").read_text() + "\n\n")
    before = digest.of_path(copy)
    Program.load(copy)
    assert digest.of_path(copy) == before


def test_a_package_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable, match="no such file"):
        Program.load(tmp_path / "absent.mlpackage")


def test_a_neural_network_is_refused_with_what_to_do(tmp_path: Path) -> None:
    coremltools = import_coremltools()
    spec = coremltools.proto.Model_pb2.Model(specificationVersion=4)
    spec.neuralNetwork.SetInParent()
    (tmp_path / "old.mlmodel").write_bytes(spec.SerializeToString())
    with pytest.raises(ModelUnreadable, match="is a NeuralNetwork, the format before ML Programs: convert"):
        Program.load(tmp_path / "old.mlmodel")


def test_a_function_that_is_not_there_is_named_with_those_that_are(good: Path) -> None:
    with pytest.raises(ModelUnreadable, match="has no function other; it has main"):
        Program.load(good, function="other")


def _rename_operators(path: Path, *names: str) -> None:
    spec = import_coremltools().utils.load_spec(str(path))
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    for operation, name in zip(block.operations, names, strict=False):
        operation.type = name
    (path / _MODEL).write_bytes(spec.SerializeToString())


def test_every_unknown_operator_is_named_before_weights_are_read(copy: Path) -> None:
    _rename_operators(copy, "entangle", "custom_layer")
    (copy / _WEIGHTS).unlink()
    with pytest.raises(ReferenceUnable, match="no translation of: custom_layer, entangle"):
        Program.load(copy)


def test_every_operation_without_a_translation_in_its_form_is_named(tmp_path: Path) -> None:
    def body(x: Var) -> tuple[Var, Var]:
        one = mb.depth_to_space(x=mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)), block_size=2)
        return one, mb.space_to_batch(x=x, block_shape=[2, 2], paddings=[[0, 0], [0, 0]])

    path = write(tmp_path / "m.mlpackage", {"x": (1, None, None, 4)}, body)
    with pytest.raises(ReferenceUnable, match=r"no translation of: pixel_unshuffle .*, space_to_batch"):
        Program.load(path)


@pytest.mark.parametrize(("constant", "value"), [("strides", 0), ("kernel_sizes", 2**31 - 1)])
def test_operations_that_contradict_themselves_are_refused(tmp_path: Path, constant: str, value: int) -> None:
    def body(x: Var) -> Var:
        return mb.avg_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="same", name="pool")

    path = write(tmp_path / "m.mlpackage", {"x": (1, 3, 8, 8)}, body)
    spec = import_coremltools().utils.load_spec(str(path))
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    (found,) = (each for each in block.operations if constant in each.outputs[0].name)
    found.attributes["val"].immediateValue.tensor.ints.values[0] = value
    (path / _MODEL).write_bytes(spec.SerializeToString())
    with pytest.raises(ModelUnreadable, match=r"cannot read its program: \w+Error: "):
        Program.load(path)


def test_an_input_that_was_not_given_is_named(good: Path) -> None:
    with pytest.raises(ReferenceUnable, match="no values for input x; given: y"):
        Program.load(good).predict({"y": np.zeros(1)})


def test_values_that_a_kernel_refuses_are_an_error(good: Path) -> None:
    with pytest.raises(ReferenceUnable, match=r"onnxruntime cannot run it: .*Got: 3 Expected: 30"):
        Program.load(good).predict({"x": np.zeros((1, 3, 8, 8))})


def _gather_far_off(directory: Path) -> Program:
    def body(x: Var) -> Var:
        places = mb.cast(x=mb.mul(x=x, y=np.float32(100)), dtype="int32")
        return mb.gather(x=x, indices=places, axis=0, validate_indices=False, name="choice")

    return Program.load(write(directory / "m.mlpackage", {"x": (4,)}, body, precision="float32"))


def test_the_operation_that_refuses_values_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReferenceUnable, match=r"Name:'choice%Gather_\d+'.*out of data bounds"):
        _gather_far_off(tmp_path).predict({"x": np.ones(4)})


def test_what_is_refused_is_not_written_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = _gather_far_off(tmp_path)
    capfd.readouterr()  # the builder's bars, where somebody has imported tqdm before the toolkit was told to be quiet
    with pytest.raises(ReferenceUnable):
        program.predict({"x": np.ones(4)})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("values", [np.array(["a", "b"]), None])
def test_an_input_of_no_numbers_is_refused(good: Path, values: object) -> None:
    with pytest.raises(ReferenceUnable, match="input x takes float32 and was given"):
        Program.load(good).predict({"x": values})  # type: ignore[dict-item]
