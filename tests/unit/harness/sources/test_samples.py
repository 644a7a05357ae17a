"""The models that ship: built at first use, kept by digest, and what they claim to be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ConfigError
from harness.core.model import Model
from harness.core.target import Target
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import dataset_of
from harness.fidelity.metrics import top1
from harness.fidelity.mil.reference import run_program
from harness.sources.mlpackage import read_graph as read_program_graph
from harness.sources.samples import SAMPLES, Sample, open_sample, sample_model
from harness.sources.tflite import read_graph
from tests.support.large import networks
from tests.support.models import tiny_cnn


def test_digits_is_right_on_real_test_images(tmp_path: Path) -> None:
    model = sample_model("digits", tmp_path)
    dataset = dataset_of(model)
    _, accuracy = evaluate(model.path, model.path, dataset, metric=model.metric, meaningful=not model.random_weights)
    assert accuracy is not None
    assert (accuracy.metric, accuracy.n) == ("top1", 540)
    assert accuracy.value >= 0.98


def test_digits_is_the_network_it_says(tmp_path: Path) -> None:
    model = sample_model("digits", tmp_path)
    kinds = [node.type for node in read_graph(model.path).nodes]
    assert kinds == ["CONV_2D", "CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    assert (model.parameters, model.precision, model.random_weights) == (109_994, "float32", False)
    assert 435_000 < model.size_bytes < 450_000


def test_digits_calibrates_on_images_it_is_not_judged_by(tmp_path: Path) -> None:
    model = sample_model("digits", tmp_path)
    assert model.data is not None
    with np.load(model.data) as arrays:
        judged = {image.tobytes() for image in arrays["image"]}
        calibrated = [image.tobytes() for image in arrays["calibration/image"]]
    assert len(calibrated) == 1257
    # A few of the 1797 scans are the same 64 numbers twice.
    assert sum(image in judged for image in calibrated) <= 2


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """`digits` as an ML Program."""
    return sample_model("digits", tmp_path_factory.mktemp("programs"), "mlpackage")


def test_digits_as_a_program_is_the_network_it_says(program: Model) -> None:
    kinds = [node.type for node in read_program_graph(program.path).nodes]
    assert kinds == ["conv", "relu", "conv", "relu", "max_pool", "reshape", "linear", "relu", "linear"]
    assert (program.format, program.parameters, program.precision) == ("mlpackage", 109_994, "float32")
    assert program.target == Target.IOS15
    assert program.inputs[0].shape == (1, 1, 8, 8)


def test_digits_as_a_program_is_right_on_real_test_images(program: Model) -> None:
    dataset = dataset_of(program)
    (logits,) = run_program(program.path, dataset)
    assert logits.values is not None
    assert dataset.labels is not None
    assert top1(logits.values[:, 0], dataset.labels) >= 0.98


def test_both_formats_of_digits_have_the_same_data(program: Model, tmp_path: Path) -> None:
    tflite = sample_model("digits", tmp_path)
    assert program.data is not None
    assert tflite.data is not None
    with np.load(program.data) as second, np.load(tflite.data) as last:
        for name in ("image", "calibration/image"):
            np.testing.assert_array_equal(second[name], last[name].transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(second["labels"], last["labels"])


SHIPPED = [
    *networks(SAMPLES, "tflite"),
    *networks(("digits", "mobilenet_v2", "ssd_resnet18"), "mlpackage"),  # the others go the same way
]


@pytest.mark.parametrize(("name", "format"), SHIPPED)
def test_a_sample_is_built_once_and_the_same_each_time(name: str, format: str, tmp_path: Path) -> None:
    first = sample_model(name, tmp_path, format)
    written = first.path.stat().st_mtime_ns
    second = sample_model(name, tmp_path, format)
    assert first == second
    assert second.path.stat().st_mtime_ns == written
    assert digest.of_path(first.path) == sample_model(name, tmp_path / "elsewhere", format).digest


class Counted:
    """Builds of a small sample, counted."""

    def __init__(self) -> None:
        self.builds = 0
        writers = {"tflite": self._write_tflite, "mlpackage": self._write_mlpackage}
        self.sample: Sample = replace(SAMPLES["mobilenet_v2"], builds=writers)

    def _write_tflite(self, path: Path) -> None:
        self.builds += 1
        path.write_bytes(tiny_cnn())

    def _write_mlpackage(self, path: Path) -> None:
        self.builds += 1
        SAMPLES["digits"].builds["mlpackage"](path)


@pytest.mark.parametrize("format", ["tflite", "mlpackage"])
def test_a_sample_that_is_in_the_cache_is_not_built(format: str, tmp_path: Path) -> None:
    counted = Counted()
    models = [open_sample("mine", counted.sample, tmp_path, format) for _ in range(3)]
    assert (counted.builds, models[0], models[1]) == (1, models[1], models[2])


@pytest.mark.parametrize("content", [b"", b"cut short", tiny_cnn()[:-1], tiny_cnn()[:-1] + b"?"])
def test_a_damaged_model_in_the_cache_is_made_again(tmp_path: Path, content: bytes) -> None:
    counted = Counted()
    model = open_sample("mine", counted.sample, tmp_path)
    model.path.write_bytes(content)
    assert open_sample("mine", counted.sample, tmp_path) == model
    assert digest.of_file(model.path) == model.digest


WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.mark.parametrize("file", [WEIGHTS, "Data/com.apple.CoreML/model.mlmodel", "Manifest.json", "more.json"])
def test_a_package_with_a_damaged_file_is_made_again(file: str, tmp_path: Path) -> None:
    counted = Counted()
    model = open_sample("mine", counted.sample, tmp_path, "mlpackage")
    (model.path / file).write_bytes(b"cut short")
    assert open_sample("mine", counted.sample, tmp_path, "mlpackage") == model
    assert digest.of_path(model.path) == model.digest


def test_a_package_without_its_weights_is_made_again(tmp_path: Path) -> None:
    counted = Counted()
    model = open_sample("mine", counted.sample, tmp_path, "mlpackage")
    (model.path / WEIGHTS).unlink()
    assert open_sample("mine", counted.sample, tmp_path, "mlpackage") == model
    assert digest.of_path(model.path) == model.digest


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"../../../../etc/passwd", b"0" * 64])
def test_a_damaged_note_in_the_cache_is_made_again(tmp_path: Path, content: bytes) -> None:
    counted = Counted()
    model = open_sample("mine", counted.sample, tmp_path)
    (note,) = tmp_path.rglob("*.sha256")
    note.write_bytes(content)
    assert open_sample("mine", counted.sample, tmp_path) == model
    assert note.read_bytes() == model.digest.encode()


def test_damaged_data_in_the_cache_is_made_again(tmp_path: Path) -> None:
    model = sample_model("digits", tmp_path)
    assert model.data is not None
    before = digest.of_file(model.data)
    model.data.write_bytes(b"cut short")
    assert sample_model("digits", tmp_path).data == model.data
    assert digest.of_file(model.data) == before


def test_nothing_but_the_model_and_its_digest_is_left_in_the_cache(tmp_path: Path) -> None:
    sample_model("mobilenet_v2", tmp_path)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"mobilenet_v2.tflite", "mobilenet_v2.tflite.sha256"}


def test_a_format_that_no_sample_has_is_refused_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^digits does not ship as onnx, it ships as tflite and mlpackage; as onnx"):
        sample_model("digits", tmp_path, "onnx")


def test_an_unknown_sample_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="'resnet' is no shipped model; the shipped ones are digits, mobilenet_v1, mobil"
    ):
        sample_model("resnet", tmp_path)
