"""The script that trained the digits: its gradients are right, it learns, and the shipped weights are a network's."""

from pathlib import Path

import numpy as np

from harness.fidelity.evaluation import Dataset
from harness.fidelity.litert import run_on_host
from harness.sources.digits import network
from harness.sources.digits.dataset import load_split
from harness.sources.digits.train import Schedule, gradients, predict, start_weights, train
from tests.support.models import write_model


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    weights = {name: w.astype(np.float64) for name, w in start_weights(rng).items()}
    images, labels = rng.random((4, 8, 8, 1)), rng.integers(0, 10, 4)
    _, found = gradients(weights, images, labels)
    for name, values in weights.items():
        step = np.zeros_like(values)
        step.flat[rng.choice(values.size, min(values.size, 5), replace=False)] = 1e-6
        above, _ = gradients({**weights, name: values + step}, images, labels)
        below, _ = gradients({**weights, name: values - step}, images, labels)
        expected = float((found[name] * step).sum()) / 1e-6
        assert abs((above - below) / 2e-6 - expected) < 1e-5 * max(1, abs(expected)), name


def test_training_lowers_the_loss() -> None:
    split = load_split()
    losses: list[float] = []
    train(split.train_images[:320], split.train_labels[:320], Schedule(epochs=3), lambda _, loss: losses.append(loss))
    assert losses[2] < losses[0]


def test_training_repeats_from_its_seed() -> None:
    split = load_split()
    images, labels = split.train_images[:64], split.train_labels[:64]
    first, second = (train(images, labels, Schedule(epochs=1, seed=3), lambda *_: None) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_the_split_is_stratified_and_apart() -> None:
    split = load_split()
    assert (len(split.train_labels), len(split.test_labels)) == (1257, 540)
    trained, judged = (np.bincount(labels) / len(labels) for labels in (split.train_labels, split.test_labels))
    np.testing.assert_allclose(trained, judged, atol=0.002)


def test_the_graph_computes_what_was_trained(tmp_path: Path) -> None:
    weights, images = network.load_weights(), load_split().test_images[:20]
    assert {name: w.shape for name, w in weights.items() if name.endswith("/weights")} == {
        f"{layer}/weights": shape for layer, shape in network.SHAPES.items()
    }
    path = write_model(tmp_path, network.build(weights))
    dataset = Dataset(inputs={"image": images[:, np.newaxis]}, labels=None, source="test images")
    (output,) = run_on_host(path, dataset)
    assert output.values is not None
    np.testing.assert_allclose(output.values[:, 0], predict(weights, images), atol=1e-4)
