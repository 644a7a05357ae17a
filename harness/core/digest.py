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


def of_content(content: Mapping[str, object]) -> str:
    """SHA-256 of a mapping, the same for the same keys and values in any order."""
    return of_bytes(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode())
