"""Where a report goes."""

from pathlib import Path

from harness.core.errors import StoreError
from harness.core.files import write_whole


def write_text(target: Path, text: str) -> None:
    """Write a file whole or not at all; what is not a regular file (a device, a pipe) is written in place.

    Raises StoreError that names the file.
    """
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        write_whole(target, text.encode())
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}; choose another place with -o") from error
