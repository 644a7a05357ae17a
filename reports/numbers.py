"""Numbers as text, with no more digits than their spread allows."""

import math
from collections.abc import Sequence

Interval = Sequence[float] | None
DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
MICRO = "\N{MICRO SIGN}"
MISSING = DASH
_MOST = 4  # significant digits, however small the spread
_USUAL = 3  # where no spread is known


def rounded(value: float | None, interval: Interval = None) -> str:
    """value cut at the first digit that its interval leaves open; three significant digits without one."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.{decimals(value, interval)}f}"


def decimals(value: float, interval: Interval = None) -> int:
    """Digits after the point: the last shown is the first that half the interval's width touches."""
    size = math.floor(math.log10(abs(value))) if value else 0
    half = (interval[1] - interval[0]) / 2 if interval else 0.0
    if not math.isfinite(half) or half <= 0:
        return max(0, _USUAL - 1 - size)
    wanted = -math.floor(math.log10(half))
    return max(0, min(wanted, _MOST - 1 - size))


def span(value: float | None, interval: Interval) -> str:
    """The interval with the digits of its value, `0.40-0.42` with a dash; empty where there is none."""
    if value is None or not interval:
        return ""
    places = decimals(value, interval)
    return f"{interval[0]:.{places}f}{DASH}{interval[1]:.{places}f}"


def times(ratio: float | None, interval: Interval = None) -> str:
    """A ratio as a multiple: `0.41` and the multiplication sign."""
    return MISSING if ratio is None else f"{rounded(ratio, interval)}{TIMES}"


def duration(nanoseconds: float | None, interval: Interval = None) -> str:
    """Nanoseconds in the largest of ns, us, ms and s that leaves a number of 1 or more: `11.2 us` with its micro sign.

    From 0.1 ms on it is milliseconds, so that one table seldom mixes units.
    """
    if nanoseconds is None:
        return MISSING
    divisor, unit = _scale(nanoseconds)
    return f"{rounded(nanoseconds / divisor, [bound / divisor for bound in interval] if interval else None)} {unit}"


def duration_span(nanoseconds: float | None, interval: Interval) -> str:
    """The interval of a duration in the unit of its value; empty where there is none."""
    if nanoseconds is None or not interval:
        return ""
    divisor, unit = _scale(nanoseconds)
    return f"{span(nanoseconds / divisor, [bound / divisor for bound in interval])} {unit}"


def _scale(nanoseconds: float) -> tuple[float, str]:
    if nanoseconds < 1e3:
        return 1.0, "ns"
    if nanoseconds < 1e5:
        return 1e3, f"{MICRO}s"
    return (1e6, "ms") if nanoseconds < 1e10 else (1e9, "s")


def size(count: float | None) -> str:
    """Bytes in powers of 1000, three significant digits: `13.9 MB`."""
    if count is None:
        return MISSING
    sign, rest = ("-" if count < 0 else ""), abs(float(count))
    for unit in ("B", "kB", "MB", "GB"):
        if rest < 999.5 or unit == "GB":
            return f"{sign}{rest:.0f} B" if unit == "B" else f"{sign}{rounded(rest)} {unit}"
        rest /= 1000
    raise AssertionError("the last unit always returns")


def percent(share: float | None, places: int = 0) -> str:
    """A share in [0, 1] as `27 %`."""
    return MISSING if share is None or not math.isfinite(share) else f"{100 * share:.{places}f} %"
