"""One launch: what was asked of a fresh process, and what came back."""

import statistics
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Conditions
from harness.core.model import Graph
from harness.core.units import Bytes, Nanoseconds, Seconds


class Pass(StrEnum):
    """What a launch is for; never two at once."""

    LATENCY = "latency"
    OPS = "ops"
    MEMORY = "memory"
    COLD = "cold"  # load and first inferences alone, with XNNPACK's weight cache and without


class WeightCache(StrEnum):
    """What a launch does with XNNPACK's cache of packed weights."""

    OFF = "off"
    FILL = "fill"  # there is none yet: it is written
    USE = "use"  # it is read


class Api(StrEnum):
    """Through which face of the runtime a launch ran its model."""

    COMPILED_MODEL = "compiled-model"
    INTERPRETER = "interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How a cell is measured. Warm-up ends after warmup_inferences and warmup_s, once the last five
    inferences show no trend over 2 %, or at warmup_max_s. A launch stops early at max_launch_s.

    cold_starts: launches that measure loading without a weight cache, and as many with one; 0: none.
    """

    launches: int = 10
    inferences: int = 50
    max_launch_s: Seconds = 10.0
    warmup_inferences: int = 3
    warmup_s: Seconds = 0.3
    warmup_max_s: Seconds = 5.0
    cold_starts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """What one fresh process has to do: one pass of one cell.

    attempt is unique for the store's lifetime. inputs are raw little-endian files, one per model input in
    signature order, in the variant's own dtypes; empty means inputs seeded by `seed`. graph is the variant's own,
    needed by the ops pass to key events to operators. deadline_s bounds the whole process. signature is the key of
    the signature to run, None for the first. weight_cache is for the cold pass alone. api is the runtime's face that
    the cell's first launch went through, None where there was none yet; fallback why that was not the first choice.
    """

    attempt: str
    variant: Path
    variant_digest: str
    pass_: Pass
    unit: ComputeUnit
    settings: MeasureSettings
    deadline_s: Seconds
    inputs: tuple[Path, ...] = ()
    seed: int = 0
    graph: Graph | None = None
    signature: str | None = None
    weight_cache: WeightCache = WeightCache.OFF
    api: Api | None = None
    fallback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """What a tool that keeps no raw samples told of a launch's inferences: no raw samples exist.

    None: it did not say. p5 and p95 are the tool's own percentiles. resolution_ns is the step that its times are told
    in.
    """

    count: int
    median_ns: float | None
    min_ns: float | None
    max_ns: float | None
    mean_ns: float | None
    std_ns: float | None
    p5_ns: float | None
    p95_ns: float | None
    resolution_ns: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTimes:
    """Wall time of the steps before the first timed inference, in this process."""

    environment_ns: Nanoseconds
    compile_ns: Nanoseconds
    first_ns: Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OpRecord:
    """Cost of one operator of the model in one cell.

    latency_ns is the mean of the faster half of the profiled inferences, summed over the operator's kernels;
    None where the runtime folded the operator into another. label is `measured` or `estimated`.
    placed_on is what the runtime reports (`cpu/xnnpack`, `cpu/builtin`), not what was asked; None if it does not say.
    share is of the sum over operators, in [0, 1]. bytes is static: weights plus activations.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    kernels: tuple[str, ...]
    placed_on: str | None
    latency_ns: Nanoseconds | None
    label: str
    share: float | None
    macs: int | None
    bytes: Bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTable:
    """The operators of a cell.

    coverage: sum of operator times over the whole invoke, same runs, in [0, 1+]. mapping_cost: doubt of the
    alignment of kernels to operators; `approximate` is set where a kernel was of an unknown kind.
    unmapped kernels keep their time in a row with index -1. runs is the number of profiled inferences.
    resolution_ns is the step of the profiler's clock: a latency below it only says "less than that". None: unknown.
    measured_by is another program than the runtime of the cell that measured them, in words; None: the runtime did.
    """

    ops: tuple[OpRecord, ...]
    coverage: float | None
    mapping_cost: float
    approximate: bool
    partitions: int
    runs: int
    resolution_ns: Nanoseconds | None = None
    measured_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """How much of the graph a delegate took; None is "the runtime does not say".

    delegate: `xnnpack`, `webgpu`, `dispatch`; None where none took part or it is not known which. full: every
    operator. taken of total operators in so many partitions.
    """

    delegate: str | None
    full: bool | None
    taken: int | None = None
    total: int | None = None
    partitions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReading:
    """Bytes above the process's level before the model was loaded; None where the system does not say.

    after_load and after_run are resident set deltas, peak the high-water mark's, anonymous and file_backed the parts
    of after_run. method names the source of the numbers.
    """

    after_load: Bytes | None
    after_run: Bytes | None
    peak: Bytes | None
    anonymous: Bytes | None
    file_backed: Bytes | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRecord:
    """What one launch measured: raw samples, never averages of ours.

    summary is what a tool that keeps no samples told instead: samples_ns, cpu_ns, starts_ns and warmup_ns are empty.

    samples_ns[i] is the wall time of run plus outputs ready; cpu_ns[i] the process's CPU time over the same span;
    starts_ns[i] its monotonic start, from the launch's own zero. warmup_ns are the samples before.
    wall_s is the life of the process. runtime is name and version; backend what the CPU work ran in where known.
    observed is the unit that the runtime shows to have run, None if it does not say.
    ops_unavailable says why an ops pass gave no operators. clock_ns is by how much each of cpu_ns is too long, since
    reading the clocks takes time of its own; measured in the same process. None: not known.
    api is the runtime's face that ran the model; fallback why it was not the first choice, in the runtime's words.
    adapter names the GPU that ran. weight_cache is what the launch did with it. summary is the tool's own where it
    prints no samples; samples_ns is empty then.
    """

    attempt: str
    pass_: Pass
    started_at: float
    wall_s: Seconds
    runtime: str
    backend: str | None
    observed: ComputeUnit | None
    load: LoadTimes
    samples_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    starts_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...]
    before: Conditions
    after: Conditions
    ops: OpTable | None = None
    ops_unavailable: str | None = None
    memory: MemoryReading | None = None
    clock_ns: Nanoseconds | None = None
    api: Api | None = None
    fallback: str | None = None
    delegation: Delegation | None = None
    adapter: str | None = None
    weight_cache: WeightCache = WeightCache.OFF
    summary: SampleSummary | None = None

    @property
    def told(self) -> SampleSummary | None:
        """The tool's own summary, where that is all there is."""
        return None if self.samples_ns else self.summary

    @property
    def median_ns(self) -> Nanoseconds | None:
        """Of its samples, else as the tool told it; None where nothing was timed or told."""
        if self.samples_ns:
            return statistics.median(self.samples_ns)
        return self.summary.median_ns if self.summary else None


class FailureKind(StrEnum):
    """How a launch ended badly."""

    ERROR = "error"  # the runtime or the model refused, in words
    CRASH = "crash"  # the process died by a signal or an exit code
    DEADLINE = "deadline"  # it was killed because it did not end
    PROTOCOL = "protocol"  # it said something that is not the agent's language
    LOST = "lost"  # the device or the supervisor went away


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailure:
    """A launch that gave no measurement. exit_code is 128 + signal for a death by signal (139 segfault, 137 kill)."""

    attempt: str
    pass_: Pass
    kind: FailureKind
    message: str
    exit_code: int | None = None
    stderr_tail: str = ""


LaunchOutcome = LaunchRecord | LaunchFailure
