"""A disk that is soon full, for tests that root runs."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_PAGE = 1 << 12  # a tmpfs gives space in these
_LIMIT_S = 60.0


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """One of that size where the folder is. Raises CalledProcessError where it cannot be mounted by root."""
    if os.getuid():
        pytest.skip("a small disk can be mounted by root alone")
    folder.mkdir(parents=True, exist_ok=True)
    words = ("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))
    subprocess.run(words, check=True, capture_output=True, timeout=_LIMIT_S)
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True, timeout=_LIMIT_S)


def ballast(folder: Path) -> Path:
    """What fill puts there."""
    return folder / "ballast"


def fill(folder: Path, but_pages: int = 0) -> None:
    """Leave no space, but for so many pages."""
    with contextlib.suppress(OSError), ballast(folder).open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(_PAGE))
    size = ballast(folder).stat().st_size
    with ballast(folder).open("r+b") as stream:
        stream.truncate(size - but_pages * _PAGE)
