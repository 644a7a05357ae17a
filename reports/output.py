"""Where a report goes."""

import os
import stat
from pathlib import Path

from harness.core.errors import StoreError
from harness.core.files import write_whole


def write_text(target: Path, text: str) -> None:
    """Write a regular file, or a new one, whole or not at all; anything else (a link, a device, a pipe) in place.

    A link stays a link, and what it points to is written. Raises StoreError that names the file.
    """
    try:
        if _is_replaceable(target):
            write_whole(target, text.encode())
        else:
            target.write_bytes(text.encode())
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}; choose another place with -o") from error


def _is_replaceable(target: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(target).st_mode)
    except FileNotFoundError:
        return True
