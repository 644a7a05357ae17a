"""How often the comparison finds what is there, on a simulated device whose truth is known.

    python -m tests.benchmarks.power

Value: the share of comparisons that call a 3 % slower variant slower, at 10 pairs with a pair sd of 1.5 %. The table in
docs/statistics.md is `detail` of the same line.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from devices.scenario import Scenario
from devices.simulated import SimulatedDevice
from harness.core.compute_unit import ComputeUnit
from harness.core.judgement import Comparison, Verdict
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, Pass
from harness.statistics.paired import POWER, compare
from tests.benchmarks.line import print_line

PAIR_SD = 0.015
REPETITIONS = 1000
SETTINGS = MeasureSettings(inferences=9, warmup_inferences=0, warmup_s=0.0)
STEADY = Scenario(launch_noise=PAIR_SD / math.sqrt(2), sample_noise=0.002, spike_probability=0.0)
# A core that clocks 12 % lower in 15 % of the launches: what governors do on phones.
SLOW_LAUNCHES = replace(STEADY, slow_launch_probability=0.15, slow_launch_factor=1.12)
# 3 % slower by the end of 10 pairs, whose 20 launches take 3 s of virtual time.
DRIFT = replace(STEADY, drift_per_hour=0.03 * 3600 / 3)
CELLS = (
    ("steady", STEADY, ((0.0, 10), (0.02, 10), (0.03, 10), (0.05, 10), (0.0, 20), (0.02, 20), (0.03, 20))),
    ("slow launches", SLOW_LAUNCHES, ((0.0, 10), (0.03, 10), (0.0, 20), (0.03, 20), (0.05, 20))),
    ("drift", DRIFT, ((0.0, 10), (0.03, 10))),
)
# Where the stated smallest detectable effect is put to the test.
STATED_AT = (("steady", STEADY, (8, 10, 14, 20)), ("slow launches", SLOW_LAUNCHES, (10, 20)))
_SOURCE_NS = 10e6


def simulate(effect: float, pairs: int, repetitions: int, device: Scenario = STEADY) -> list[Comparison]:
    """Comparisons of a variant that is truly `effect` slower, each from 2 x pairs launches in ABBA order."""
    latency_ns = {"source": _SOURCE_NS, "variant": _SOURCE_NS * (1 + effect)}
    scenario = replace(device, seed=round(1e6 * effect) + pairs, latency_ns=latency_ns)
    return [_compare_once(SimulatedDevice(scenario), pairs, repetition) for repetition in range(repetitions)]


def _compare_once(device: SimulatedDevice, pairs: int, repetition: int) -> Comparison:
    medians: dict[str, dict[int, float]] = {"source": {}, "variant": {}}
    for block in range(pairs):
        for arm in ("source", "variant") if block % 2 == 0 else ("variant", "source"):
            medians[arm][block] = _launch(device, arm, f"{repetition}/{block}/{arm}")
    comparison = compare(medians["source"], medians["variant"])
    assert comparison is not None, "every block has both arms"
    return comparison


def _launch(device: SimulatedDevice, arm: str, attempt: str) -> float:
    order = LaunchOrder(
        attempt=attempt,
        variant=Path(arm),
        variant_digest=arm,
        pass_=Pass.LATENCY,
        unit=ComputeUnit(kind="cpu"),
        settings=SETTINGS,
        deadline_s=60.0,
    )
    record = device.launch(order)
    assert isinstance(record, LaunchRecord), record
    return statistics.median(record.samples_ns)


def share(comparisons: Sequence[Comparison], *verdicts: Verdict) -> float:
    return sum(comparison.verdict in verdicts for comparison in comparisons) / len(comparisons)


def characteristics(noise: str, device: Scenario, effect: float, pairs: int) -> dict[str, str | float]:
    """Shares of each verdict, and the middle of the stated smallest detectable effects."""
    found = simulate(effect, pairs, REPETITIONS, device)
    shares = {verdict.value: share(found, verdict) for verdict in Verdict}
    return {"noise": noise, "effect": effect, "pairs": pairs, **shares, "detectable": _stated(found)}


def found_at_stated(noise: str, device: Scenario, pairs: int) -> dict[str, str | float]:
    """Share of comparisons that find an effect as large as the one that comparisons of so many pairs state."""
    stated = _stated(simulate(0.0, pairs, REPETITIONS, device))
    found = share(simulate(stated, pairs, REPETITIONS, device), Verdict.SLOWER)
    return {"noise": noise, "pairs": pairs, "stated": stated, "found": found, "meant": POWER}


def _stated(comparisons: Sequence[Comparison]) -> float:
    return round(statistics.median(c.detectable for c in comparisons if c.detectable is not None), 4)


def main() -> None:
    rows = [characteristics(noise, device, *cell) for noise, device, cells in CELLS for cell in cells]
    value = share(simulate(0.03, 10, REPETITIONS), Verdict.SLOWER)
    detail = {
        "pair_sd": PAIR_SD,
        "repetitions": REPETITIONS,
        "rows": rows,
        "detectable": [found_at_stated(noise, device, n) for noise, device, pairs in STATED_AT for n in pairs],
    }
    print_line("power", value, "share", detail)


if __name__ == "__main__":
    main()
