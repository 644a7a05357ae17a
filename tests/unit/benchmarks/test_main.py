"""Running several benchmarks: one that fails is told and ends none of the others."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import LONG, NEED_TORCH, main

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
HANG = "import time; time.sleep(60)"
FAIL = "import sys; sys.exit(3)"


class Benchmarks:
    """Runs a line of Python in place of each benchmark, `pass` where none is given, and notes which ran."""

    def __init__(self, scripts: Mapping[str, str]) -> None:
        self._scripts = scripts
        self.ran: list[str] = []

    def __call__(self, name: str) -> tuple[str, ...]:
        self.ran.append(name)
        return (sys.executable, "-I", "-S", "-c", self._scripts.get(name, "pass"))


@pytest.mark.parametrize(
    ("script", "why"),
    [(CRASH, "died by signal 11"), (FAIL, "ended with exit code 3"), (HANG, "did not end in 0.5 s and was killed")],
)
def test_a_benchmark_that_fails_is_told_and_the_rest_are_run(
    script: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    benchmarks = Benchmarks({"report": script})
    assert main(["startup", "report", "power"], benchmarks, longest_s=0.5) == 1
    assert benchmarks.ran == ["startup", "report", "power"]
    assert capfd.readouterr().err.splitlines() == [f"report {why}"]


def test_all_well_is_exit_code_0() -> None:
    assert main(["startup", "report"], Benchmarks({})) == 0


def test_without_names_all_but_the_long_are_run() -> None:
    benchmarks = Benchmarks({})
    main([], benchmarks)
    folder = Path(__file__).parents[2] / "benchmarks"
    assert set(benchmarks.ran) == {path.stem for path in folder.glob("*.py") if "def main(" in path.read_text()} - {
        "__main__",
        *LONG,
    }


def test_an_unknown_name_runs_none() -> None:
    benchmarks = Benchmarks({})
    assert main(["startup", "speed"], benchmarks) == 2
    assert benchmarks.ran == []


def test_without_torch_those_that_need_it_are_left_out_and_that_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    benchmarks = Benchmarks({})
    assert main([], benchmarks, has_torch=False) == 0
    assert set(benchmarks.ran) & set(NEED_TORCH) == set()
    said = [f"{name} is left out: it needs torch; pip install 'weighbridge[torch]'" for name in NEED_TORCH]
    assert capfd.readouterr().err.splitlines() == said
