"""Distances between outputs, with values that can be worked out by hand."""

import math

import numpy as np
import pytest

from harness.fidelity.metrics import METRICS
from harness.fidelity.scores import Distance, class_scores, distance, top1_agreement, worst

REFERENCE = np.array([[3.0, 4.0], [0.0, 5.0]])  # power 50


def test_snr_is_signal_over_error_in_decibels() -> None:
    found = distance(REFERENCE, REFERENCE + np.array([[0.5, -0.5], [0, 0]]))  # error power 0.5
    assert found.snr_db == pytest.approx(20.0)
    assert (found.max_abs_error, found.not_finite) == (0.5, 0)


def test_a_tenth_of_the_error_is_twenty_decibels_more() -> None:
    far, near = (distance(REFERENCE, REFERENCE * (1 + error)).snr_db for error in (0.1, 0.01))
    assert far is not None
    assert near is not None
    assert near - far == pytest.approx(20.0)


def test_identical_outputs_have_no_snr_and_no_error() -> None:
    assert distance(REFERENCE, REFERENCE.copy()) == Distance(snr_db=None, max_abs_error=0.0, not_finite=0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_not_finite_has_no_distance(value: float) -> None:
    output = REFERENCE.copy()
    output[1, 0] = value
    assert distance(REFERENCE, output) == Distance(snr_db=None, max_abs_error=None, not_finite=1)


def test_the_same_nan_in_both_is_identical() -> None:
    both = np.array([[math.nan, 1.0]])
    assert distance(both, both.copy()).max_abs_error == 0.0


def test_a_reference_of_zeros_has_no_snr_and_an_error() -> None:
    assert distance(np.zeros((1, 2)), np.full((1, 2), 0.25)) == Distance(snr_db=None, max_abs_error=0.25, not_finite=0)


def test_the_worst_output_is_not_finite_before_lowest_before_identical() -> None:
    same = Distance(snr_db=None, max_abs_error=0.0, not_finite=0)
    good = Distance(snr_db=40.0, max_abs_error=9.0, not_finite=0)
    bad = Distance(snr_db=10.0, max_abs_error=0.1, not_finite=0)
    broken = Distance(snr_db=None, max_abs_error=None, not_finite=2)
    assert worst([same, good, bad]) == 2
    assert worst([good, broken, bad]) == 1
    assert worst([same, good]) == 1
    assert worst([same]) == 0


def test_an_error_without_snr_is_worse_than_identical() -> None:
    zeros = Distance(snr_db=None, max_abs_error=0.25, not_finite=0)
    assert worst([Distance(snr_db=None, max_abs_error=0.0, not_finite=0), zeros]) == 1


def test_top1_agreement_is_the_share_of_equal_winners() -> None:
    reference = np.array([[1, 2], [2, 1], [1, 2], [2, 1]], float)
    output = np.array([[1, 3], [3, 1], [2, 1], [2, 1]], float)
    assert top1_agreement(reference, output) == 0.75


def test_an_output_with_nan_agrees_with_nothing() -> None:
    reference, output = np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([[math.nan, 1.0], [0.0, 1.0]])
    assert top1_agreement(reference, output) == 0.5


def test_samples_without_a_class_in_the_reference_do_not_count() -> None:
    scores = np.array([[math.nan, 1.0], [0.0, 1.0]])
    assert top1_agreement(scores, scores) == 1.0
    assert top1_agreement(scores[:1], scores[:1]) is None


@pytest.mark.parametrize(("shape", "classes"), [((5, 1, 10), 10), ((5, 10), 10), ((5, 1, 1, 3), 3)])
def test_one_score_per_class_is_classes(shape: tuple[int, ...], classes: int) -> None:
    scores = class_scores(np.zeros(shape))
    assert scores is not None
    assert scores.shape == (5, classes)


@pytest.mark.parametrize("shape", [(5,), (1,), (5, 1), (5, 1, 1), (5, 1, 8, 8, 21), (5, 2, 10)])
def test_anything_else_has_no_classes(shape: tuple[int, ...]) -> None:
    assert class_scores(np.zeros(shape)) is None


def test_top1_counts_right_answers() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [math.nan, 1.0]])
    assert METRICS["top1"](scores, np.array([1, 0, 0, 1])) == 0.5
