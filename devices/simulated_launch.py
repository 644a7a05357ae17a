"""One launch on a simulated device: samples around the truth, with the noise of the scenario, in the body's time."""

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from devices.scenario import Scenario
from devices.simulated_body import Body
from devices.simulated_ops import split_by_work
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.core.launch import LaunchOrder, LaunchRecord, LoadTimes, MemoryReading, OpTable, Pass, WeightCache
from harness.core.units import Bytes, Nanoseconds

RUNTIME = "simulated"
VERSION = "1"
_FIRST_INFERENCE_FACTOR = 3.0
_RUNTIME_BYTES = 3_000_000
_COLD_INFERENCES = 5
_CACHED_COMPILE = 0.3  # of compiling, where the packed weights are read and not made
_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What there is to be found: the unit that runs and the latency on it. size_bytes None: there is no file."""

    unit: ComputeUnit
    latency_ns: Nanoseconds
    size_bytes: Bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    wall_ns: int
    cpu_ns: int
    start_ns: int


class Launch:
    """The life of one simulated process."""

    def __init__(self, scenario: Scenario, truth: Truth, order: LaunchOrder, body: Body, chance: random.Random) -> None:
        self._scenario = scenario
        self._truth = truth
        self._order = order
        self._body = body
        self._chance = chance
        self._begun = body.now
        slow = chance.random() < scenario.slow_launch_probability
        noise = math.exp(chance.gauss(0, scenario.launch_noise))
        self._latency_ns = truth.latency_ns * noise * (scenario.slow_launch_factor if slow else 1)

    def run(self, look: Callable[[], Conditions]) -> LaunchRecord:
        """Load, warm up and take samples; look reads the conditions before and after."""
        before = look()
        load = self._load()
        cold = self._order.pass_ is Pass.COLD
        warmup = [] if cold else self._warm_up()
        samples = self._measure(_COLD_INFERENCES if cold else self._order.settings.inferences)
        return LaunchRecord(
            attempt=self._order.attempt,
            pass_=self._order.pass_,
            started_at=self._begun,
            wall_s=self._body.now - self._begun,
            runtime=f"{RUNTIME} {VERSION}",
            backend=self._truth.unit.backend or RUNTIME,
            observed=self._truth.unit,
            load=load,
            samples_ns=tuple(sample.wall_ns for sample in samples),
            cpu_ns=tuple(sample.cpu_ns for sample in samples),
            starts_ns=tuple(sample.start_ns for sample in samples),
            warmup_ns=tuple(sample.wall_ns for sample in warmup),
            before=before,
            after=look(),
            ops=self._ops(samples),
            ops_unavailable=self._ops_unavailable(),
            memory=self._memory(),
            weight_cache=self._order.weight_cache,
        )

    def _load(self) -> LoadTimes:
        compile_ns = self._scenario.compile_ns_per_byte * (self._truth.size_bytes or 0)
        if self._order.weight_cache is WeightCache.USE:
            compile_ns *= _CACHED_COMPILE
        return LoadTimes(
            environment_ns=self._spend(self._scenario.environment_ns),
            compile_ns=self._spend(compile_ns),
            first_ns=self._spend(_FIRST_INFERENCE_FACTOR * self._latency_ns),
        )

    def _spend(self, nanoseconds: Nanoseconds) -> Nanoseconds:
        spent = nanoseconds * self._body.slowness
        self._body.work(spent / _NS)
        return spent

    def _warm_up(self) -> list[_Sample]:
        settings = self._order.settings
        samples: list[_Sample] = []
        begun = self._body.now
        while (spent := self._body.now - begun) < settings.warmup_max_s:
            if len(samples) >= settings.warmup_inferences and spent >= settings.warmup_s:
                break
            samples.append(self._infer())
        return samples

    def _measure(self, inferences: int) -> list[_Sample]:
        limit_s = self._order.settings.max_launch_s
        samples = [self._infer()]
        begun = self._body.now
        while len(samples) < inferences and self._body.now - begun < limit_s:
            samples.append(self._infer())
        return samples

    def _infer(self) -> _Sample:
        start = self._body.now - self._begun
        busy = self._latency_ns * self._body.slowness * math.exp(self._chance.gauss(0, self._scenario.sample_noise))
        held_up = self._chance.random() < self._scenario.spike_probability
        wall = max(1, round(busy * (self._scenario.spike_factor if held_up else 1)))
        self._body.work(wall / _NS)
        cpu = round(busy) * (self._truth.unit.threads or 1)
        return _Sample(wall_ns=wall, cpu_ns=cpu, start_ns=round(start * _NS))

    def _ops(self, samples: list[_Sample]) -> OpTable | None:
        graph = self._order.graph
        if self._order.pass_ is not Pass.OPS or graph is None:
            return None
        faster = sorted(sample.wall_ns for sample in samples)[: (len(samples) + 1) // 2]
        placed_on = f"{self._truth.unit.kind}/{self._truth.unit.backend or RUNTIME}"
        invoke = statistics.fmean(faster)
        return split_by_work(graph, invoke, self._scenario.op_coverage, placed_on, runs=len(samples))

    def _ops_unavailable(self) -> str | None:
        if self._order.pass_ is Pass.OPS and self._order.graph is None:
            return "the simulated device splits time by the model's graph, and the order holds none"
        return None

    def _memory(self) -> MemoryReading | None:
        """As much as the file is large, mapped, and as much again for packed weights and activations."""
        size = self._truth.size_bytes
        if self._order.pass_ is not Pass.MEMORY or size is None:
            return None
        anonymous = _RUNTIME_BYTES + size
        return MemoryReading(
            after_load=_RUNTIME_BYTES + size,
            after_run=anonymous + size,
            peak=anonymous + size + size // 4,
            anonymous=anonymous,
            file_backed=size,
            method="simulated",
        )
