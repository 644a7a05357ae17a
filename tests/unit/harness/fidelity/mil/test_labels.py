"""Classifiers: a label is a place among labels and no number; what it was chosen by is compared."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.variant import Fidelity
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import Dataset
from harness.fidelity.mil.reference import run_program
from harness.toolkit import import_coremltools
from tests.support.mil import builder, single, write

mb = builder()
_CLASSES = 50
_SCORES = np.random.default_rng(0).standard_normal((20, 1, _CLASSES)).astype(np.float32)
_SCORES[0, 0, [0, -1]] = 5.0, 4.9999  # so close that a small bias turns them


def _classifier(path: Path, labels: list[int] | list[str], bias: float = 0.0) -> Path:
    """Softmax of the input, of which the last class has a bias."""
    added = np.eye(1, _CLASSES, _CLASSES - 1, dtype=np.float32) * np.float32(bias)
    config = import_coremltools().ClassifierConfig(labels)
    scores = {"x": (1, _CLASSES)}
    return write(
        path, scores, lambda x: mb.softmax(x=mb.add(x=x, y=added)), precision="float32", classifier_config=config
    )


_DATASET = Dataset(inputs={"x": _SCORES}, labels=None, source="scores")


@pytest.fixture(scope="module", params=[list(range(_CLASSES)), [f"class {i}" for i in range(_CLASSES)]])
def fidelity(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fidelity:
    """Of a classifier to one from which it differs by two thousandths in one score; with both kinds of labels."""
    folder = tmp_path_factory.mktemp("classifiers")
    source = _classifier(folder / "source.mlpackage", request.param)
    variant = _classifier(folder / "variant.mlpackage", request.param, bias=2e-3)
    return evaluate(variant, source, _DATASET, metric=None, meaningful=True)[0]


def test_a_label_that_turned_costs_no_signal(fidelity: Fidelity) -> None:
    assert fidelity.worst_output == "classLabel_probs"
    assert fidelity.snr_db is not None
    assert fidelity.snr_db > 55


def test_a_label_that_turned_is_seen_in_the_agreement(fidelity: Fidelity) -> None:
    assert fidelity.top1_agreement == 0.95


def test_that_labels_are_not_compared_is_said(fidelity: Fidelity) -> None:
    assert fidelity.reference.endswith("'classLabel' is not compared: it is a label")


def test_a_class_that_the_reference_chose_is_accurate(tmp_path: Path) -> None:
    path = _classifier(tmp_path / "m.mlpackage", list(range(_CLASSES)))
    known = Dataset(inputs=_DATASET.inputs, labels=_SCORES[:, 0].argmax(1), source="scores")
    _, accuracy = evaluate(path, path, known, metric=None, meaningful=True)
    assert accuracy is not None
    assert accuracy.value == 1.0


def test_integers_that_are_no_labels_are_compared(tmp_path: Path) -> None:
    path = write(tmp_path / "m.mlpackage", {"x": (1, 3)}, lambda x: mb.reduce_argmax(x=x, axis=1))
    (output,) = run_program(path, Dataset(inputs={"x": single([[[1, 3, 2]]])}, labels=None, source="one"))
    assert np.array_equal(np.asarray(output.values), [[1]])
