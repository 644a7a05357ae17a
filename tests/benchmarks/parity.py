"""Whether the bench measures what the wheel's own `litert-benchmark` measures: its times over the peer's.

Launches of the two alternate process by process, 30 of each for each model, on one thread, with as many inferences and
as much warm-up. Compared are the medians over the alternations of two figures of a process: its shortest and its
median inference. The value is the ratio farthest from 1. The peer rounds to 0.01 ms; detail says how much that is.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from devices.inventory import local_device
from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, Pass
from harness.core.ports import Device
from tests.benchmarks.line import print_line
from tests.benchmarks.stdout import on_stderr
from tests.support import zoo

ALTERNATIONS = 30
_INFERENCES = 100
_WARMUP = 60
_DEADLINE_S = 120.0
_ROUNDING_NS = 1e4  # the peer's figures are in milliseconds with two decimals
_PEER = "ai_edge_litert.tools.benchmark_litert_model"
FIGURES = ("minimum", "median")
MODELS = tuple(zoo.Entry(network="mobilenet_v2", recipe=recipe) for recipe in ("float32", "int8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one process, in nanoseconds."""

    minimum: float
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation:
    """One process of each, neighbours in time."""

    ours: Figures
    peer: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What came of one model. peer_rounding is the largest relative error that the peer's two decimals make."""

    model: str
    ratios: dict[str, float]
    ours_ms: dict[str, float]
    peer_ms: dict[str, float]
    peer_rounding: float


def launch_ours(device: Device, path: Path, number: int) -> Figures:
    """A latency launch through the agent. Raises RuntimeError where it failed."""
    settings = MeasureSettings(
        inferences=_INFERENCES, max_launch_s=60.0, warmup_inferences=_WARMUP, warmup_s=0.0, warmup_max_s=60.0
    )
    order = LaunchOrder(
        attempt=f"parity-{path.stem}-{number}",
        variant=path,
        variant_digest=digest.of_file(path),
        pass_=Pass.LATENCY,
        unit=ComputeUnit.parse("cpu"),
        settings=settings,
        deadline_s=_DEADLINE_S,
    )
    outcome = device.launch(order)
    if not isinstance(outcome, LaunchRecord):
        raise RuntimeError(f"{path.name}: {outcome.message}")
    return Figures(minimum=min(outcome.samples_ns), median=median(outcome.samples_ns))


def launch_peer(path: Path, directory: Path) -> Figures:
    """The wheel's benchmark, as its console script runs it."""
    answer = directory / "peer.json"
    argv = (sys.executable, "-m", _PEER, f"--model={path}", "--num_threads=1", f"--num_runs={_INFERENCES}")
    told = (f"--warmup_runs={_WARMUP}", f"--result_json={answer}")
    subprocess.run((*argv, *told), check=True, capture_output=True, timeout=_DEADLINE_S)
    latency = json.loads(answer.read_text())["latency"]
    return Figures(minimum=latency["min_ms"] * 1e6, median=latency["median_ms"] * 1e6)


def alternate(ours: Callable[[int], Figures], peer: Callable[[], Figures]) -> list[Alternation]:
    """Each first in every other alternation, so that a drift of the machine favours neither."""
    found = []
    for number in range(ALTERNATIONS):
        if number % 2 == 0:
            mine, theirs = ours(number), peer()
        else:
            theirs, mine = peer(), ours(number)
        found.append(Alternation(ours=mine, peer=theirs))
    return found


def ratios(alternations: list[Alternation]) -> dict[str, float]:
    """Ours over the peer's: of the median shortest and the median median inference."""
    return {
        name: median(getattr(a.ours, name) for a in alternations) / median(getattr(a.peer, name) for a in alternations)
        for name in FIGURES
    }


def measure(device: Device, entry: zoo.Entry, directory: Path) -> Parity:
    """One model, with a launch of each before the alternations start."""
    path = zoo.write(entry, directory)
    launch_ours(device, path, -1)
    launch_peer(path, directory)
    found = alternate(lambda number: launch_ours(device, path, number), lambda: launch_peer(path, directory))
    return Parity(
        model=entry.name,
        ratios=ratios(found),
        ours_ms=in_ms([alternation.ours for alternation in found]),
        peer_ms=in_ms([alternation.peer for alternation in found]),
        peer_rounding=_ROUNDING_NS / 2 / median(alternation.peer.minimum for alternation in found),
    )


def in_ms(figures: list[Figures]) -> dict[str, float]:
    """Medians over the alternations."""
    return {name: round(median(getattr(f, name) for f in figures) / 1e6, 4) for name in FIGURES}


def main() -> None:
    with on_stderr(), tempfile.TemporaryDirectory() as scratch, local_device() as device:
        models = [measure(device, entry, Path(scratch)) for entry in MODELS]
    every = [ratio for model in models for ratio in model.ratios.values()]
    detail = {"alternations": ALTERNATIONS, "models": [asdict(model) for model in models]}
    print_line("parity", max(every, key=lambda ratio: abs(ratio - 1)), "ratio", detail)


if __name__ == "__main__":
    main()
