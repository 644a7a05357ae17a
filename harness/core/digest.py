"""Content digests: the identity of artefacts, cells and campaigns."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

_CHUNK = 1 << 20


def of_bytes(content: bytes) -> str:
    """SHA-256 of content, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def of_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces. Raises OSError as open does."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def of_path(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files: of each its path below the folder and its content. Raises OSError."""
    if not path.is_dir():
        return of_file(path)
    return of_content({file.relative_to(path).as_posix(): of_file(file) for file in files_in(path)})


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder, in order of their paths. Raises OSError."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder. Raises OSError."""
    return sum(file.stat().st_size for file in files_in(path)) if path.is_dir() else path.stat().st_size


def of_content(content: Mapping[str, object]) -> str:
    """SHA-256 of a mapping, the same for the same keys and values in any order."""
    return of_bytes(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode())
