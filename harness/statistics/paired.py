"""Two variants on one device: is the one slower, faster, the same, or can nobody tell?

Method and evidence: docs/statistics.md.
"""

import math
import statistics
from collections.abc import Mapping

from harness.core.judgement import Bands, Comparison, Verdict
from harness.core.units import Nanoseconds
from harness.statistics.signed_rank import interval, walsh_averages

POWER = 0.80
_BANDS = Bands()
_DIFFERENT = 0.01  # slower and faster are said at 99 %
_SAME = 0.05  # same is said at 95 %
_Z_DIFFERENT = statistics.NormalDist().inv_cdf(1 - _DIFFERENT / 2)
_Z_POWER = statistics.NormalDist().inv_cdf(POWER)

Interval = tuple[float, float]


def compare(
    source: Mapping[int, Nanoseconds],
    other: Mapping[int, Nanoseconds],
    bands: Bands = _BANDS,
    *,
    steps: tuple[Nanoseconds, Nanoseconds] = (0.0, 0.0),
) -> Comparison | None:
    """Latency of `other` over that of `source`.

    Each maps a block to the median of the launch in that block; blocks that only one of them has are left out, and
    so are medians that are not positive and finite. None where no block is left.
    steps are those that either's medians were told in by a tool: a median can be off by one of them, all medians the
    same way, so that both intervals are wider by that on either side.
    """
    logs = _log_ratios(source, other)
    if not logs:
        return None
    walsh = walsh_averages(logs)
    shift = statistics.median(walsh)
    slack = _slack(source, steps[0]) + _slack(other, steps[1])
    inner = _widened(interval(walsh, len(logs), _SAME), slack)
    outer = _widened(interval(walsh, len(logs), _DIFFERENT), slack)
    return Comparison(
        ratio=math.exp(shift),
        ci95=_as_ratios(inner),
        ci99=_as_ratios(outer),
        detectable=_detectable(outer, bands),
        pairs=len(logs),
        verdict=_judge(shift, inner, outer, bands),
    )


def _log_ratios(source: Mapping[int, float], other: Mapping[int, float]) -> list[float]:
    common = sorted(source.keys() & other.keys())
    usable = (block for block in common if _is_time(source[block]) and _is_time(other[block]))
    return [math.log(other[block]) - math.log(source[block]) for block in usable]


def _slack(medians: Mapping[int, float], step: float) -> float:
    """By how much, in log ratio, one step moves the middle of the medians."""
    times = [median for median in medians.values() if _is_time(median)]
    return math.log1p(step / statistics.median(times)) if step and times else 0.0


def _widened(logs: Interval | None, slack: float) -> Interval | None:
    return None if logs is None else (logs[0] - slack, logs[1] + slack)


def _is_time(nanoseconds: float) -> bool:
    return math.isfinite(nanoseconds) and nanoseconds > 0


def _as_ratios(logs: Interval | None) -> Interval | None:
    return None if logs is None else (math.exp(logs[0]), math.exp(logs[1]))


def _judge(shift: float, inner: Interval | None, outer: Interval | None, bands: Bands) -> Verdict:
    """Bands are widths in log ratio, so that swapping the two arms swaps slower and faster and nothing else."""
    if outer is not None and not outer[0] <= 0 <= outer[1] and abs(shift) >= math.log1p(bands.effect):
        return Verdict.SLOWER if shift > 0 else Verdict.FASTER
    same = math.log1p(bands.same)
    if inner is not None and -same <= inner[0] and inner[1] <= same:
        return Verdict.SAME
    return Verdict.INCONCLUSIVE


def _detectable(outer: Interval | None, bands: Bands) -> float | None:
    """The smallest relative slowdown that the rule finds with 80 % power, from the pairs' own 99 % interval.

    The half width h of that interval is z(.995) standard errors of the shift, discreteness of the test included.
    To be called, an estimate must pass h and the effect band; to do so in 80 % of repetitions the truth must lie
    z(.80) standard errors above both. The factor 1 + z(.80)/z(.995) = 1.33 is within 3 % of the simulated one at 8
    to 30 Gaussian pairs (table in docs/statistics.md). Taking the width from the interval and not from a standard
    deviation counts outlying pairs as the test itself does.
    """
    if outer is None:
        return None
    half = (outer[1] - outer[0]) / 2
    margin = half * _Z_POWER / _Z_DIFFERENT
    return math.expm1(max(half, math.log1p(bands.effect)) + margin)
