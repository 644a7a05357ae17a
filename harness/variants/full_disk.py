"""What cannot be written, in words that help: where, whether space is left there, and what to do."""

import errno
import os
import re
import shutil
from pathlib import Path

_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
# Of coremltools, whose C++ writes folders and weights and loses the system's reason.
_UNWRITTEN = re.compile(r"filesystem error|FileWriter|while writing")
_ELSEWHERE = "free some or name another folder with --bench"


def explain_unwritten(problem: Exception, folder: Path) -> str | None:
    """One line on a file that could not be written below a folder; None where that is not what the problem says."""
    said = f"{problem}"  # shutil.Error has neither number nor reason of its own
    if any(words in said for words in _FULL):
        return f"no space left below {folder}; {_ELSEWHERE}"
    if isinstance(problem, RuntimeError) and _UNWRITTEN.search(said):
        free = shutil.disk_usage(folder).free if folder.exists() else None
        left = "" if free is None else f" ({free / 1e6:.1f} MB are free now)"
        return f"the toolkit could not write below {folder}{left}; if space ran out, {_ELSEWHERE}"
    return None
