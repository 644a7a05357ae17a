"""A shipped network in both formats is one network: the same numbers, work and size. One image each: they are large."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.model import Model
from harness.fidelity.evaluation import Dataset, dataset_of
from harness.fidelity.litert import run_on_host
from harness.fidelity.mil.reference import run_program
from harness.fidelity.output import Output
from harness.sources.reading import read_macs
from harness.sources.samples import SAMPLES, sample_model

Array = NDArray[Any]
pytestmark = pytest.mark.thorough

SAME_DB = 100.0
"""Where LiteRT's own kernels agree among themselves: 110 dB (inception_v3) to 118 dB (resnet_v2_101)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A network in both formats, and its outputs for the same images by output name."""

    tflite: Model
    program: Model
    by_litert: dict[str, Array]
    by_reference: dict[str, Array]


@pytest.fixture(scope="module", params=SAMPLES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("models")
    tflite, program = (sample_model(request.param, folder, format) for format in ("tflite", "mlpackage"))
    images = judged_images(tflite)
    first = run_on_host(tflite.path, dataset(images))
    second = run_program(program.path, dataset(np.ascontiguousarray(np.moveaxis(images, -1, 2))))
    yield Pair(tflite=tflite, program=program, by_litert=by_name(first), by_reference=by_name(second))
    shutil.rmtree(folder)  # up to 357 MB each


def judged_images(model: Model) -> Array:
    """All test images of `digits`, one random image of the others: (n, 1, height, width, channels)."""
    images: Array = dataset_of(model).inputs["image"]
    return images if model.data is not None else images[:1]


def dataset(images: Array) -> Dataset:
    return Dataset(inputs={"image": images}, labels=None, source="the same images")


def by_name(outputs: tuple[Output, ...]) -> dict[str, Array]:
    found = {output.name: output.values for output in outputs}
    return {
        name: np.log(values) if name == "scores" else values for name, values in found.items() if values is not None
    }


def test_computes_the_same(pair: Pair) -> None:
    assert list(pair.by_reference) == list(pair.by_litert)
    for name, expected in pair.by_litert.items():
        assert snr(expected, pair.by_reference[name]) > SAME_DB, name


def test_answers_the_same(pair: Pair) -> None:
    for name, expected in pair.by_litert.items():
        np.testing.assert_array_equal(pair.by_reference[name].argmax(-1), expected.argmax(-1))


def test_does_the_same_work(pair: Pair) -> None:
    assert read_macs(pair.program.path) == read_macs(pair.tflite.path)


def test_has_the_same_parameters_but_for_equal_biases_that_are_kept_once(pair: Pair) -> None:
    assert 0.996 < pair.program.parameters / pair.tflite.parameters <= 1


def test_is_as_large(pair: Pair) -> None:
    assert pair.program.size_bytes == pytest.approx(pair.tflite.size_bytes, rel=0.01)


def test_has_the_names_that_callers_use(pair: Pair) -> None:
    for ports in ("inputs", "outputs"):
        assert [port.name for port in getattr(pair.program, ports)] == [p.name for p in getattr(pair.tflite, ports)]


def snr(expected: Array, found: Array) -> float:
    return float(10 * np.log10((expected**2).sum() / ((expected - found) ** 2).sum()))
