"""What benchmark_model prints, read. Pure: text in, a Report out.

Source: tflite/tools/benchmark/benchmark_model.cc and benchmark_tflite_model.cc, tsl's util/stats_calculator.h
(Stat::OutputToStream), tflite/core/subgraph.cc ("Replacing ..."). Lines that decide what a number means and are not
as these print them are refused, with the line: a number by a wrong reading would be a wrong number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.launch import Delegation, MemoryReading, SampleSummary

RESOLUTION_NS = 1000.0  # it prints whole microseconds
_NS_PER_US = 1000.0
_PREFIX = re.compile(r"^(?:(?:[IWEVF] tflite\s*: )|(?:(?:INFO|WARNING|ERROR|VERBOSE|WARN): ))")
_NUMBER = r"[-+0-9.e]+"
_COUNT = re.compile(r"^count=(?P<count>\d+)(?P<rest>.*)$")
_FIELD = re.compile(rf"(?P<key>[a-z0-9]+)=(?P<value>{_NUMBER}|inf|nan|-nan)(?P<same>\(all same\))?")
_KNOWN = frozenset({"first", "curr", "min", "max", "avg", "std", "p5", "median", "p95"})
_TIMINGS = re.compile(
    rf"^Inference timings in us: Init: (?P<init>{_NUMBER}), First inference: (?P<first>{_NUMBER}), "
    rf"Warmup \(avg\): (?P<warmup>{_NUMBER}), Inference \(avg\): (?P<average>{_NUMBER})$"
)
_FULL = re.compile(
    r"^Explicitly applied (?P<name>.+) delegate, and the model graph will be completely executed by the delegate\.$"
)
_PART = re.compile(
    r"^Explicitly applied (?P<name>.+) delegate, and the model graph will be partially executed by the delegate "
    r"w/ (?P<kernels>\d+) delegate kernels\.$"
)
_NOT = re.compile(
    r"^Though (?P<name>.+) delegate is explicitly applied, the model graph will not be executed by the delegate\.$"
)
_REPLACING = re.compile(
    r"^Replacing (?P<taken>\d+) out of (?P<total>\d+) node\(s\) with delegate \((?P<name>[^)]*)\) node, "
    r"yielding (?P<partitions>\d+) partitions(?: for subgraph (?P<subgraph>\d+))?(?: \(.*\))?\.$"
)
_DELTA = re.compile(
    r"^Memory footprint delta from the start of the tool \(MB\): "
    rf"init=(?P<init>{_NUMBER}) overall=(?P<overall>{_NUMBER})$"
)
_PEAK = re.compile(rf"^Overall peak memory footprint \(MB\) via periodic monitoring: (?P<peak>{_NUMBER})$")
_BYTES_PER_MB = 1024 * 1024
# How lines begin whose rest must be as known.
_MATTERS = (
    "count=",
    "Inference timings",
    "Explicitly applied",
    "Though ",
    "Replacing ",
    "Memory footprint delta",
    "Overall peak",
)
_TELLING = ("Explicitly applied", "Though ")
# What the delegates are called in "Replacing ...", by what benchmark_model calls them.
_KERNELS = {"XNNPACK": "TfLiteXNNPackDelegate", "GPU": "TfLiteGpuDelegateV2", "NNAPI": "TfLiteNnapiDelegate"}
METHOD = (
    "benchmark_model; the peak is of the whole process. By its own names: after load is `Memory footprint delta init`, "
    "after run `delta overall`, peak `Overall peak memory footprint via periodic monitoring`"
)


class OutputUnknown(Exception):
    """It printed something that is not known, or not what is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run printed. warmup and timed are the two count lines; delegations in the order they were told."""

    warmup: SampleSummary
    timed: SampleSummary
    init_ns: float
    first_ns: float
    delegations: tuple[Delegation, ...]
    memory: MemoryReading | None


def read(text: str) -> Report:
    """Raises OutputUnknown where a line that matters is not known, or is missing."""
    lines = [_PREFIX.sub("", line.rstrip("\r")).rstrip() for line in text.split("\n")]
    for line in lines:
        if line.startswith(_MATTERS) and not _is_known(line):
            raise OutputUnknown(f"benchmark_model prints a line that this version of the bench does not know: {line!r}")
    counts = [summary_of(line) for line in lines if line.startswith("count=")]
    timings = next((found for line in lines if (found := _TIMINGS.match(line))), None)
    if timings is None or not counts:
        raise OutputUnknown("benchmark_model ended without its timings (`count=...`, `Inference timings in us: ...`)")
    if counts[-1].count == 0:
        raise OutputUnknown("benchmark_model timed no inference (count=0); raise max_launch_s")
    if counts[-1].median_ns is None:
        raise OutputUnknown("this benchmark_model is too old: it prints no median; take a newer build of it")
    return Report(
        warmup=counts[0],
        timed=counts[-1],
        init_ns=_us(timings["init"]),
        first_ns=_us(timings["first"]),
        delegations=delegations_of(lines),
        memory=_memory_of(lines),
    )


def _is_known(line: str) -> bool:
    if line.startswith("count="):
        return summary_of(line) is not None
    return any(known.match(line) for known in (_TIMINGS, _FULL, _PART, _NOT, _REPLACING, _DELTA, _PEAK))


def summary_of(line: str) -> SampleSummary:
    """A `count=` line. Where all samples are the same it names them once. Raises OutputUnknown."""
    found = _COUNT.match(line)
    if found is None:
        raise OutputUnknown(f"not a count: {line!r}")
    fields = list(_FIELD.finditer(found["rest"]))
    if _FIELD.sub("", found["rest"]).strip() or {each["key"] for each in fields} - _KNOWN:
        raise OutputUnknown(f"benchmark_model prints a summary that this version of the bench does not know: {line!r}")
    told = {each["key"]: _us(each["value"]) for each in fields}
    is_same = len(fields) > 0 and "min" not in told and "curr" in told
    only = told.get("curr") if is_same else None
    return SampleSummary(
        count=int(found["count"]),
        median_ns=told.get("median"),
        min_ns=told.get("min", only),
        max_ns=told.get("max", only),
        mean_ns=told.get("avg", only),
        std_ns=told.get("std"),
        p5_ns=told.get("p5"),
        p95_ns=told.get("p95"),
        resolution_ns=RESOLUTION_NS,
    )


def delegations_of(lines: Sequence[str]) -> tuple[Delegation, ...]:
    """Each delegate that was applied by name, with how much of the graph it took."""
    replaced = [found for line in lines if (found := _REPLACING.match(line)) and found["subgraph"] in (None, "0")]
    told = []
    for line in lines:
        if not line.startswith(_TELLING):
            continue
        name = next(found["name"] for known in (_FULL, _PART, _NOT) if (found := known.match(line)))
        counts = next((each for each in replaced if each["name"] == _KERNELS.get(name)), None)
        if counts is None and name not in _KERNELS and len(replaced) == 1:
            counts = replaced[0]  # an external delegate has a name of its own
        told.append(_delegation(name, line, counts))
    return tuple(told)


def _delegation(name: str, line: str, counts: re.Match[str] | None) -> Delegation:
    if _NOT.match(line):
        # NNAPI says "Replacing 31 of 31" before it declines; what the tool says at the end is what ran.
        return Delegation(delegate=name.lower(), full=False, taken=0, total=_int(counts, "total"), partitions=0)
    return Delegation(
        delegate=name.lower(),
        full=_FULL.match(line) is not None,
        taken=_int(counts, "taken"),
        total=_int(counts, "total"),
        partitions=_int(counts, "partitions"),
    )


def _int(found: re.Match[str] | None, key: str) -> int | None:
    return None if found is None else int(found[key])


def _memory_of(lines: Sequence[str]) -> MemoryReading | None:
    delta = next((found for line in lines if (found := _DELTA.match(line))), None)
    peak = next((found for line in lines if (found := _PEAK.match(line))), None)
    if delta is None:
        return None
    return MemoryReading(
        after_load=_bytes(delta["init"]),
        after_run=_bytes(delta["overall"]),
        peak=_bytes(peak["peak"]) if peak else None,
        anonymous=None,
        file_backed=None,
        method=METHOD,
    )


def _us(text: str) -> float:
    return float(text) * _NS_PER_US


def _bytes(text: str) -> int:
    return round(float(text) * _BYTES_PER_MB)
