"""Finds LiteRT on the device without importing it."""

from __future__ import annotations

import os
import re

LIBRARIES = ("libLiteRt.so", "libLiteRt.dylib")
_DIST_INFO = re.compile(r"ai[-_.]edge[-_.]litert-(?P<version>[^-]+)\.dist-info", re.IGNORECASE)


def find_litert(search: list[str]) -> dict[str, object] | None:
    """The first LiteRT in the directories, in the manner of an import. version None: it has no metadata.

    library None: this version has none by that name (before 2.1).

    Reading the directory's name instead of importing keeps numpy out and works on Python 3.7,
    which has no importlib.metadata.
    """
    for directory in search:
        package = os.path.join(directory, "ai_edge_litert")
        libraries = [path for path in (os.path.join(package, name) for name in LIBRARIES) if os.path.isfile(path)]
        if libraries or os.path.isfile(os.path.join(package, "interpreter.py")):
            library = libraries[0] if libraries else None
            return {"name": "LiteRT", "version": _version(directory), "package": package, "library": library}
    return None


def _version(directory: str) -> str | None:
    for entry in sorted(os.listdir(directory)):
        match = _DIST_INFO.fullmatch(entry)
        if match is not None:
            return match.group("version")
    return None
