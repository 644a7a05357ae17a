"""examples/architectures.yaml as a user runs it, killed twice with SIGKILL and resumed; takes about half an hour.

Value: the largest deviation of a size from Table 1 of LiteRT's optimisation guide, original and int8 per tensor.
Detail: sizes, latency ratios with their explanations, outcomes, the report's size and how fast it answers a reader.
The bench stays in `.bench-architectures`, and a run that is there is resumed.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.line import print_line
from tests.benchmarks.report import time_acts
from tests.support.command import argv
from tests.support.launch_count import saved_launches

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples" / "architectures.yaml"
BENCH = ROOT / ".bench-architectures"
KILLS = (0.3, 0.6)  # of all launches
_LONGEST_S = 4 * 3600.0
_POLL_S = 1.0
_MB = 1e6
# https://ai.google.dev/edge/litert/models/model_optimization, Table 1; sizes in MB: original, optimised.
TABLE_1: Mapping[str, tuple[float, float]] = {
    "mobilenet_v1": (16.9, 4.3),
    "mobilenet_v2": (14.0, 3.6),
    "inception_v3": (95.7, 23.9),
    "resnet_v2_101": (178.3, 44.9),
}
_SHOWN = ("float16", "dynamic-int8", "int8", "int8-per-tensor", "int16x8", "weight-int4")


def run_and_kill(total: int) -> list[float]:
    """Seconds that each attempt lived. Raises where an attempt ended by itself before it was to be killed."""
    lives = []
    for share in KILLS:
        lives.append(_run(until=round(share * total)))
    lives.append(_run(until=None))
    return lives


def _run(until: int | None) -> float:
    """One attempt, killed once so many launches are saved; None: to its end."""
    resume = ("--resume",) if (BENCH / "bench.db").exists() else ()
    began = time.monotonic()
    command = argv("run", CONFIG, *resume, "--bench", BENCH)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr, start_new_session=True) as process:
        while process.poll() is None and time.monotonic() - began < _LONGEST_S:
            if until is not None and saved_launches(BENCH / "bench.db") >= until:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(_POLL_S)
        else:
            process.kill()
    return round(time.monotonic() - began, 1)


def planned_launches() -> int:
    """Latency, per-op, memory and cold launches of all cells that the plan does not skip."""
    text = subprocess.run(
        argv("plan", CONFIG, "--json", "--bench", BENCH), capture_output=True, text=True, check=True, timeout=600
    ).stdout
    cells = [cell for cell in json.loads(text)["cells"] if not cell["skipped"]]
    return len(cells) * 13  # 8 latency, 1 per-op, 1 memory, 3 cold: examples/architectures.yaml


def document() -> dict[str, Any]:
    shown = subprocess.run(
        argv("report", "--format", "json", "-o", "-", "--bench", BENCH),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    content: dict[str, Any] = json.loads(shown.stdout)
    return content


def size_deviations(cells: list[dict[str, Any]]) -> dict[str, float]:
    sizes = {(cell["model"], cell["variant"]): cell["size_bytes"] for cell in cells}
    found = {}
    for model, published in TABLE_1.items():
        for variant, megabytes in zip(("float32", "int8-per-tensor"), published, strict=True):
            size = sizes[model, variant]
            found[f"{model} {variant}"] = round(size / _MB / megabytes - 1, 4)
    return found


def main() -> None:
    lives = run_and_kill(planned_launches())
    shown = document()
    cells = shown["cells"]
    page = BENCH / "reports" / f"{shown['campaign']['id']}.html"
    deviations = size_deviations(cells)
    ratios = {
        f"{cell['model']} {cell['variant']}": [round(cell["vs_float"]["latency_ratio"], 3), *cell["explanation"]]
        for cell in cells
        if cell["variant"] in _SHOWN and cell["vs_float"] and cell["vs_float"]["latency_ratio"]
    }
    detail = {
        "size_over_table_1": deviations,
        "attempts_s": lives,
        "outcomes": dict(Counter(cell["outcome"] for cell in cells)),
        "report_mb": round(page.stat().st_size / _MB, 2),
        "answers_ms": {act: round(statistics.median(taken)) for act, taken in time_acts(page).items()},
        "ratios": ratios,
    }
    print_line("architectures", max(map(abs, deviations.values())), "of the size", detail)


if __name__ == "__main__":
    main()
