"""benchmark_model for this machine's agents: a double that really runs LiteRT, and programs that misbehave as tools."""

import shlex
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def plant_tool(folder: Path, script: str | None = None) -> Path:
    """One in a folder, which belongs on PATH then: the double, or a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    tool = folder / "benchmark_model"
    double = (
        f"export PYTHONPATH={shlex.quote(str(REPOSITORY))}\n"
        f'exec {shlex.quote(sys.executable)} -m tests.support.benchmark_model_double "$@"'
    )
    tool.write_text(f"#!/bin/sh\n{script or double}\n")
    tool.chmod(0o755)
    return tool
