"""Runs the command line as a user does: another process, its exit code, its output."""

import os
import subprocess
import sys
from pathlib import Path

RUN_BENCH = Path(__file__).parents[2] / "run_bench.py"
# What a test waits at most for one command; the slowest takes seconds.
LIMIT_S = 240.0


def run_bench(
    *arguments: object, cwd: Path | None = None, limit_s: float = LIMIT_S, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `run_bench.py` with arguments. Its bench folder is the caller's: pass --bench."""
    return subprocess.run(
        argv(*arguments),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, **environment},
    )


def argv(*arguments: object) -> tuple[str, ...]:
    return (sys.executable, str(RUN_BENCH), *map(str, arguments))
