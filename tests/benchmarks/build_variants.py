"""What two cores save in building the default set of a Core ML model, cold; takes about a quarter of an hour.

    python -m tests.benchmarks.build_variants

Value: wall time of the builds side by side over that of the same builds one after another, ResNet-50, both with empty
caches. detail holds both times, the most memory that the builds and their parent had at once (proportional set size, so
that shared pages count once), the seconds of a second `variants` from the cache, and of each variant the bytes, k of n
weights compressed and the seconds that its recipe took, one after another.
"""

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from harness.building import deadline_s
from harness.core.model import Model
from harness.core.variant import BuildFailed, BuildOutcome, Variant, VariantSpec
from harness.places import Places
from harness.sources.samples import sample_model
from harness.variants.build import build_variants
from harness.variants.recipes import default_variants
from tests.benchmarks.line import print_line
from tests.support.command import argv

MODEL = "resnet50"
_SAMPLED_EVERY_S = 0.5


class PeakMemory:
    """The most that this process and all below it had at once, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0
        self._ended = threading.Event()

    def watch(self) -> None:
        while not self._ended.wait(_SAMPLED_EVERY_S):
            self.bytes = max(self.bytes, _together())

    def end(self) -> None:
        self._ended.set()


def _together() -> int:
    this = psutil.Process()
    total = 0
    for process in (this, *this.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


@contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    peak = PeakMemory()
    watcher = threading.Thread(target=peak.watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.end()
        watcher.join()


def build(model: Model, cache: Path, jobs: int | None) -> tuple[tuple[BuildOutcome, ...], float]:
    """Every variant of the default set, and the seconds that it took. Raises where one cannot be built."""
    orders = [(model, VariantSpec(model=model.name, name=text, recipe=text)) for text in default_variants(model)]
    began = time.monotonic()
    outcomes = build_variants(orders, cache=cache, jobs=jobs, timeout_of=deadline_s, progress=lambda _: None)
    taken = time.monotonic() - began
    failed = [f"{outcome.name}: {outcome.error}" for outcome in outcomes if isinstance(outcome, BuildFailed)]
    if failed:
        raise RuntimeError("; ".join(failed))
    return outcomes, taken


def time_from_cache(bench: Path) -> float:
    """Seconds of the whole command where everything is built."""
    began = time.monotonic()
    command = argv("variants", MODEL, "--format", "mlpackage", "--json", "--bench", bench)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=600)
    return time.monotonic() - began


def table(outcomes: Sequence[BuildOutcome]) -> dict[str, list[float]]:
    """Bytes on disk, weights compressed, of how many, and seconds of the recipe, by variant."""
    return {
        variant.name: [
            variant.size_bytes,
            variant.weights_compressed,
            variant.weights_total,
            round(variant.build_s, 1),
        ]
        for variant in outcomes
        if isinstance(variant, Variant)
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        places = Places(root=Path(folder) / "bench")
        model = sample_model(MODEL, places.models, "mlpackage")
        with peak_memory() as peak:
            _, together_s = build(model, places.variants, None)
        cached_s = min(time_from_cache(places.root) for _ in range(3))
        outcomes, alone_s = build(model, Path(folder) / "alone", 1)
    detail = {
        "variants": len(outcomes),
        "together_s": round(together_s, 1),
        "one_after_another_s": round(alone_s, 1),
        "peak_mb": round(peak.bytes / 1e6),
        "from_cache_s": round(cached_s, 2),
        "bytes_k_n_seconds": table(outcomes),
    }
    print_line("build_variants", together_s / alone_s, "of the time one after another", detail)


if __name__ == "__main__":
    main()
