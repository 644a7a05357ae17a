"""How far to trust a measurement. The tables here are the ones in docs/how-it-measures.md; a test holds them equal.

Each figure is a median over the launches, as the headline latency is: what differs from launch to launch shows in
the launch CV, what slowed all of them shows in the canary and the preemption.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions, DeviceFacts
from harness.core.judgement import Grade, GradeLetter
from harness.core.limits import NO_LIMITS, Limits
from harness.core.outcome import BlockLaunch, Measurement
from harness.placement import is_another_unit, is_cluster_unknown
from harness.statistics import health
from harness.statistics.summaries import coarsest_step, coefficient_of_variation, wall_over_cpu

A, B, C, D = GradeLetter.A, GradeLetter.B, GradeLetter.C, GradeLetter.D


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The largest relative figures that still earn a letter."""

    canary: float
    preemption: float
    launch_cv: float


LIMITS: MappingProxyType[GradeLetter, Figures] = MappingProxyType(
    {
        A: Figures(canary=0.02, preemption=0.02, launch_cv=0.02),
        B: Figures(canary=0.05, preemption=0.05, launch_cv=0.05),
        C: Figures(canary=0.10, preemption=0.10, launch_cv=0.10),
    }
)

# The best letter left once a thing is so. What is unknown never earns an A, and earns a D where nothing else vouches.
CAPS: MappingProxyType[str, GradeLetter] = MappingProxyType(
    {
        "ran on another unit": D,
        "unit unknown, not cpu": D,
        "unit unknown, cpu": B,
        "cores unknown": B,
        "ran in another backend": D,
        "backend unknown, one was demanded": D,
        "throttled": D,
        "power source came and went": D,
        "on battery": C,
        "fewer than two launches": D,
        "launches lost": B,
        "told in steps of over 1% of the median": B,
        "told in steps of over 10% of the median": D,
        "canary unknown": B,
        "preemption unknown": B,
        "preemption unknown by over 50%": C,
        "canary and preemption unknown": D,
        "heat unknown": B,
        "thermal status above 0": C,
        "thermal status above 1": D,
        "too hot": C,
        "clock capped": C,
        "clocks not pinned": B,
        "busy neighbours": C,
        "battery low": C,
        "waited in vain": C,
        "clock jumped": B,
    }
)


_WIDE = 0.50
_FINE, _COARSE = 0.01, 0.10  # steps of the tool's clock, as a share of the median
# Reading the clocks takes around a microsecond, which is corrected for to a part of it: small beside 2 % of this.
_SHORT_NS = 50e3


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something that keeps a measurement from an A."""

    best: GradeLetter
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Preemption:
    """Wall time over CPU time, less 1: bounds, equal with one thread."""

    least: float
    most: float


def grade(
    measurement: Measurement,
    *,
    asked: ComputeUnit,
    canary_reference_ns: float | None = None,
    limits: Limits = NO_LIMITS,
    facts: DeviceFacts | None = None,
) -> Grade:
    """The letter of a measurement with every reason that kept it from an A, the gravest first.

    asked is the cell's unit. canary_reference_ns is the device's own recent median: the median of all its canaries of
    the campaign; None where it took none. limits are what the device had to keep to, facts what it says of itself.
    """
    findings = [
        *_unit(measurement, asked),
        *_conditions(measurement.launches),
        *(_capped(cap, reason) for cap, reason in health.findings(measurement.launches, limits, facts)),
        *_launches(measurement),
        *_device_state(measurement.launches, asked, canary_reference_ns),
    ]
    findings.sort(key=lambda finding: finding.best, reverse=True)
    letter = findings[0].best if findings else A
    return Grade(letter=letter, reasons=tuple(finding.reason for finding in findings))


def _capped(cap: str, reason: str) -> _Finding:
    return _Finding(CAPS[cap], reason)


def _limited(figure: float, limit: Callable[[Figures], float], reason: str) -> Iterator[_Finding]:
    """A finding with the first letter whose limit the figure keeps, none where that is an A."""
    letter = next((letter for letter, limits in LIMITS.items() if figure <= limit(limits)), D)
    if letter is not A:
        yield _Finding(letter, f"{reason} (A: at most {limit(LIMITS[A]):.0%})")


def _unit(measurement: Measurement, asked: ComputeUnit) -> Iterator[_Finding]:
    observed = measurement.observed
    if observed is None:
        cap = "unit unknown, cpu" if asked.kind == "cpu" else "unit unknown, not cpu"
        yield _capped(cap, f"asked for {asked}, and the runtime does not show which unit ran")
    elif is_another_unit(observed, asked):
        yield _capped("ran on another unit", f"asked for {asked}, ran on {observed}")
    elif is_cluster_unknown(observed, asked):
        yield _capped("cores unknown", f"asked for {asked}, and it is not shown to have run on {asked.cluster} cores")
    if asked.backend is None:
        return
    backend = measurement.backend or (observed.backend if observed else None)
    if backend is None:
        yield _capped(
            "backend unknown, one was demanded", f"asked for {asked}, and the runtime does not name its backend"
        )
    elif backend != asked.backend:
        yield _capped("ran in another backend", f"asked for {asked}, ran in the backend {backend}")


def _conditions(launches: Sequence[BlockLaunch]) -> Iterator[_Finding]:
    moments = [moment for launch in launches for moment in (launch.record.before, launch.record.after)]
    throttled = sum(1 for moment in moments if moment.throttled)
    if throttled:
        yield _capped("throttled", f"the device reported throttling at {throttled} of {len(moments)} moments")
    elif moments and not any(_heat_known(moment) for moment in moments):
        yield _capped("heat unknown", "temperature and throttling are unknown: the device has no sensor that says")
    yield from _power(moments)


def _heat_known(moment: Conditions) -> bool:
    return bool(moment.temperatures) or moment.throttled is not None


def _power(moments: Sequence[Conditions]) -> Iterator[_Finding]:
    """Only a device that was on battery at some moment is known to have one; elsewhere an unknown source is mains."""
    on_battery = sum(1 for moment in moments if moment.power == "battery")
    if on_battery == 0:
        return
    if on_battery == len(moments):
        yield _capped("on battery", "on battery throughout: clocks can be lower than on mains")
    else:
        reason = f"on battery at {on_battery} of {len(moments)} moments, on mains or unknown at the others"
        yield _capped("power source came and went", reason)


def _launches(measurement: Measurement) -> Iterator[_Finding]:
    medians = _medians(measurement.launches)
    spread = coefficient_of_variation(medians)
    if spread is None:
        yield _capped("fewer than two launches", f"launches with samples: {len(medians)}; their spread is unknown")
    else:
        yield from _limited(spread, lambda limits: limits.launch_cv, f"launch medians vary by {spread:.1%}")
    yield from _steps(measurement.launches, medians)
    if measurement.lost:
        tried = measurement.lost + len(measurement.launches)
        yield _capped("launches lost", f"{measurement.lost} of {tried} launches failed")


def _steps(launches: Sequence[BlockLaunch], medians: Sequence[float]) -> Iterator[_Finding]:
    """A tool that tells whole microseconds leaves open what is smaller, and its launches agree by that alone."""
    step, median = coarsest_step(launches), statistics.median(medians) if medians else 0.0
    if step <= _FINE * median:
        return
    share = "10%" if step > _COARSE * median else "1%"
    cap = f"told in steps of over {share} of the median"
    part = f"{step / median:.1%} of the median" if median >= step else "more than the median itself"
    yield _capped(cap, f"times are told in steps of {step / 1e3:.3g} µs, {part}")


def _device_state(
    launches: Sequence[BlockLaunch], asked: ComputeUnit, reference_ns: float | None
) -> Iterator[_Finding]:
    canary = _canary_deviation(launches, reference_ns)
    preempted, why = _preemption(launches, asked)
    if canary is not None:
        reason = f"the canary was {canary:.1%} off the device's own median"
        yield from _limited(canary, lambda limits: limits.canary, reason)
    if preempted is not None:
        yield from _preempted(preempted, asked)
    if canary is None and preempted is None:
        reason = "neither canary nor preemption is known: nothing vouches for the device"
        yield _capped("canary and preemption unknown", reason)
    elif canary is None:
        yield _capped("canary unknown", "no canary was taken: nothing vouches for the speed of the device")
    elif preempted is None:
        yield _capped("preemption unknown", f"preemption is unknown: {why}")


def _preempted(bounds: _Preemption, asked: ComputeUnit) -> Iterator[_Finding]:
    at_least = "at least " if bounds.most > bounds.least else ""
    reason = f"wall time is {at_least}{bounds.least:.1%} over CPU time: other work held the processor"
    yield from _limited(bounds.least, lambda limits: limits.preemption, reason)
    if bounds.least <= LIMITS[A].preemption < bounds.most:
        cap = "preemption unknown by over 50%" if bounds.most > _WIDE else "preemption unknown"
        known = f"between {bounds.least:.1%} and {bounds.most:.1%}"
        yield _capped(cap, f"preemption is unknown {known}: the CPU time of {asked} sums its threads")


def _canary_deviation(launches: Sequence[BlockLaunch], reference_ns: float | None) -> float | None:
    """Median over the launches of how far their block's canaries, the farther of the two, are off the reference."""
    if not reference_ns:
        return None
    pairs = [[c.median_ns for c in (launch.canary_before, launch.canary_after) if c is not None] for launch in launches]
    farthest = [max(abs(median / reference_ns - 1) for median in pair) for pair in pairs if pair]
    return statistics.median(farthest) if farthest else None


def _preemption(launches: Sequence[BlockLaunch], asked: ComputeUnit) -> tuple[_Preemption | None, str]:
    """Median over the launches; None with the reason where it cannot be known.

    CPU time sums all threads, and a thread that waits for the others uses none. So with t threads, wall over CPU
    time is a lower bound, t times that an upper one, and the truth lies between.
    """
    ratios = [ratio for launch in launches if (ratio := wall_over_cpu(launch.record)) is not None]
    if not ratios and any(launch.record.told for launch in launches):
        return None, "the tool that timed it keeps no CPU times"
    if asked.kind != "cpu" or not ratios:
        return None, f"no CPU time that can be read for {asked}"
    if statistics.median(_medians(launches)) < _SHORT_NS:
        return None, f"inferences below {_SHORT_NS / 1e3:.0f} µs are too short to tell"
    ratio = statistics.median(ratios)
    return _Preemption(least=max(0.0, ratio - 1), most=max(0.0, ratio * (asked.threads or 1) - 1)), ""


def _medians(launches: Sequence[BlockLaunch]) -> list[float]:
    return [median for launch in launches if (median := launch.record.median_ns) is not None]
