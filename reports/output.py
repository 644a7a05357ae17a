"""Where a report goes."""

import os
from pathlib import Path

from harness.core.errors import StoreError


def write_text(target: Path, text: str) -> None:
    """Write a file whole or not at all; what is not a regular file (a device, a pipe) is written in place.

    Raises StoreError that names the file.
    """
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{os.getpid()}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}; choose another place with -o") from error
