"""What a variant kept of its source's outputs."""

from dataclasses import replace

import pytest

from harness.core.variant import Accuracy, Fidelity, Variant
from reports.quality import Quality, judge_quality
from tests.support.results import a_variant

SOURCE = a_variant("float32")


def judged(variant: Variant | None, source: Variant | None = SOURCE, *, random_weights: bool = False) -> Quality:
    return judge_quality(variant, source, random_weights=random_weights).quality


def without_labels(*, agreement: float | None = None, snr_db: float | None = None, error: float = 0.1) -> Variant:
    fidelity = Fidelity(
        snr_db=snr_db,
        top1_agreement=agreement,
        max_abs_error=error,
        worst_output="y",
        samples=100,
        reference="host",
    )
    return replace(a_variant("int8"), accuracy=None, fidelity=fidelity)


@pytest.mark.parametrize(
    ("accuracy", "quality"),
    [
        (0.99, Quality.KEPT),
        (0.965, Quality.KEPT),
        (0.964, Quality.REDUCED),
        (0.925, Quality.REDUCED),
        (0.92, Quality.BROKEN),
    ],
)
def test_accuracy_is_judged_by_the_points_lost(accuracy: float, quality: Quality) -> None:
    assert judged(a_variant("int8", accuracy=accuracy)) is quality


@pytest.mark.parametrize(
    ("agreement", "quality"), [(0.98, Quality.KEPT), (0.97, Quality.REDUCED), (0.89, Quality.BROKEN)]
)
def test_agreement_is_judged_without_labels(agreement: float, quality: Quality) -> None:
    assert judged(without_labels(agreement=agreement, snr_db=3.0)) is quality


@pytest.mark.parametrize(("snr_db", "quality"), [(20.0, Quality.KEPT), (12.0, Quality.REDUCED), (2.0, Quality.BROKEN)])
def test_snr_is_judged_without_classes(snr_db: float, quality: Quality) -> None:
    assert judged(without_labels(snr_db=snr_db)) is quality


def test_accuracy_outranks_agreement() -> None:
    broken = replace(without_labels(agreement=1.0), accuracy=Accuracy(metric="top1", value=0.1, n=360))
    assert judged(broken) is Quality.BROKEN


def test_identical_outputs_are_kept() -> None:
    assert judged(without_labels(error=0.0)) is Quality.KEPT


def test_random_weights_are_not_judged() -> None:
    assert judged(a_variant("int8", accuracy=0.1), random_weights=True) is Quality.MEANINGLESS


def test_a_fidelity_without_meaning_is_not_judged() -> None:
    assert judged(a_variant("int8", random_weights=True)) is Quality.MEANINGLESS


def test_the_source_keeps_its_own_outputs() -> None:
    assert judged(SOURCE) is Quality.KEPT


def test_a_metric_of_unknown_direction_gives_no_judgement() -> None:
    wer = Accuracy(metric="wer", value=0.9, n=10)
    variant = replace(without_labels(snr_db=30.0), accuracy=wer)
    assert judged(variant, replace(SOURCE, accuracy=replace(wer, value=0.1))) is Quality.KEPT


@pytest.mark.parametrize("variant", [None, without_labels(), replace(without_labels(), fidelity=None)])
def test_without_evidence_it_is_unknown(variant: Variant | None) -> None:
    assert judged(variant) is Quality.UNKNOWN
