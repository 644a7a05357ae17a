"""Progress of long work: a bar on a terminal, lines elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from reports.progress import progress

_SCRIPT = """
from reports.progress import progress
with progress("measuring") as (step,):
    step(1, 3, "int8 on cpu", 90.0)
    step(3, 3, "[bold]float16 on cpu", 0.0)
"""


def test_bar_is_drawn_on_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        drawn = subprocess.run(
            (sys.executable, "-c", _SCRIPT), cwd=Path(__file__).parents[3], stderr=slave, timeout=60, check=False
        )
        shown = os.read(master, 1 << 16).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert drawn.returncode == 0
    assert "3 of 3" in shown.replace("  ", " ")
    assert "[bold]float16" in shown


def test_lines_elsewhere_say_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("building") as (step,):
        step(1, 2, "int8", 30.0)
        step(2, 2, "a name\nof two lines", None)
    assert capsys.readouterr().err == "building: 2 of 2 (a name of two lines)\n"
