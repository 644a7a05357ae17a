"""Typed factories for cells, launches and measurements. The times are invented, the same for the same arguments."""

import math
import random
from dataclasses import replace

from harness.core import digest
from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary, Conditions
from harness.core.launch import LaunchRecord, LoadTimes, MeasureSettings, MemoryReading, OpRecord, OpTable, Pass
from harness.core.outcome import BlockLaunch, Measurement

EPOCH = 1_760_000_000.0
MS = 1_000_000.0
OP_TYPES = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "CONV_2D", "RELU6", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")


def a_cell(
    variant: str = "int8",
    *,
    model: str = "digits",
    recipe: str | None = None,
    device: str = "local",
    family: str = "linux",
    unit: str = "cpu",
    source: str = "float32",
    settings: MeasureSettings | None = None,
) -> Cell:
    """A cell; it is the source where variant is `source`."""
    return Cell(
        model=model,
        model_digest=digest.of_content({"model": model}),
        format="tflite",
        variant=variant,
        recipe=recipe if recipe is not None else variant,
        device=device,
        family=family,
        unit=ComputeUnit.parse(unit),
        settings=settings or MeasureSettings(),
        is_source=variant == source,
    )


def some_conditions(at: float = EPOCH, *, load: float | None = 0.4, throttled: bool | None = None) -> Conditions:
    return Conditions(
        taken_at=at,
        temperatures={"x86_pkg_temp": 51.0},
        clocks_mhz={"cpu0": 2900.0, "cpu1": 2900.0},
        governor="performance",
        load=load,
        memory_available_bytes=6_000_000_000,
        throttled=throttled,
    )


def some_ops(count: int = 8, *, total_ns: float = 0.4 * MS, placed_on: str = "cpu/xnnpack", seed: int = 0) -> OpTable:
    """count operators in file order that share total_ns; every seventh was folded into its neighbour."""
    rng = random.Random(seed)
    weights = [0.0 if i % 7 == 4 else rng.lognormvariate(0, 1) for i in range(count)]
    scale = 1 / (math.fsum(weights) or 1.0)
    return OpTable(
        ops=tuple(_an_op(i, weight * scale, total_ns, placed_on) for i, weight in enumerate(weights)),
        coverage=0.96,
        mapping_cost=0.0,
        approximate=False,
        partitions=1,
        runs=50,
    )


def _an_op(index: int, share: float, total_ns: float, placed_on: str) -> OpRecord:
    kind = OP_TYPES[index % len(OP_TYPES)]
    folded = share == 0.0
    return OpRecord(
        index=index,
        name=f"model/block_{index // 4}/{kind.lower()}_{index}",
        type=kind,
        shape=(1, 14, 14, 8 * (1 + index % 4)),
        kernels=() if folded else (f"{kind.title()} (NHWC, F32) IGEMM",),
        placed_on=None if folded else placed_on,
        latency_ns=None if folded else share * total_ns,
        label="measured",
        share=None if folded else share,
        macs=None if folded else 10_000 * (index + 1),
        bytes=4_096 * (index + 1),
    )


def a_launch(
    *,
    attempt: str = "attempt-0",
    median_ns: float = MS,
    inferences: int = 50,
    started_at: float = EPOCH,
    unit: ComputeUnit | None = None,
    noise: float = 0.01,
    preemption: float = 1.005,
    seed: int = 0,
) -> LaunchRecord:
    """A latency launch whose samples scatter around median_ns by `noise`; preemption is wall over CPU time."""
    rng = random.Random(seed)
    samples = tuple(round(median_ns * rng.lognormvariate(0, noise)) for _ in range(inferences))
    return LaunchRecord(
        attempt=attempt,
        pass_=Pass.LATENCY,
        started_at=started_at,
        wall_s=0.9 + sum(samples) / 1e9,
        runtime="ai-edge-litert 2.3.0",
        backend="xnnpack",
        observed=unit or ComputeUnit(kind="cpu"),
        load=LoadTimes(environment_ns=2 * MS, compile_ns=5 * MS, first_ns=2.4 * median_ns),
        samples_ns=samples,
        cpu_ns=tuple(round(sample / preemption) for sample in samples),
        starts_ns=tuple(range(0, inferences * round(1.02 * median_ns), round(1.02 * median_ns)))[:inferences],
        warmup_ns=samples[:3],
        before=some_conditions(started_at),
        after=some_conditions(started_at + 1, load=0.6),
    )


def a_measurement(
    *,
    median_ns: float = MS,
    launches: int = 10,
    inferences: int = 50,
    spread: float = 0.008,
    ops: OpTable | None = None,
    unit: ComputeUnit | None = None,
    observed: ComputeUnit | None = None,
    memory_bytes: int = 9_000_000,
    seed: int = 0,
) -> Measurement:
    """launches whose medians scatter around median_ns by `spread`, one a block."""
    rng = random.Random(seed)
    ran_on = observed or unit or ComputeUnit(kind="cpu")
    canary = Canary(median_ns=2 * MS, samples_ns=(2 * MS, 2.01 * MS, 1.99 * MS))
    blocks = tuple(
        BlockLaunch(
            block=block,
            position=seed % 3,
            record=a_launch(
                attempt=f"attempt-{seed}-{block}",
                median_ns=median_ns * rng.lognormvariate(0, spread),
                inferences=inferences,
                started_at=EPOCH + 20 * block + 1.5 * (seed % 8),
                unit=ran_on,
                seed=1000 * seed + block,
            ),
            canary_before=canary,
            canary_after=replace(canary, median_ns=2.01 * MS),
        )
        for block in range(launches)
    )
    return Measurement(
        launches=blocks,
        ops=ops,
        ops_unavailable=None if ops else "this LiteRT is not known to the profiler",
        memory=some_memory(memory_bytes),
        observed=ran_on,
        backend=ran_on.backend or "xnnpack",
        runtime="ai-edge-litert 2.3.0",
    )


def some_memory(total: int = 9_000_000) -> MemoryReading:
    return MemoryReading(
        after_load=round(0.7 * total),
        after_run=total,
        peak=round(1.2 * total),
        anonymous=round(0.6 * total),
        file_backed=round(0.4 * total),
        method="/proc/self/smaps_rollup and VmHWM after clear_refs",
    )
