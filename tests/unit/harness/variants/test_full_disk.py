"""A full disk is told in one line: where, and what to do."""

import errno
import shutil
from pathlib import Path

import pytest

from harness.variants.full_disk import explain_unwritten

_COPY = "[Errno 28] No space left on device"


@pytest.mark.parametrize(
    "problem",
    [OSError(errno.ENOSPC, "No space left on device", "b/variants/scratch/x"), shutil.Error([("a", "b", _COPY)])],
    ids=["a write", "a copy of a folder"],
)
def test_no_space_is_said_with_the_folder_and_a_way_out(problem: Exception) -> None:
    told = explain_unwritten(problem, Path("b/variants"))
    assert told == "no space left below b/variants; free some or name another folder with --bench"


@pytest.mark.parametrize(
    "words",
    [
        "filesystem error: cannot copy: Input/output error [/a/weights] [/b/weights]",
        "[MIL FileWriter]: Unknown error occurred while writing data to the file.",
    ],
)
def test_what_the_toolkit_could_not_write_names_the_folder_and_the_space_left(tmp_path: Path, words: str) -> None:
    told = explain_unwritten(RuntimeError(words), tmp_path) or ""
    assert told.startswith(f"the toolkit could not write below {tmp_path} (")
    assert told.endswith(" MB are free now); if space ran out, free some or name another folder with --bench")


@pytest.mark.parametrize("problem", [OSError(errno.EACCES, "Permission denied"), RuntimeError("no such pass")])
def test_other_problems_keep_their_own_words(problem: Exception) -> None:
    assert explain_unwritten(problem, Path("b")) is None
