"""How often this machine's own noise is called a difference: one model measured against itself.

    python -m tests.benchmarks.aa

Real launches of mobilenet_v2 in one row. Comparisons of 10 pairs are drawn from it as a campaign would have arranged
them: 20 launches in a row, in units of four neighbours, which are two mirrored blocks (ABBA). Value: the share called
slower or faster. detail.scattered is that share where the units were drawn from all over the row, which takes away what
neighbours have in common. detail.state is `inconclusive` where other work was on the machine.
"""

import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from devices.inventory import local_device
from harness.core.compute_unit import ComputeUnit
from harness.core.judgement import Comparison, Verdict
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, Pass
from harness.core.ports import Device
from harness.sources.samples import sample_model
from harness.statistics.paired import compare
from harness.statistics.summaries import coefficient_of_variation
from tests.benchmarks.line import print_line

LAUNCHES = 60
PAIRS = 10
DRAWS = 4000
MODEL = "mobilenet_v2"
# Above either, what is measured is the neighbours and not the rule.
QUIET_PREEMPTION = 0.02
QUIET_OTHERS = 0.10
_ABBA = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Launches of one model one after another. others: the share of all processors that other work took."""

    records: tuple[LaunchRecord, ...]
    others: float

    @property
    def medians(self) -> list[float]:
        return [statistics.median(record.samples_ns) for record in self.records]

    @property
    def preemption(self) -> float:
        """Median over launches of wall over CPU time, less 1."""
        return statistics.median(sum(r.samples_ns) / sum(r.cpu_ns) - 1 for r in self.records)


def measure(launches: int = LAUNCHES) -> Row:
    """Launch a shipped model so often on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        model = sample_model(MODEL, Path(folder))
        begun, busy, own = time.monotonic(), _busy_s(), _own_s()
        with local_device() as device:
            records = tuple(_launch(device, model.path, model.digest, number) for number in range(launches))
        elapsed = time.monotonic() - begun
    # Launches that have ended count as children's once the agent has.
    others = (_busy_s() - busy - (_own_s() - own)) / (elapsed * (os.cpu_count() or 1))
    return Row(records=records, others=max(0.0, others))


def _launch(device: Device, path: Path, digest: str, number: int) -> LaunchRecord:
    order = LaunchOrder(
        attempt=f"aa-{number}",
        variant=path,
        variant_digest=digest,
        pass_=Pass.LATENCY,
        unit=ComputeUnit(kind="cpu"),
        settings=MeasureSettings(),
        deadline_s=60.0,
    )
    record = device.launch(order)
    if not isinstance(record, LaunchRecord):
        raise SystemExit(f"aa: launch {number} of {MODEL} failed: {record.message}")
    return record


def _busy_s() -> float:
    """Seconds in which any processor of the machine worked, those that a hypervisor took away included."""
    times = psutil.cpu_times()
    # Guests' time is in user's already.
    idle = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in idle))


def _own_s() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def draw(medians: Sequence[float], chance: random.Random, *, contiguous: bool) -> Comparison:
    """One comparison of 10 pairs, labelled as a campaign labels two identical variants: units of four neighbours.

    contiguous: the units follow each other as in a campaign; else they come from anywhere in the row, in its order.
    """
    first = chance.randrange(_ABBA)
    units = [medians[start : start + _ABBA] for start in range(first, len(medians) - _ABBA + 1, _ABBA)]
    wanted = PAIRS // 2
    if contiguous:
        begin = chance.randrange(len(units) - wanted + 1)
        chosen = units[begin : begin + wanted]
    else:
        chosen = [units[place] for place in sorted(chance.sample(range(len(units)), wanted))]
    source: dict[int, float] = {}
    other: dict[int, float] = {}
    for unit in chosen:
        outer, inner = (source, other) if chance.random() < 0.5 else (other, source)
        block = len(source)
        outer[block], inner[block], inner[block + 1], outer[block + 1] = unit
    comparison = compare(source, other)
    assert comparison is not None, "every block has both arms"
    return comparison


def share(comparisons: Sequence[Comparison], *verdicts: Verdict) -> float:
    return sum(comparison.verdict in verdicts for comparison in comparisons) / len(comparisons)


def disturbances(row: Row) -> list[str]:
    """Why the machine was not quiet; empty when it was."""
    found = []
    if row.preemption > QUIET_PREEMPTION:
        found.append(f"preemption {row.preemption:.1%}, quiet is at most {QUIET_PREEMPTION:.0%}")
    if row.others > QUIET_OTHERS:
        found.append(f"other work took {row.others:.1%} of the processors, quiet is at most {QUIET_OTHERS:.0%}")
    return found


def report(row: Row, load_before: float) -> tuple[float, dict[str, object]]:
    """The value of the benchmark and its detail."""
    chance = random.Random(0)
    drawn = [draw(row.medians, chance, contiguous=True) for _ in range(DRAWS)]
    scattered = [draw(row.medians, chance, contiguous=False) for _ in range(DRAWS)]
    why = disturbances(row)
    detail: dict[str, object] = {
        "state": "inconclusive" if why else "quiet",
        "why": why,
        "detectable": round(statistics.median(c.detectable for c in drawn if c.detectable is not None), 4),
        "inconclusive": share(drawn, Verdict.INCONCLUSIVE),
        "same": share(drawn, Verdict.SAME),
        "scattered": share(scattered, Verdict.SLOWER, Verdict.FASTER),
        "launch_cv": round(coefficient_of_variation(row.medians) or 0.0, 4),
        "preemption": round(row.preemption, 4),
        "others": round(row.others, 4),
        "load_before": round(load_before, 2),
        "median_ms": round(statistics.median(row.medians) / 1e6, 3),
        "launches": len(row.records),
        "pairs": PAIRS,
        "draws": DRAWS,
        "model": MODEL,
    }
    return share(drawn, Verdict.SLOWER, Verdict.FASTER), detail


def main() -> None:
    load = psutil.getloadavg()[0]
    value, detail = report(measure(), load)
    print_line("aa", value, "share", detail)


if __name__ == "__main__":
    main()
