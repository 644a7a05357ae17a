"""A device whose truth is known: to try a plan without hardware, for tests, and to hold the statistics to account.

Its times are made up by a scenario. facts.simulated says so, and no view may call them measured.
"""

import math
import random
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from devices.health import await_fit
from devices.scenario import Fault, Scenario
from devices.simulated_body import Body, RealClock, VirtualClock
from devices.simulated_launch import RUNTIME, VERSION, Launch, Truth
from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary, Cluster, Conditions, DeviceFacts
from harness.core.errors import DeviceLost
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome
from harness.core.limits import Limits
from harness.core.ports import Waiting
from harness.core.units import Nanoseconds, Seconds

_CANARY_REPETITIONS = 5
_CANARY_NOISE = 0.003
# Of the work of an inference; with it two threads take 0.58 of one thread's time.
_PARALLEL_PART = 0.85


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a launch ends that was struck by a fault."""

    exit_code: int | None
    message: str
    stderr_tail: str = ""


_ENDINGS: Mapping[FailureKind, _Ending] = {
    FailureKind.ERROR: _Ending(1, "the simulated runtime refuses this variant, as the scenario says"),
    FailureKind.CRASH: _Ending(139, "the process died by signal 11 (simulated)", "Segmentation fault (simulated)\n"),
    FailureKind.PROTOCOL: _Ending(0, "a line that is not JSON came from the simulated launch: '%!'"),
}


class SimulatedDevice:
    """A Device that does as its scenario says: the same for the same seed and attempt at the same age of the device.

    Time is the clock's: virtual by default, so that a campaign takes as long as its bookkeeping; RealClock waits.
    A device that was lost or left stays so until it is entered again, or for so many calls as the fault says; a new one
    needs no entering, it has no lease.
    """

    def __init__(self, scenario: Scenario, clock: VirtualClock | RealClock | None = None) -> None:
        self._scenario = scenario
        self._clock = clock or VirtualClock()
        self._body = Body(scenario.heat, scenario.drift_per_hour, self._clock)
        self._launches = 0
        self._canaries = 0
        self._gone: str | None = None
        self._calls_away: int | None = None
        self._facts = DeviceFacts(
            name=scenario.name,
            family="simulated",
            simulated=True,
            cores=scenario.cores,
            memory_bytes=scenario.memory_bytes,
            runtimes={RUNTIME: VERSION},
            units=tuple(
                ComputeUnit.parse(unit) for unit in dict.fromkeys((*scenario.unit_factors, *scenario.falls_back))
            ),
            clusters=_clusters(scenario),
        )

    @property
    def facts(self) -> DeviceFacts:
        return self._facts

    def __enter__(self) -> "SimulatedDevice":
        self._gone = self._calls_away = None
        return self

    def __exit__(self, *exc: object) -> None:
        self._gone, self._calls_away = "it is closed; enter it to measure on it", None

    def conditions(self) -> Conditions:
        self._require_alive()
        return self._conditions()

    def _conditions(self) -> Conditions:
        most, cap = self._scenario.max_mhz, self._body.cap
        return Conditions(
            taken_at=self._clock(),
            temperatures={self._scenario.heat.zone: self._body.temperature},
            load=self._scenario.load,
            power=self._scenario.power,
            memory_available_bytes=self._scenario.memory_bytes // 2,
            throttled=self._body.throttle > 1,
            clock_caps_mhz={} if most is None else {f"cpu{core}": most * cap for core in range(self._scenario.cores)},
            battery_percent=self._scenario.battery_percent,
            thermal_status=self._body.status,
            neighbours=self._scenario.neighbours,
        )

    def make_fit(self, limits: Limits, waiting: Waiting) -> Seconds:
        """Wait, in the clock's time, until the body has cooled down to the limits."""
        return await_fit(self.conditions, self._facts, limits, waiting, clock=self._clock, rest=self.rest)

    def rest(self, seconds: Seconds) -> None:
        self._require_alive()
        self._body.rest(seconds)

    def canary(self) -> Canary:
        self._require_alive()
        chance = random.Random(f"{self._scenario.seed}/canary/{self._canaries}")
        self._canaries += 1
        samples = tuple(self._canary_sample(chance) for _ in range(_CANARY_REPETITIONS))
        return Canary(median_ns=statistics.median(samples), samples_ns=samples)

    def _canary_sample(self, chance: random.Random) -> Nanoseconds:
        spent = self._scenario.canary_ns * self._body.slowness * math.exp(chance.gauss(0, _CANARY_NOISE))
        self._body.work(spent / 1e9)
        return spent

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        """Run an order in made-up time. Raises DeviceLost where the scenario takes the device away."""
        self._require_alive()
        number, self._launches = self._launches, self._launches + 1
        chance = random.Random(
            f"{self._scenario.seed}/{order.attempt}/{order.variant_digest}/{order.unit}/{order.pass_}"
        )
        for fault in self._scenario.faults:
            if _strikes(fault, order, number, chance):
                return self._fail(order, fault, chance)
        truth = true_latency(self._scenario, order)
        if truth is None:
            return _failure(order, FailureKind.ERROR, _Ending(1, _why_not(self._facts, order)))
        record = Launch(self._scenario, truth, order, self._body, chance).run(self._conditions)
        if record.wall_s > order.deadline_s:
            return _failure(order, FailureKind.DEADLINE, _over(order.deadline_s))
        return record

    def _fail(self, order: LaunchOrder, fault: Fault, chance: random.Random) -> LaunchFailure:
        kind = fault.kind
        if kind is FailureKind.LOST:
            self._gone = "the simulated device is gone, as its scenario says; enter it again"
            self._calls_away = None if fault.calls is None else fault.calls + 1  # this one too
            self._require_alive()
        if kind is FailureKind.DEADLINE:
            self._body.work(order.deadline_s)
            return _failure(order, kind, _over(order.deadline_s))
        self._body.work(min(order.deadline_s, chance.random()))
        return _failure(order, kind, _ENDINGS[kind])

    def _require_alive(self) -> None:
        if self._calls_away == 0:
            self._gone = self._calls_away = None
        if self._gone is None:
            return
        if self._calls_away is not None:
            self._calls_away -= 1
        raise DeviceLost(self._scenario.name, self._gone)


def _clusters(scenario: Scenario) -> tuple[Cluster, ...]:
    """Its cores, where it says how fast they are."""
    if scenario.max_mhz is None:
        return ()
    return (Cluster(name="all", cores=tuple(range(scenario.cores)), max_mhz=scenario.max_mhz),)


def true_latency(scenario: Scenario, order: LaunchOrder) -> Truth | None:
    """What an order would find without any noise.

    None where the unit is not offered, or the file is missing and not in the scenario.
    """
    unit = ComputeUnit.parse(scenario.falls_back.get(str(order.unit), str(order.unit)))
    factor = _unit_factor(scenario, unit)
    size = digest.size_of(order.variant) if order.variant.exists() else None
    on_cpu = next((ns for key, ns in scenario.latency_ns.items() if _is_variant(key, order)), None)
    if on_cpu is None and size is not None:
        on_cpu = scenario.fixed_ns + scenario.ns_per_byte * size
    if factor is None or on_cpu is None:
        return None
    return Truth(unit=unit, latency_ns=factor * on_cpu, size_bytes=size)


def _unit_factor(scenario: Scenario, unit: ComputeUnit) -> float | None:
    """As the scenario names it; else the gain of threads by Amdahl's law; `xnnpack` is the default's own name."""
    backend = None if unit.backend == "xnnpack" else unit.backend
    named = scenario.unit_factors.get(str(ComputeUnit(kind=unit.kind, backend=backend, threads=unit.threads)))
    if named is not None or unit.threads is None or unit.threads > scenario.cores:
        return named
    single = scenario.unit_factors.get(str(ComputeUnit(kind=unit.kind, backend=backend)))
    return None if single is None else single * (1 - _PARALLEL_PART + _PARALLEL_PART / unit.threads)


def _is_variant(key: str, order: LaunchOrder) -> bool:
    return order.variant_digest.startswith(key) or order.variant.name == key


def _strikes(fault: Fault, order: LaunchOrder, number: int, chance: random.Random) -> bool:
    meant = (
        (fault.variant is None or _is_variant(fault.variant, order))
        and fault.unit in (None, str(order.unit))
        and fault.during in (None, order.pass_)
    )
    # Drawn for every launch, so that narrowing one fault down leaves the noise of the others alone.
    struck = chance.random() < fault.probability
    return meant and (number == fault.at_launch or struck)


def _failure(order: LaunchOrder, kind: FailureKind, ending: _Ending) -> LaunchFailure:
    return LaunchFailure(
        attempt=order.attempt,
        pass_=order.pass_,
        kind=kind,
        message=ending.message,
        exit_code=ending.exit_code,
        stderr_tail=ending.stderr_tail,
    )


def _over(deadline_s: Seconds) -> _Ending:
    return _Ending(137, f"did not end within {deadline_s:g} s and was killed (simulated)")


def _why_not(facts: DeviceFacts, order: LaunchOrder) -> str:
    if order.unit in facts.units:
        return f"{order.variant}: no such file, and the scenario gives no latency for it"
    offered = ", ".join(str(unit) for unit in facts.units)
    return f"{facts.name} cannot run {order.unit}: it offers {offered} on {facts.cores} cores"
