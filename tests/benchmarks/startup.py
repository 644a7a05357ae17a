"""How long `run_bench.py --help` takes: the median of 20 processes, in seconds."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.line import print_line

RUN_BENCH = Path(__file__).parents[2] / "run_bench.py"
_PROCESSES = 20


def once() -> float:
    started = time.perf_counter()
    subprocess.run((sys.executable, str(RUN_BENCH), "--help"), check=True, capture_output=True, timeout=60)
    return time.perf_counter() - started


def main() -> None:
    once()
    times = sorted(once() for _ in range(_PROCESSES))
    print_line("startup", statistics.median(times), "s", {"min": times[0], "max": times[-1], "processes": _PROCESSES})


if __name__ == "__main__":
    main()
