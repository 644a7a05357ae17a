"""Launches as a tool that keeps no samples tells them: benchmark_model's count, medians and the like in whole µs."""

import random
from dataclasses import replace

from harness.core.launch import LaunchRecord, SampleSummary
from tests.support.measurements import MS, a_launch

STEP_NS = 1000.0
TOOL = "benchmark_model 2.16.1"


def a_summary(
    median_ns: float | None = MS, *, count: int = 50, min_ns: float | None = 0.97 * MS, resolution_ns: float = STEP_NS
) -> SampleSummary:
    return SampleSummary(
        count=count,
        median_ns=median_ns,
        min_ns=min_ns,
        max_ns=1.4 * median_ns if median_ns is not None else None,
        mean_ns=1.02 * median_ns if median_ns is not None else None,
        std_ns=0.03 * median_ns if median_ns is not None else None,
        p5_ns=0.98 * median_ns if median_ns is not None else None,
        p95_ns=1.11 * median_ns if median_ns is not None else None,
        resolution_ns=resolution_ns,
    )


def told(record: LaunchRecord, *, resolution_ns: float = STEP_NS) -> LaunchRecord:
    """The launch as its tool would have told it: its samples are gone, its figures in whole steps."""
    median, least = record.median_ns, min(record.samples_ns)
    assert median is not None
    summary = a_summary(
        _floored(median, resolution_ns),
        count=len(record.samples_ns),
        min_ns=_floored(least, resolution_ns),
        resolution_ns=resolution_ns,
    )
    return replace(record, samples_ns=(), cpu_ns=(), starts_ns=(), warmup_ns=(), runtime=TOOL, summary=summary)


def _floored(nanoseconds: float, step: float) -> float:
    return nanoseconds // step * step


def a_told_launch(median_ns: float = MS, *, seed: int = 0, spread: float = 0.0) -> LaunchRecord:
    return told(a_launch(median_ns=median_ns * random.Random(seed).lognormvariate(0, spread), seed=seed))
