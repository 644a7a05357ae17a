"""How far a variant's outputs are from the source's. Pure numpy.

SNR is 10 log10(sum ref^2 / sum (ref - out)^2) over all samples of an output, as in Oppenheim and Schafer,
"Discrete-Time Signal Processing", 4.8.3 (signal to quantisation noise). 6 dB are one bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.fidelity.array import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Distance of one output from its reference.

    snr_db is None where the two are identical (max_abs_error 0), and where it has no value: not_finite of the samples
    hold NaN or infinity (max_abs_error is then None too, unless both hold the same), or the reference is all zeros.
    """

    snr_db: float | None
    max_abs_error: float | None
    not_finite: int


def distance(reference: Array, output: Array) -> Distance:
    """Shapes: both (n, ...), real numbers."""
    finite = np.isfinite(reference) & np.isfinite(output)
    not_finite = int((~finite.reshape(len(finite), -1).all(1)).sum())
    if np.array_equal(reference, output, equal_nan=True):
        return Distance(snr_db=None, max_abs_error=0.0, not_finite=not_finite)
    if not_finite:
        return Distance(snr_db=None, max_abs_error=None, not_finite=not_finite)
    error = reference - output
    signal, noise = float(np.sum(reference**2)), float(np.sum(error**2))
    snr = 10 * float(np.log10(signal / noise)) if signal > 0 and noise > 0 else None
    return Distance(snr_db=snr, max_abs_error=float(np.abs(error).max()), not_finite=0)


def worst(distances: Sequence[Distance]) -> int:
    """Index of the output that is farthest off: not finite before lowest SNR before largest error before identical."""

    def badness(index: int) -> tuple[int, float, float]:
        it = distances[index]
        return it.not_finite, -it.snr_db if it.snr_db is not None else -np.inf, it.max_abs_error or 0.0

    return max(range(len(distances)), key=badness)


def class_scores(values: Array) -> Array | None:
    """The output as (n, classes), or None where it is not one score per class, two or more."""
    classes = values.shape[-1]
    single = values.ndim > 1 and values.size == len(values) * classes
    return values.reshape(len(values), classes) if single and classes > 1 else None


def top1_agreement(reference: Array, output: Array) -> float | None:
    """Share of samples with the same largest class. Shapes: both (n, classes).

    A reference with NaN has no class to agree with: such samples do not count; None where none is left. An output with
    NaN agrees with none.
    """
    judged = ~np.isnan(reference).any(1)
    if not judged.any():
        return None
    same = ~np.isnan(output).any(1) & (reference.argmax(1) == output.argmax(1))
    return float(np.mean(same[judged]))
