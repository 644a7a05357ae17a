"""Finds the runtimes on the device without importing them.

Reading directories' names instead of importing keeps numpy out and works on Python 3.7, which has no
importlib.metadata.
"""

from __future__ import annotations

import glob
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Found = dict[str, object]


class Kind:
    """A runtime that can be measured with: its package, its distribution's name, the library in the package."""

    def __init__(self, package: str, distribution: str, libraries: tuple[str, ...], install: str) -> None:
        self.package = package
        # Debian's and Coral's packages have an egg-info, which may end with the Python it is for.
        pattern = r"{}-(?P<version>[^-]+)(-py[0-9.]+)?\.(dist|egg)-info".format(distribution.replace("-", "[-_.]"))
        self.metadata = re.compile(pattern, re.IGNORECASE)
        self.libraries = libraries
        self.install = install


LITERT = "LiteRT"
TFLITE_RUNTIME = "tflite-runtime"
# In the order of preference.
KINDS = {
    LITERT: Kind("ai_edge_litert", "ai-edge-litert", ("libLiteRt.so", "libLiteRt.dylib"), "pip install ai-edge-litert"),
    TFLITE_RUNTIME: Kind(
        "tflite_runtime",
        "tflite-runtime",
        ("_pywrap_tensorflow_interpreter_wrapper*.so",),
        "pip install tflite-runtime 'numpy<2'",
    ),
}


def own_folder() -> str:
    """Where `setup` puts runtimes for this Python, of this user: what it put there is what is meant to be used."""
    name = "cp{}{}".format(*sys.version_info[:2])
    return os.path.join(os.path.expanduser("~"), ".weighbridge", "runtime", name)


def find(search: Sequence[str]) -> list[Found]:
    """Every runtime that there is, the preferred one first; of each the first in the manner of an import."""
    found = (find_runtime(name, search) for name in KINDS)
    return [each for each in found if each is not None]


def find_runtime(name: str, search: Sequence[str]) -> Found | None:
    """The first of a kind in the directories. version None: it has no metadata.

    library None: this version has none by that name (LiteRT before 2.1).
    """
    kind = KINDS[name]
    for directory in search:
        package = os.path.join(directory, kind.package)
        libraries = [path for pattern in kind.libraries for path in _files(package, pattern)]
        if libraries or os.path.isfile(os.path.join(package, "interpreter.py")):
            library = libraries[0] if libraries else None
            return {"name": name, "version": _version(kind, directory), "package": package, "library": library}
    return None


def choose(found: Sequence[Found], name: str | None) -> Found | None:
    """The one of that name, the first where none is named."""
    return next((each for each in found if name in (None, each["name"])), None)


def lacking(found: Sequence[Found], name: str | None, search: Sequence[str]) -> str:
    """Why there is no runtime of that name, and what to do."""
    there = ", ".join(map(full_name, found))
    if name is not None and name not in KINDS:
        return "there is no runtime {!r}; this agent knows {} and has found {}".format(
            name, ", ".join(KINDS), there or "none"
        )
    wanted = LITERT if name is None else name
    words = "{} was not found in {}: {}".format(wanted, list(search), KINDS[wanted].install)
    return "{}; found: {}".format(words, there) if there else words


def full_name(found: Found) -> str:
    """Its name and version, as one says it."""
    version = found["version"]
    return "{} {}".format(found["name"], "of unknown version" if version is None else version)


def _files(package: str, pattern: str) -> list[str]:
    return [path for path in sorted(glob.glob(os.path.join(glob.escape(package), pattern))) if os.path.isfile(path)]


def _version(kind: Kind, directory: str) -> str | None:
    for entry in sorted(os.listdir(directory)):
        match = kind.metadata.fullmatch(entry)
        if match is not None:
            return match.group("version")
    return None
