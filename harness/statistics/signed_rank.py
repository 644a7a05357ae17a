"""The Wilcoxon signed-rank test turned round: the shift of a sample, and the interval its test would not reject.

Sources: F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945) 80-83;
J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34
(1963) 598-611; the interval by inversion is in M. Hollander and D. A. Wolfe, "Nonparametric Statistical Methods",
2nd ed. (1999), section 3.4.
"""

import math
import statistics
from collections.abc import Sequence
from functools import cache

# Exact up to here (20 ms, once). Beyond it the normal approximation, some ranks of thousands off on the safe side.
EXACT_PAIRS = 100


@cache
def critical_value(pairs: int, alpha: float) -> int | None:
    """The largest T with P(W+ <= T) <= alpha / 2 where nothing differs, so that T rejects at two-sided alpha.

    pairs >= 1. None where even T = 0, all differences of one sign, is not rare enough: 95 % needs 6 pairs and 99 %
    needs 8.
    """
    if pairs > EXACT_PAIRS:
        return _normal_critical_value(pairs, alpha)
    allowed = alpha / 2 * 2**pairs
    below = 0
    for total, ways in enumerate(_ways(pairs)):
        below += ways
        if below > allowed:
            return total - 1 if total else None
    raise AssertionError("the whole distribution is larger than its own tail")


def _ways(pairs: int) -> list[int]:
    """ways[w]: how many of the 2**pairs sign patterns have ranks 1..pairs of positive sign adding up to w."""
    ways = [1] + [0] * (pairs * (pairs + 1) // 2)
    for rank in range(1, pairs + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    return ways


def _normal_critical_value(pairs: int, alpha: float) -> int:
    """The same by the normal approximation with its continuity correction (Hollander and Wolfe, 3.1)."""
    mean = pairs * (pairs + 1) / 4
    sd = math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
    return math.floor(mean + statistics.NormalDist().inv_cdf(alpha / 2) * sd - 0.5)


def walsh_averages(values: Sequence[float]) -> list[float]:
    """The n (n + 1) / 2 means of every pair of values, each with itself too, in rising order."""
    averages = [(first + second) / 2 for i, first in enumerate(values) for second in values[i:]]
    averages.sort()
    return averages


def interval(walsh: Sequence[float], pairs: int, alpha: float) -> tuple[float, float] | None:
    """The shifts that the exact two-sided test at alpha does not reject, both ends included; None: too few pairs.

    walsh is what walsh_averages gave for `pairs` values. The chance to cover the true centre of a symmetric
    distribution is at least 1 - alpha; ties make it larger still.
    """
    critical = critical_value(pairs, alpha)
    if critical is None:
        return None
    return walsh[critical], walsh[len(walsh) - 1 - critical]
