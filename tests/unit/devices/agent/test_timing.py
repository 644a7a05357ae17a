"""When warm-up ends, how many inferences are timed, and what is kept of each."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest

from devices.agent.timing import Samples, Settings, Stopwatch, is_level, time_inferences, warm_up

MS = 1_000_000


class Clock:
    """Stands still unless an inference moves it."""

    def __init__(self) -> None:
        self.now = 5 * MS

    def __call__(self) -> int:
        return self.now


def settings(**changes: float) -> Settings:
    given: dict[str, object] = {
        "launches": 1,
        "inferences": 4,
        "max_launch_s": 10.0,
        "warmup_inferences": 3,
        "warmup_s": 0.0,
        "warmup_max_s": 5.0,
    }
    return Settings({**given, **changes})


def a_watch() -> tuple[Stopwatch, Clock]:
    clock = Clock()
    return Stopwatch(wall=clock, cpu=lambda: clock.now // 2), clock


def inferences(clock: Clock, durations_ms: Iterable[float]) -> Callable[[], None]:
    """An inference whose durations are given."""
    durations: Iterator[float] = iter(durations_ms)

    def infer() -> None:
        clock.now += int(next(durations) * MS)

    return infer


def endless(first: float) -> Iterator[float]:
    while True:
        yield first


def test_a_sample_has_wall_cpu_and_start_from_the_zero_of_the_watch() -> None:
    watch, clock = a_watch()
    samples = Samples()
    clock.now += 3 * MS
    watch.time(inferences(clock, [2]), samples)
    assert (samples.wall_ns, samples.cpu_ns, samples.starts_ns) == ([2 * MS], [MS], [3 * MS])


class Costly:
    """A clock of which each reading takes a time of its own, which passes after it is read."""

    def __init__(self, time: Clock, cost_ns: int) -> None:
        self._time = time
        self._cost_ns = cost_ns

    def __call__(self) -> int:
        now = self._time()
        self._time.now += self._cost_ns
        return now


def test_what_reading_the_clocks_adds_to_a_cpu_time_is_measured_when_the_watch_is_made() -> None:
    time = Clock()
    watch = Stopwatch(wall=Costly(time, 60), cpu=Costly(time, 500))
    samples = Samples()
    watch.time(inferences(time, [2]), samples)
    # The CPU time of doing nothing: its own reading and two of the wall clock, of which one is in the wall time too.
    assert watch.clock_ns == 560
    assert samples.cpu_ns[0] - watch.clock_ns == samples.wall_ns[0]


def test_readings_that_were_held_up_do_not_count_for_the_cost_of_the_clocks() -> None:
    time = Clock()
    costs = itertools.cycle([500] * 19 + [90_000])

    def cpu() -> int:
        now = time()
        time.now += next(costs)
        return now

    assert Stopwatch(wall=Costly(time, 60), cpu=cpu).clock_ns == 560


def test_clocks_that_cost_nothing_add_nothing() -> None:
    assert a_watch()[0].clock_ns == 0


def test_warm_up_needs_five_level_inferences() -> None:
    watch, clock = a_watch()
    assert len(warm_up(watch, inferences(clock, endless(1)), settings()).wall_ns) == 5


def test_warm_up_goes_on_while_times_fall() -> None:
    watch, clock = a_watch()
    falling = [20, 18, 16, 14, 12, 10, 10, 10, 10, 10, 10, 10]
    assert len(warm_up(watch, inferences(clock, falling), settings()).wall_ns) > 6


def test_warm_up_takes_its_time() -> None:
    watch, clock = a_watch()
    assert len(warm_up(watch, inferences(clock, endless(10)), settings(warmup_s=0.3)).wall_ns) == 30


def test_warm_up_takes_its_inferences() -> None:
    watch, clock = a_watch()
    assert len(warm_up(watch, inferences(clock, endless(1)), settings(warmup_inferences=12)).wall_ns) == 12


def test_warm_up_gives_up_at_its_limit_where_times_never_level() -> None:
    watch, clock = a_watch()
    rising = (10 * 1.1**i for i in range(100))
    samples = warm_up(watch, inferences(clock, rising), settings(warmup_max_s=0.2))
    assert 0.2 * 1000 * MS <= sum(samples.wall_ns) < 0.3 * 1000 * MS


def test_warm_up_gives_up_at_the_limit_of_the_launch() -> None:
    watch, clock = a_watch()
    assert len(warm_up(watch, inferences(clock, endless(400)), settings(max_launch_s=0.5)).wall_ns) == 2


def test_as_many_inferences_are_timed_as_were_asked_for() -> None:
    watch, clock = a_watch()
    assert time_inferences(watch, inferences(clock, [1, 2, 3, 4, 5]), settings()).wall_ns == [
        MS,
        2 * MS,
        3 * MS,
        4 * MS,
    ]


def test_a_launch_stops_early_and_keeps_what_it_has() -> None:
    watch, clock = a_watch()
    assert len(time_inferences(watch, inferences(clock, endless(400)), settings(max_launch_s=1.0)).wall_ns) == 3


def test_one_inference_is_timed_even_past_the_limit() -> None:
    watch, clock = a_watch()
    clock.now += 60_000 * MS
    assert len(time_inferences(watch, inferences(clock, endless(1)), settings()).wall_ns) == 1


@pytest.mark.parametrize(
    ("times", "level"),
    [
        ([100, 100, 100, 100], False),  # too few to tell
        ([100, 100, 100, 100, 100], True),
        ([100, 101, 99, 101, 100], True),
        ([104, 103, 102, 101, 100], False),  # falls by 4 %
        ([100, 100, 900, 100, 100], True),  # one preempted inference is no trend
        ([500, 100, 100, 100, 100, 100], True),  # only the last five count
    ],
)
def test_a_trend_over_two_percent_is_seen(times: list[int], level: bool) -> None:
    assert is_level(times) is level
