"""Trains the `digits` network and writes its weights: `python -m harness.sources.digits.train weights.npz`.

Plain numpy, so that anybody can repeat it in the base environment: about ten seconds on one core.
The same seed gives the same weights on the same machine; another BLAS may round differently, and the accuracy is then
the same within a sample or two. The test part is looked at once, at the end.
Method: cross-entropy, Adam (Kingma and Ba 2015, algorithm 1) with a cosine schedule, images shifted by up to one pixel.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from harness.sources.digits.dataset import load_split
from harness.sources.digits.network import SHAPES
from harness.sources.tflite_writer import Array

Weights = dict[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """rate is Adam's step size at the start; it falls to 0 along a half cosine."""

    epochs: int = 40
    batch: int = 32
    rate: float = 1e-3
    decay: float = 1e-4
    seed: int = 0


@dataclass(slots=True)
class Adam:
    """State of one optimiser: running means of gradients and of their squares."""

    mean: Weights
    square: Weights
    steps: int = 0

    @classmethod
    def start(cls, weights: Weights) -> "Adam":
        return cls({k: np.zeros_like(w) for k, w in weights.items()}, {k: np.zeros_like(w) for k, w in weights.items()})

    def step(self, weights: Weights, gradients: Weights, rate: float, decay: float) -> None:
        """Move weights in place; decay pulls matrices, not biases, to zero (Loshchilov and Hutter 2019)."""
        self.steps += 1
        for key, gradient in gradients.items():
            self.mean[key] += 0.1 * (gradient - self.mean[key])
            self.square[key] += 0.001 * (gradient**2 - self.square[key])
            mean = self.mean[key] / (1 - 0.9**self.steps)
            square = self.square[key] / (1 - 0.999**self.steps)
            pull = decay * weights[key] if weights[key].ndim > 1 else 0.0
            weights[key] -= (rate * (mean / (np.sqrt(square) + 1e-8) + pull)).astype(np.float32)


def start_weights(rng: np.random.Generator) -> Weights:
    """He-normal weights and zero biases."""
    weights: Weights = {}
    for layer, shape in SHAPES.items():
        spread = (2 / np.prod(shape[1:])) ** 0.5
        weights[f"{layer}/weights"] = rng.normal(0, spread, shape).astype(np.float32)
        weights[f"{layer}/bias"] = np.zeros(shape[0], np.float32)
    return weights


def predict(weights: Weights, images: Array) -> Array:
    """Logits (n, 10) of images (n, 8, 8, 1)."""
    return _forward(weights, images)[0]


def gradients(weights: Weights, images: Array, labels: Array) -> tuple[float, Weights]:
    """Mean cross-entropy and its gradient by weight."""
    logits, (patches1, relu1, patches2, relu2, largest, flat, hidden) = _forward(weights, images)
    shifted = logits - logits.max(1, keepdims=True)
    chances = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-np.log(chances[rows, labels] + 1e-12).mean())
    chances[rows, labels] -= 1
    up, found = chances / np.float32(len(labels)), {}
    up, found["logits/weights"], found["logits/bias"] = _dense_back(up, hidden, weights["logits/weights"])
    up, found["dense/weights"], found["dense/bias"] = _dense_back(up * (hidden > 0), flat, weights["dense/weights"])
    up = _unpool(up.reshape(-1, 4, 4, 32), largest) * (relu2 > 0)
    found["conv2/weights"], found["conv2/bias"] = _conv_back(up, patches2, SHAPES["conv2"])
    up = _conv(_patches(up), weights["conv2/weights"][:, ::-1, ::-1, :].transpose(3, 1, 2, 0)) * (relu1 > 0)
    found["conv1/weights"], found["conv1/bias"] = _conv_back(up, patches1, SHAPES["conv1"])
    return loss, found


def train(images: Array, labels: Array, schedule: Schedule, on_epoch: Callable[[int, float], None]) -> Weights:
    """Train from the schedule's seed; on_epoch hears the number of each epoch and its mean loss."""
    rng = np.random.default_rng(schedule.seed)
    weights = start_weights(rng)
    adam = Adam.start(weights)
    batches = len(images) // schedule.batch
    for epoch in range(schedule.epochs):
        order, losses = rng.permutation(len(images)), []
        for i in range(batches):
            chosen = order[i * schedule.batch : (i + 1) * schedule.batch]
            loss, found = gradients(weights, _shift(images[chosen], rng), labels[chosen])
            done = (epoch * batches + i) / (schedule.epochs * batches)
            adam.step(weights, found, schedule.rate * 0.5 * (1 + np.cos(np.pi * done)), schedule.decay)
            losses.append(loss)
        on_epoch(epoch + 1, float(np.mean(losses)))
    return weights


def main(path: Path) -> None:
    """Train with the default schedule, save the weights and report the test accuracy."""
    split = load_split()
    with threadpool_limits(1):  # more threads add up in another order, and round otherwise
        weights = train(split.train_images, split.train_labels, Schedule(), _print_epoch)
    with path.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **weights)
    accuracy = np.mean(predict(weights, split.test_images).argmax(1) == split.test_labels)
    print(f"{path}: top-1 {accuracy:.4f} on {len(split.test_labels)} test images")


def _print_epoch(epoch: int, loss: float) -> None:
    print(f"epoch {epoch}: loss {loss:.4f}", flush=True)


def _forward(weights: Weights, images: Array) -> tuple[Array, tuple[Array, ...]]:
    patches1 = _patches(images)
    relu1 = np.maximum(_conv(patches1, weights["conv1/weights"]) + weights["conv1/bias"], 0)
    patches2 = _patches(relu1)
    relu2 = np.maximum(_conv(patches2, weights["conv2/weights"]) + weights["conv2/bias"], 0)
    windows = relu2.reshape(-1, 4, 2, 4, 2, 32)
    pooled = windows.max((2, 4))
    largest = windows == pooled[:, :, None, :, None, :]
    flat = pooled.reshape(-1, 512)
    hidden = np.maximum(flat @ weights["dense/weights"].T + weights["dense/bias"], 0)
    logits = hidden @ weights["logits/weights"].T + weights["logits/bias"]
    return logits, (patches1, relu1, patches2, relu2, largest, flat, hidden)


def _patches(x: Array) -> Array:
    """3x3 neighbourhoods, zero outside: (n, 8, 8, c) to (n, 8, 8, 9 c), ordered row, column, channel."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.concatenate([padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)], axis=3)


def _conv(patches: Array, weights: Array) -> Array:
    flat: Array = patches @ weights.reshape(len(weights), -1).T
    return flat


def _conv_back(up: Array, patches: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    rows = up.reshape(-1, shape[0])
    return (rows.T @ patches.reshape(len(rows), -1)).reshape(shape), rows.sum(0)


def _dense_back(up: Array, x: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Gradients of the input, the weights and the bias."""
    return up @ weights, up.T @ x, up.sum(0)


def _unpool(up: Array, largest: Array) -> Array:
    """Hand a pooled gradient to the largest of each window, shared where several are."""
    share = largest / largest.sum((2, 4), keepdims=True)
    spread: Array = (up[:, :, None, :, None, :] * share).astype(np.float32)
    return spread.reshape(-1, 8, 8, 32)


def _shift(images: Array, rng: np.random.Generator) -> Array:
    """Each image moved by -1, 0 or 1 pixel both ways, zeros coming in."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = rng.integers(0, 3, (len(images), 2))
    return np.stack([padded[n, i : i + 8, j : j + 8] for n, (i, j) in enumerate(moves)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
