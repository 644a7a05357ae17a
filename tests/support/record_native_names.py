"""Record the names that coremltools' native binding has, from its wheel for macOS.

    pip download coremltools==9.0 --no-deps --only-binary=:all: --platform macosx_11_0_arm64 --python-version 311
    python -m tests.support.record_native_names coremltools-9.0-cp311-none-macosx_11_0_arm64.whl \
        tests/data/coreml/libcoremlpython-9.0-names.json

The binding is no program that this host could load, but its names lie in it as text, in the order in which the module
defines them: every class before its own methods, all of them after the module's docstring.
"""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

_MEMBER = "coremltools/libcoremlpython.so"
_DOCSTRING = b"CoreML.Framework Python bindings"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLASS = re.compile(r"_[A-Z]")


def record(wheel: Path) -> dict[str, object]:
    """The binding's names, and where they come from. Raises KeyError where the wheel has no binding, ValueError where
    the binding has no such module."""
    with zipfile.ZipFile(wheel) as archive:
        binding = archive.read(_MEMBER)
    return {
        "how": "tests/support/record_native_names.py",
        "wheel": wheel.name,
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "classes": classes_in(names_in(binding)),
    }


def names_in(binding: bytes) -> Iterator[str]:
    """Identifiers from the module's docstring on, up to the first text that is none."""
    _, found, after = binding.partition(_DOCSTRING + b"\0")
    if not found:
        raise ValueError(f"no module with the docstring {_DOCSTRING.decode()!r}")
    texts = (text.decode("utf-8", "replace") for text in after[: 1 << 16].split(b"\0"))
    return takewhile(lambda text: _NAME.fullmatch(text) is not None, texts)


def classes_in(names: Iterable[str]) -> dict[str, list[str]]:
    """Methods by class; what has an underscore and a capital first is a class."""
    classes: dict[str, list[str]] = {}
    for name in names:
        if _CLASS.match(name):
            classes[name] = []
        else:
            classes[list(classes)[-1]].append(name)
    return classes


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(record(Path(sys.argv[1])), indent=2) + "\n", encoding="utf-8")
