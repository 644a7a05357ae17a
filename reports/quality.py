"""What a variant kept of its source's outputs, in one word that a reader can act on."""

from dataclasses import dataclass
from enum import StrEnum

from harness.core.variant import Accuracy, Fidelity, Variant


class Quality(StrEnum):
    KEPT = "kept"
    REDUCED = "reduced"
    BROKEN = "broken"
    MEANINGLESS = "not meaningful"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The worst value that is still called kept, and the worst still called reduced; beyond is broken."""

    kept: float
    reduced: float


# Accuracy by points lost; the other two by value. Task accuracy outranks agreement, agreement outranks SNR.
ACCURACY_DROP = Limits(kept=0.01, reduced=0.05)
AGREEMENT = Limits(kept=0.98, reduced=0.90)
SNR_DB = Limits(kept=20.0, reduced=10.0)
HIGHER_IS_BETTER = frozenset({"top1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """quality with the figure it rests on, in words."""

    quality: Quality
    why: str


def judge_quality(variant: Variant | None, source: Variant | None, *, random_weights: bool) -> Judged:
    """Judge by the strongest evidence there is: accuracy, then top-1 agreement, then SNR."""
    if variant is None:
        return Judged(quality=Quality.UNKNOWN, why="not built")
    fidelity = variant.fidelity
    if random_weights or (fidelity is not None and not fidelity.meaningful):
        return Judged(quality=Quality.MEANINGLESS, why="random weights")
    if source is not None and variant.name == source.name:
        return Judged(quality=Quality.KEPT, why="the source itself")
    by_accuracy = _judge_accuracy(variant.accuracy, source.accuracy if source else None)
    return by_accuracy or _judge_fidelity(fidelity)


def _judge_accuracy(accuracy: Accuracy | None, reference: Accuracy | None) -> Judged | None:
    if accuracy is None or reference is None or accuracy.metric != reference.metric:
        return None
    if accuracy.metric not in HIGHER_IS_BETTER:
        return None
    drop = reference.value - accuracy.value
    why = f"{accuracy.metric} {accuracy.value:.3f}, source {reference.value:.3f} (n = {accuracy.n})"
    return Judged(quality=_grade(-drop, -ACCURACY_DROP.kept, -ACCURACY_DROP.reduced), why=why)


def _judge_fidelity(fidelity: Fidelity | None) -> Judged:
    if fidelity is None:
        return Judged(quality=Quality.UNKNOWN, why="fidelity was not measured")
    if fidelity.max_abs_error == 0:
        return Judged(quality=Quality.KEPT, why="outputs identical to the source's")
    if fidelity.top1_agreement is not None:
        agreement = fidelity.top1_agreement
        why = f"top-1 agrees with the source in {100 * agreement:.1f} % of {fidelity.samples}"
        return Judged(quality=_grade(agreement, AGREEMENT.kept, AGREEMENT.reduced), why=why)
    if fidelity.snr_db is not None:
        why = f"SNR {fidelity.snr_db:.1f} dB against the source"
        return Judged(quality=_grade(fidelity.snr_db, SNR_DB.kept, SNR_DB.reduced), why=why)
    return Judged(quality=Quality.UNKNOWN, why="outputs are not comparable with the source's")


def _grade(value: float, kept: float, reduced: float) -> Quality:
    tolerance = 1e-9  # 0.975 - 0.965 is not to miss the limit by rounding
    if value >= kept - tolerance:
        return Quality.KEPT
    return Quality.REDUCED if value >= reduced - tolerance else Quality.BROKEN
