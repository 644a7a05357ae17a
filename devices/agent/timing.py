"""Warm-up and timed inferences. The clocks are arguments, in nanoseconds."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], int]

_LAST = 5
_TREND = 0.02  # of the level, over the last five
_CALIBRATIONS = 400  # of nothing, under a millisecond together


class Samples:
    """Raw times of inferences, in order: wall, CPU of the whole process, start from the stopwatch's zero."""

    def __init__(self) -> None:
        self.wall_ns: list[int] = []
        self.cpu_ns: list[int] = []
        self.starts_ns: list[int] = []


class Stopwatch:
    """Times inferences from a zero of its own, which is when it was made.

    The CPU clock is read outside the wall clock, so that no more than the inference is in a wall time. clock_ns is
    what that adds to a CPU time: what the two readings cost.
    """

    def __init__(self, wall: Clock = time.perf_counter_ns, cpu: Clock = time.process_time_ns) -> None:
        self._wall = wall
        self._cpu = cpu
        self.zero = wall()
        self.clock_ns = self._calibrate()

    def _calibrate(self) -> float:
        """CPU time less wall time of doing nothing: mean of the middle half, since a clock may have coarse steps."""
        nothing = Samples()
        for _ in range(_CALIBRATIONS):
            self.time(_do_nothing, nothing)
        beyond = sorted(cpu - wall for wall, cpu in zip(nothing.wall_ns, nothing.cpu_ns))
        middle = beyond[_CALIBRATIONS // 4 : -_CALIBRATIONS // 4]
        return max(0.0, sum(middle) / len(middle))

    def restart(self) -> None:
        """Zero is now: what went before is not the measurement's."""
        self.zero = self._wall()

    def elapsed_ns(self) -> int:
        """Since zero."""
        return self._wall() - self.zero

    def time(self, infer: Callable[[], None], into: Samples) -> int:
        """Run one inference and keep its times. Answers when it ended, from zero."""
        wall, cpu = self._wall, self._cpu
        cpu_start = cpu()
        start = wall()
        infer()
        end = wall()
        cpu_end = cpu()
        into.wall_ns.append(end - start)
        into.cpu_ns.append(cpu_end - cpu_start)
        into.starts_ns.append(start - self.zero)
        return end - self.zero


class Settings:
    """How long to warm up and how many inferences to time, in nanoseconds."""

    def __init__(self, given: dict[str, object]) -> None:
        self.inferences = max(1, int(given["inferences"]))  # type: ignore[call-overload]
        self.limit_ns = _nanoseconds(given["max_launch_s"])
        self.warmup_inferences = max(1, int(given["warmup_inferences"]))  # type: ignore[call-overload]
        self.warmup_ns = _nanoseconds(given["warmup_s"])
        self.warmup_limit_ns = _nanoseconds(given["warmup_max_s"])


def warm_up(watch: Stopwatch, infer: Callable[[], None], settings: Settings) -> Samples:
    """Infer until the times are level: enough inferences, enough time, and no trend over the last five.

    Gives up at the warm-up's own limit and at the launch's. The first inference is among the samples.
    """
    samples = Samples()
    begun = watch.elapsed_ns()
    while True:
        now = watch.time(infer, samples)
        if now >= settings.limit_ns or now - begun >= settings.warmup_limit_ns:
            return samples
        enough = len(samples.wall_ns) >= settings.warmup_inferences and now - begun >= settings.warmup_ns
        if enough and is_level(samples.wall_ns):
            return samples


def time_inferences(watch: Stopwatch, infer: Callable[[], None], settings: Settings) -> Samples:
    """The timed inferences: as many as asked for, fewer at the launch's limit, one at least."""
    samples = Samples()
    for _ in range(settings.inferences):
        if watch.time(infer, samples) >= settings.limit_ns:
            break
    return samples


def is_level(times_ns: list[int]) -> bool:
    """Whether the last five show no trend over 2 % of their level. False below five.

    The trend is the median of the ten pairwise slopes (Theil-Sen), so that one preempted inference is none.
    """
    last = times_ns[-_LAST:]
    if len(last) < _LAST:
        return False
    slopes = sorted((last[j] - last[i]) / (j - i) for i in range(_LAST) for j in range(i + 1, _LAST))
    slope = (slopes[4] + slopes[5]) / 2
    return abs(slope) * (_LAST - 1) <= _TREND * sorted(last)[_LAST // 2]


def _do_nothing() -> None:
    pass


def _nanoseconds(seconds: object) -> int:
    return int(float(seconds) * 1e9)  # type: ignore[arg-type]
