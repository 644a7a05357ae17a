"""A conversion in a process of its own, where a tool that crashes, hangs or prints anything costs one model.

    python -m MODULE SOURCE TARGET JOB

The process writes TARGET; what it refuses is on its standard output, exit code 1.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import harness
from harness.core.units import Seconds

_ROOT = Path(harness.__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed:
    """How a conversion ended that did not succeed.

    code is the exit code, negative a signal's, None where it had to be ended. words are what it said on its standard
    output, on one line; last is the last line of its standard error.
    """

    code: int | None
    words: str = ""
    last: str = ""


def convert_in_child(module: str, source: Path, target: Path, job: str, deadline_s: Seconds) -> ChildFailed | None:
    """None where it succeeded."""
    argv = (sys.executable, "-m", module, str(source.absolute()), str(target.absolute()), job)
    try:
        ended = subprocess.run(argv, cwd=_ROOT, capture_output=True, timeout=deadline_s, check=False)
    except subprocess.TimeoutExpired:
        return ChildFailed(code=None)
    if ended.returncode == 0:
        return None
    return ChildFailed(
        code=ended.returncode,
        words=" ".join(ended.stdout.decode(errors="replace").split()),
        last=ended.stderr.decode(errors="replace").strip().rpartition("\n")[2],
    )


def told(failed: ChildFailed, deadline_s: Seconds, longest: int = 300) -> str:
    """Why there is no result, in a few words: the tool's own where it gave some."""
    if failed.code is None:
        return f"no answer in {deadline_s:g} s"
    if failed.code < 0:
        return f"its process died by signal {-failed.code}"
    return failed.words[:longest] or f"its process ended with {failed.code}"
