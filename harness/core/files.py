"""Files that are there whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

# How files end that are being written.
PART = ".part"
_ATTEMPTS = 5


def write_whole(path: Path, content: bytes, *, durable: bool = False, mode: int | None = None) -> None:
    """Write a file under a temporary name beside it and rename it; its folder is made where it is missing.

    A reader sees the old content or the new. durable: it also survives a loss of power. mode: its permissions, None
    for what is usual here. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid.uuid4().hex}{PART}")
    try:
        with part.open("xb") as stream:
            if mode is not None:
                part.chmod(mode)
            stream.write(content)
        if durable:
            move_durably(part, path)
        else:
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def keep(path: Path, content: bytes) -> Path:
    """The file with that content: as it is if it holds it, else written whole. Raises OSError."""
    if not (path.is_file() and path.read_bytes() == content):
        write_whole(path, content)
    return path


def move_durably(source: Path, target: Path) -> None:
    """Rename a file or a folder so that name and content survive a loss of power. Raises OSError.

    A file that is there is replaced; a folder that is there and holds files is not.
    """
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
    source.replace(target)
    _sync_directory(target.parent)


def publish(made: Path, place: Path, is_whole: Callable[[Path], bool]) -> None:
    """Move a file or a folder to the place that its content names, which other processes may do at the same time.

    What is there and is_whole stays, and `made` is taken away; what is there and damaged goes aside into made's folder.
    A reader sees the old, the new or nothing, never a part. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        if place.exists() and is_whole(place):
            remove(made)
            return
        try:
            if place.is_dir():
                place.replace(made.with_name(f"damaged-{uuid.uuid4().hex}"))
            move_durably(made, place)
            return
        except OSError:  # another process has moved the damaged one away, or was first
            if attempt == _ATTEMPTS - 1:
                raise


def remove(path: Path) -> None:
    """Take away a file, or a folder with all that it holds; one that is not there is fine. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make a rename durable. Windows has no such thing (and this has never run there)."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
