"""From raw samples to the figures that a view shows. Nothing here is stored: it is computed on reading.

Sources: percentiles are definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The
American Statistician 50 (1996) 361-365 (numpy's default). That the launch and not the sample is what repeats:
T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013. The interval of a median by order
statistics: Hollander and Wolfe, "Nonparametric Statistical Methods", 2nd ed. (1999), section 3.6.
"""

import math
import statistics
from collections.abc import Iterable, Sequence

from harness.core.judgement import ColdStart, LatencySummary, LaunchSummary, LoadSummary, StartFigures
from harness.core.launch import LaunchRecord, LoadTimes, SampleSummary, WeightCache
from harness.core.outcome import BlockLaunch
from harness.core.units import Nanoseconds

Timed = Sequence[int] | SampleSummary


def timed(record: LaunchRecord) -> Timed:
    """The samples of a launch, or what its tool told in their place."""
    return record.told or record.samples_ns


def coarsest_step(launches: Iterable[BlockLaunch]) -> Nanoseconds:
    """The coarsest step that a tool told times in; 0 where they are of samples, or nothing was told of it."""
    told = (launch.record.told for launch in launches)
    return max((summary.resolution_ns or 0.0 for summary in told if summary), default=0.0)


def summarise_latency(launches: Sequence[Timed]) -> LatencySummary:
    """Summary of the samples of each launch, in ns, or of what its tool told of them.

    A launch without samples, or of which no median was told, does not count. Percentiles of all samples are unknown
    where some launch has none: nothing told of each launch gives them. Raises ValueError where no launch counts.
    """
    known = [(launch, median) for launch in launches if launch and (median := _median(launch)) is not None]
    if not known:
        raise ValueError("no launch has samples: there is nothing to summarise")
    counted, medians = [launch for launch, _ in known], [median for _, median in known]
    told = [launch for launch in counted if isinstance(launch, SampleSummary)]
    pooled = sorted(sample for launch in counted if not isinstance(launch, SampleSummary) for sample in launch)
    whole = pooled if not told else []
    resolution = max((launch.resolution_ns for launch in told if launch.resolution_ns is not None), default=None)
    return LatencySummary(
        median=statistics.median(medians),
        p10=quantile(whole, 0.10) if whole else None,
        p90=quantile(whole, 0.90) if whole else None,
        p99=quantile(whole, 0.99) if whole else None,
        min=_least([*pooled[:1], *(launch.min_ns for launch in told)]),
        ci95=_widened(median_interval(medians, 0.05), resolution),
        launches=len(medians),
        samples=len(pooled) + sum(launch.count for launch in told),
        cv=coefficient_of_variation(medians),
        raw=not told,
        resolution=resolution,
    )


def _widened(
    interval: tuple[Nanoseconds, Nanoseconds] | None, step: Nanoseconds | None
) -> tuple[Nanoseconds, Nanoseconds] | None:
    """Medians told in steps may all be off by one of them, the same way."""
    return (max(0.0, interval[0] - step), interval[1] + step) if interval and step else interval


def _median(launch: Timed) -> Nanoseconds | None:
    return launch.median_ns if isinstance(launch, SampleSummary) else statistics.median(launch)


def _least(values: Sequence[float | None]) -> float | None:
    """The smallest; None where one is unknown, which may have been the smallest."""
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def summarise_launch(launch: BlockLaunch) -> LaunchSummary:
    """One launch in figures; without samples it has no percentiles, and a median only where its tool told one."""
    record = launch.record
    rising = sorted(record.samples_ns)
    return LaunchSummary(
        block=launch.block,
        position=launch.position,
        started_at=record.started_at,
        wall_s=record.wall_s,
        samples=len(rising) or (record.told.count if record.told else 0),
        median=record.median_ns,
        p10=quantile(rising, 0.10) if rising else None,
        p90=quantile(rising, 0.90) if rising else None,
        wall_over_cpu=wall_over_cpu(record),
        canary_before=launch.canary_before.median_ns if launch.canary_before else None,
        canary_after=launch.canary_after.median_ns if launch.canary_after else None,
        told=record.told,
    )


def wall_over_cpu(record: LaunchRecord) -> float | None:
    """Wall over CPU time, each summed over the samples; None where not every sample has its CPU time.

    CPU time is less what reading the clocks added to it, where the launch measured that.
    """
    wall, cpu = sum(record.samples_ns), sum(record.cpu_ns) - len(record.cpu_ns) * (record.clock_ns or 0)
    return wall / cpu if wall and cpu > 0 and len(record.cpu_ns) == len(record.samples_ns) else None


def summarise_load(loads: Sequence[LoadTimes]) -> LoadSummary:
    """Summary of load times in the order of the launches. Raises ValueError where there are none."""
    if not loads:
        raise ValueError("no launch has load times: there is nothing to summarise")
    whole = [_to_first(load) for load in loads]
    return LoadSummary(
        compile=statistics.median(load.compile_ns for load in loads),
        cold=whole[0],
        warm=statistics.median(whole[1:]) if len(whole) > 1 else None,
        first=statistics.median(load.first_ns for load in loads),
    )


def _to_first(load: LoadTimes) -> Nanoseconds:
    """From nothing to the first result, in one launch."""
    return load.environment_ns + load.compile_ns + load.first_ns


def summarise_cold_start(
    records: Sequence[LaunchRecord], unavailable: str | None, *, idle: bool | None = None
) -> ColdStart:
    """Figures of the cold pass's launches by what each did with the weight cache; the rest as in ColdStart."""
    figures = {cache: _start_figures([r for r in records if r.weight_cache is cache]) for cache in WeightCache}
    return ColdStart(
        off=figures[WeightCache.OFF],
        filled=figures[WeightCache.FILL],
        used=figures[WeightCache.USE],
        unavailable=unavailable,
        idle=idle,
    )


def _start_figures(records: Sequence[LaunchRecord]) -> StartFigures | None:
    if not records:
        return None
    warm = [median for record in records if (median := record.median_ns) is not None]
    return StartFigures(
        environment=statistics.median(record.load.environment_ns for record in records),
        compile=statistics.median(record.load.compile_ns for record in records),
        first=statistics.median(record.load.first_ns for record in records),
        total=statistics.median(_to_first(record.load) for record in records),
        warm=statistics.median(warm) if warm else None,
        launches=len(records),
    )


def quantile(rising: Sequence[float], share: float) -> float:
    """The value that `share` of a sorted, non-empty sample lies below; linear between neighbours (definition 7)."""
    place = share * (len(rising) - 1)
    low = math.floor(place)
    high = min(low + 1, len(rising) - 1)
    return rising[low] + (rising[high] - rising[low]) * (place - low)


def median_interval(values: Sequence[Nanoseconds], alpha: float) -> tuple[Nanoseconds, Nanoseconds] | None:
    """Interval of the median that covers at least 1 - alpha, by the sign test turned round.

    It asks nothing of the distribution. None where even the whole range covers less: 95 % needs 6 values.
    """
    trim = _order_to_trim(len(values), alpha)
    if trim is None:
        return None
    rising = sorted(values)
    return rising[trim], rising[-1 - trim]


def _order_to_trim(n: int, alpha: float) -> int | None:
    """The largest k with P(Binomial(n, 1/2) <= k) <= alpha / 2: so many values are cut off at either end."""
    allowed = alpha / 2 * 2**n
    below = 0
    for k in range(n + 1):
        below += math.comb(n, k)
        if below > allowed:
            return k - 1 if k else None
    return None


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """Sample standard deviation over mean; None below two values or where the mean is not positive."""
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    return statistics.stdev(values, mean) / mean if mean > 0 else None
