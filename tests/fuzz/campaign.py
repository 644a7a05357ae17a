"""Damaged models through load, variants and launches of one campaign, and what must hold of it."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutations import mutate
from tests.support.command import run_bench

_CONFIG = """\
models: [{path: models/*.tflite}]
variants: [float16, int8, sparse-50]
units: [cpu]
measure: {launches: 1, inferences: 2, max_launch_s: 1, warmup_s: 0, warmup_max_s: 0, cold_starts: 0}
"""
_FINE, _INCOMPLETE = 0, 3
_LIMIT_S_PER_MODEL = 60.0  # far above what one takes; a hang is what it is there to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Survived:
    """What came of a campaign. faults: what must not be, one sentence each. ends: how many models ended how."""

    models: int
    ends: Mapping[str, int]
    faults: tuple[str, ...]


def throw(sources: Mapping[str, bytes], folder: Path, *, count: int, seed: int) -> Survived:
    """Damage the sources in turn, `count` files in all, and run one campaign over them in `folder`."""
    names = _write(sources, folder / "models", count, seed)
    (folder / "bench.yaml").write_text(_CONFIG)
    bench = folder / "bench"
    limit_s = 60 + _LIMIT_S_PER_MODEL * count
    ran = run_bench("run", folder / "bench.yaml", "--bench", bench, limit_s=limit_s)
    shown = run_bench("report", "--format", "json", "-o", "-", "--bench", bench, limit_s=limit_s)
    faults = [f"{what}: {word}" for what, word in _words_of_failure(ran.stdout + ran.stderr + shown.stderr)]
    if ran.returncode not in (_FINE, _INCOMPLETE) or shown.returncode != _FINE:
        faults.append(f"run ended with {ran.returncode}, report with {shown.returncode}: {ran.stderr[-2000:]}")
        return Survived(models=count, ends={}, faults=tuple(faults))
    ends = _ends(json.loads(shown.stdout))
    faults += [f"{name}: no row tells what became of it" for name in names if name not in ends]
    faults += [f"{name}: {end}" for name, end in ends.items() if end.startswith("!")]
    return Survived(models=count, ends=dict(Counter(ends.values())), faults=tuple(faults))


def _write(sources: Mapping[str, bytes], folder: Path, count: int, seed: int) -> list[str]:
    folder.mkdir(parents=True)
    kinds = list(sources.items())
    names = []
    for number in range(count):
        kind, content = kinds[number % len(kinds)]
        names.append(f"{kind}-{seed + number}")
        (folder / f"{names[-1]}.tflite").write_bytes(mutate(content, seed + number))
    return names


def _words_of_failure(output: str) -> list[tuple[str, str]]:
    lines = output.splitlines()
    return [("a traceback", line) for line in lines if line.startswith(("Traceback", "Fatal Python error"))]


def _ends(document: dict[str, object]) -> dict[str, str]:
    """How each model ended, by name; `!` before what must not be."""
    ends: dict[str, str] = {}
    for cell in document["cells"]:  # type: ignore[attr-defined]
        reason = cell["reason"] or ""
        wrong = cell["outcome"] in ("failed", "skipped") and (not reason or "\n" in reason)
        end = f"! {cell['outcome']} without one line that says why: {reason!r}" if wrong else cell["outcome"]
        if ends.get(cell["model"], "measured") in ("measured", "skipped", "invalid"):
            ends[cell["model"]] = end
    for failed in document["models_failed"]:  # type: ignore[attr-defined]
        ends[failed["name"]] = "unreadable" if "\n" not in failed["error"] else f"! {failed['error']!r}"
    return ends
