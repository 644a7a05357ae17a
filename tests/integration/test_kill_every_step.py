"""SIGKILL of the host before and after everything that it writes to its journal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.dying import STEPS
from tests.support.faults import proves

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
LIMIT_S = 240.0


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    argv = (sys.executable, "-m", "tests.support.dying")
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_died_at_every_step(told: list[dict[str, Any]]) -> None:
    *deaths, whole = told
    assert [(death["at"], death["when"]) for death in deaths] == [
        (at, when) for at in range(whole["steps"]) for when in ("before", "after")
    ]
    assert whole["steps"] > 2 * len(STEPS)


def test_no_launch_that_counted_is_lost(told: list[dict[str, Any]]) -> None:
    assert {tuple(death["lost"]) for death in told[:-1]} == {()}


@proves("host_killed")
def test_a_resume_has_the_launches_of_a_run_that_never_died(told: list[dict[str, Any]]) -> None:
    *deaths, whole = told
    assert whole["launches"]
    assert [death for death in deaths if death["launches"] != whole["launches"]] == []
