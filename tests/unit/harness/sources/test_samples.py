"""The models that ship: built at first use, kept by digest, and what they claim to be."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ConfigError
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import dataset_of
from harness.fidelity.host import run_on_host
from harness.sources.samples import SAMPLES, sample_model
from harness.sources.tflite import read_graph


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


def test_mobilenet_v2_is_the_network_it_says(tmp_path: Path) -> None:
    model = sample_model("mobilenet_v2", tmp_path)
    graph = read_graph(model.path)
    kinds = Counter(node.type for node in graph.nodes)
    assert kinds == {
        "CONV_2D": 35,
        "DEPTHWISE_CONV_2D": 17,
        "ADD": 10,
        "MEAN": 1,
        "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }
    # Keras counts 3,538,984: folding leaves one bias of the four vectors of each batch normalisation (17,056 in all).
    assert sum(node.macs or 0 for node in graph.nodes) == 300_774_272
    assert model.parameters == 3_538_984 - 3 * 17_056
    assert 13_900_000 < model.size_bytes < 14_050_000
    assert model.random_weights
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((1, 224, 224, 3), (1, 1000))


def test_mobilenet_v2_tells_inputs_apart(tmp_path: Path) -> None:
    model = sample_model("mobilenet_v2", tmp_path)
    scores = run_on_host(model.path, dataset_of(model))[0].values[:, 0]
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    assert scores.max() > 5 / 1000  # not all classes alike
    assert len(set(scores.argmax(1))) > 1  # not one class for all inputs
    assert np.corrcoef(scores).min() < 0.99


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_built_once_and_the_same_each_time(name: str, tmp_path: Path) -> None:
    first = sample_model(name, tmp_path)
    written = first.path.stat().st_mtime_ns
    second = sample_model(name, tmp_path)
    assert first == second
    assert second.path.stat().st_mtime_ns == written
    assert digest.of_file(first.path) == sample_model(name, tmp_path / "elsewhere").digest


def test_a_damaged_file_in_the_cache_is_made_again(tmp_path: Path) -> None:
    model = sample_model("digits", tmp_path)
    model.path.write_bytes(b"cut short")
    assert digest.of_file(sample_model("digits", tmp_path).path) == model.digest


def test_nothing_but_the_model_is_left_in_the_cache(tmp_path: Path) -> None:
    sample_model("mobilenet_v2", tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mobilenet_v2.tflite"]


def test_an_unknown_sample_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'resnet' is no shipped model; the shipped ones are digits, mobilenet_v2"):
        sample_model("resnet", tmp_path)
