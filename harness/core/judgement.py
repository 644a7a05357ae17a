"""What was concluded from measurements: summaries, comparisons, grades."""

from dataclasses import dataclass
from enum import StrEnum

from harness.core.launch import SampleSummary
from harness.core.units import Nanoseconds, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """median is of launch medians; p10 to p99 and min pool the samples; ci95 is of the median of launch medians.

    ci95 is None where the launches are too few for one. cv is of the launch medians, None below two launches. raw:
    every launch kept its samples; where one did not, p10 to p99 are None, and min is where no minimum was told.
    resolution is the coarsest step that a tool told its times in, None: raw, or not told. samples counts inferences.
    """

    median: Nanoseconds
    p10: Nanoseconds | None
    p90: Nanoseconds | None
    p99: Nanoseconds | None
    min: Nanoseconds | None
    ci95: tuple[Nanoseconds, Nanoseconds] | None
    launches: int
    samples: int
    cv: float | None
    raw: bool = True
    resolution: Nanoseconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """compile: median of compiling. cold: environment, compile and first inference of the cell's first launch; the
    file is probably in the page cache by then. warm: the same, median of the later launches, None with one launch.
    first: median of first inferences."""

    compile: Nanoseconds
    cold: Nanoseconds
    warm: Nanoseconds | None
    first: Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFigures:
    """Medians over launches: of each step to the first result on its own, and of a launch's steps together (total).

    warm: inferences after the first.
    """

    environment: Nanoseconds
    compile: Nanoseconds
    first: Nanoseconds
    total: Nanoseconds
    warm: Nanoseconds | None
    launches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Starting a fresh process, without XNNPACK's weight cache (off), writing it (filled) and reading it (used).

    None where no such launch measured; unavailable says why. idle: XNNPACK took nothing of the graph, so that the
    cache had nothing to hold; None where that is not known, or there is no cache.
    """

    off: StartFigures | None
    filled: StartFigures | None
    used: StartFigures | None
    unavailable: str | None = None
    idle: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSummary:
    """One latency launch in figures. samples counts its inferences; median, p10 and p90 are None where it has none.

    told is the tool's own summary where no samples exist: p10 and p90 are None then, the tool's percentiles are others.

    started_at is seconds since the epoch. wall_over_cpu is wall time over the process's CPU time, summed over the
    samples, None where no CPU time is known. canary_before and canary_after bracket its block, None: not taken.
    """

    block: int
    position: int
    started_at: float
    wall_s: Seconds
    samples: int
    median: Nanoseconds | None
    p10: Nanoseconds | None
    p90: Nanoseconds | None
    wall_over_cpu: float | None
    canary_before: Nanoseconds | None
    canary_after: Nanoseconds | None
    told: SampleSummary | None = None


class Verdict(StrEnum):
    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """effect: the smallest relative shift called slower or faster. same: the half width that is called same."""

    effect: float = 0.01
    same: float = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Latency of a cell over that of its source, paired by block.

    ratio is exp of the Hodges-Lehmann shift of log ratios; ci95 and ci99 by inversion of the signed-rank test, None
    where the pairs are too few for that level. detectable is the smallest relative effect that these pairs would have
    found in 80 % of repetitions, None where unknown.
    """

    ratio: float
    ci95: tuple[float, float] | None
    ci99: tuple[float, float] | None
    detectable: float | None
    pairs: int
    verdict: Verdict


class GradeLetter(StrEnum):
    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """How far to trust a measurement, with every reason that kept it from an A."""

    letter: GradeLetter
    reasons: tuple[str, ...]
