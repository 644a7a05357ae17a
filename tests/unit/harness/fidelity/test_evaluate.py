"""Fidelity and accuracy of a variant against its source."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import ModelUnreadable
from harness.core.variant import Accuracy
from harness.fidelity.evaluate import evaluate
from harness.fidelity.evaluation import Dataset
from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import ModelWriter
from tests.support import unusual
from tests.support.models import several_inputs, write_model

INPUTS = np.eye(4, dtype=np.float32)[:, np.newaxis]


def _scaled(directory: Path, *factors: Sequence[float], names: Sequence[str] = ("first", "second")) -> Path:
    """A model of one input x (1, 4) with an output x * f for each of factors."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    outputs = {
        name: ops.mul(graph, x, graph.constant(f"{name}/f", np.array([f], np.float32)), name=name)
        for name, f in zip(names, factors, strict=False)
    }
    graph.output(*outputs.values())
    writer.signature(graph, {"x": x}, outputs, "serving_default")
    return write_model(directory, writer.pack(), f"{abs(hash((factors, tuple(names))))}.tflite")


def _data(labels: Sequence[int] | None = None) -> Dataset:
    return Dataset(inputs={"x": INPUTS}, labels=None if labels is None else np.array(labels), source="rows.npz")


def test_a_model_is_identical_to_itself(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1))
    fidelity, accuracy = evaluate(source, source, _data(), metric=None, meaningful=True)
    assert (fidelity.snr_db, fidelity.max_abs_error, fidelity.top1_agreement) == (None, 0.0, 1.0)
    assert (fidelity.samples, fidelity.meaningful, accuracy) == (4, True, None)
    assert fidelity.reference.endswith("on the host, 4 samples of rows.npz")


def test_the_worst_output_gives_the_snr(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1), (1, 1, 1, 1))
    variant = _scaled(tmp_path, (1.01, 1.01, 1.01, 1.01), (1.1, 1.1, 1.1, 1.1))
    fidelity, _ = evaluate(variant, source, _data(), metric=None, meaningful=True)
    assert fidelity.worst_output == "second"
    assert fidelity.snr_db == pytest.approx(20.0, abs=1e-4)
    assert fidelity.max_abs_error == pytest.approx(0.1, abs=1e-6)


def test_accuracy_is_the_variants_own(tmp_path: Path) -> None:
    source, variant = _scaled(tmp_path, (1, 1, 1, 1)), _scaled(tmp_path, (1, 1, 1, -1))
    fidelity, accuracy = evaluate(variant, source, _data([0, 1, 0, 3]), metric="top1", meaningful=True)
    assert accuracy == Accuracy(metric="top1", value=0.5, n=4)
    assert fidelity.top1_agreement == 0.75


def test_labels_without_a_metric_are_judged_by_top1(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1))
    _, accuracy = evaluate(source, source, _data([0, 1, 2, 3]), metric=None, meaningful=True)
    assert accuracy == Accuracy(metric="top1", value=1.0, n=4)


def test_random_weights_are_marked(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1))
    assert not evaluate(source, source, _data(), metric=None, meaningful=False)[0].meaningful


def test_an_output_that_is_not_finite_is_said_in_words(tmp_path: Path) -> None:
    source, variant = _scaled(tmp_path, (1, 1, 1, 1)), _scaled(tmp_path, (1, 1, 1, math.inf))
    fidelity, _ = evaluate(variant, source, _data(), metric=None, meaningful=True)
    assert (fidelity.snr_db, fidelity.max_abs_error) == (None, None)
    assert fidelity.reference.endswith("NaN or infinite outputs in 4 of 4 samples")  # 0 * inf is NaN


def test_outputs_are_matched_by_name(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1), (2, 2, 2, 2))
    swapped = _scaled(tmp_path, (2, 2, 2, 2), (1, 1, 1, 1), names=("second", "first"))
    assert evaluate(swapped, source, _data(), metric=None, meaningful=True)[0].max_abs_error == 0.0


def test_outputs_of_other_names_are_matched_by_position(tmp_path: Path) -> None:
    source = _scaled(tmp_path, (1, 1, 1, 1), (2, 2, 2, 2))
    renamed = _scaled(tmp_path, (1, 1, 1, 1), (2, 2, 2, 2), names=("a", "b"))
    assert evaluate(renamed, source, _data(), metric=None, meaningful=True)[0].max_abs_error == 0.0


def test_a_file_with_other_outputs_is_no_variant(tmp_path: Path) -> None:
    source, other = _scaled(tmp_path, (1, 1, 1, 1)), _scaled(tmp_path, (1, 1, 1, 1), (2, 2, 2, 2))
    with pytest.raises(ModelUnreadable, match="its outputs have shapes"):
        evaluate(other, source, _data(), metric=None, meaningful=True)


def test_two_sources_at_one_path_are_two_sources(tmp_path: Path) -> None:
    path, variant = tmp_path / "source.tflite", _scaled(tmp_path, (1, 1, 1, 1))
    errors = []
    for factors in ((1, 1, 1, 1), (3, 3, 3, 3)):
        path.write_bytes(_scaled(tmp_path, factors).read_bytes())
        errors.append(evaluate(variant, path, _data(), metric=None, meaningful=True)[0].max_abs_error)
    assert errors == [0.0, 2.0]


def test_strings_are_not_compared_and_that_is_said(tmp_path: Path) -> None:
    path = write_model(tmp_path, unusual.string_gather())
    words = Dataset(inputs={"words": np.array([[b"a", b"b", b"c"]])}, labels=None, source="words")
    fidelity, accuracy = evaluate(path, path, words, metric=None, meaningful=True)
    assert (fidelity.snr_db, fidelity.max_abs_error, fidelity.top1_agreement, accuracy) == (None, None, None, None)
    assert fidelity.worst_output == "turned"
    assert fidelity.reference.endswith("1 samples of words; 'turned' is not compared: it holds strings")


def test_an_output_of_another_size_than_the_sources_is_not_compared_where_values_size_it(tmp_path: Path) -> None:
    source, variant = (_nonzero(tmp_path, bias) for bias in (0.0, 1.0))
    inputs = {"x": np.array([[0, 1, 2, 0], [3, 0, 0, 4]], np.float32)}
    dataset = Dataset(inputs=inputs, labels=None, source="rows")
    fidelity, _ = evaluate(variant, source, dataset, metric=None, meaningful=True)
    assert fidelity.snr_db is None
    assert fidelity.reference.endswith("'y' is not compared: it has another size than the source's")


def _nonzero(directory: Path, bias: float) -> Path:
    """Where x + bias is not zero."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (4,))
    raised = ops.add(graph, x, graph.constant("bias", np.full(4, bias, np.float32)), name="raised")
    y = graph.tensor("y", (1, 1), "int64")
    graph.op("WHERE", (raised,), (y,))
    graph.output(y)
    return write_model(directory, writer.pack(), f"{bias}.tflite")


def test_each_side_is_run_by_its_own_signature(tmp_path: Path) -> None:
    source = write_model(tmp_path, unusual.two_signatures_two_graphs(), "source.tflite")
    variant = write_model(tmp_path, several_inputs(), "variant.tflite")
    inputs = {name: np.full((2, 1, n), 0.5, np.float32) for name, n in (("b", 2), ("c", 3), ("a", 4))}
    dataset = Dataset(inputs=inputs, labels=None, source="halves")
    fidelity, _ = evaluate(
        variant, source, dataset, metric=None, meaningful=True, source_signature="decode", variant_signature=None
    )
    assert fidelity.max_abs_error == 0.0
