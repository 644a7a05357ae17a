"""The files beside an ML Program that hold its large constants, mapped: only the pages that are asked for are read.

A header of 64 bytes, then each constant: 64 bytes that say what it is, its own bytes, both at multiples of 64.
Format: MILBlob/Blob/StorageFormat.hpp and BlobDataType.hpp of coremltools, version 2.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from harness.core.units import Bytes

_HEADER = struct.Struct("<II")  # how many constants, version
_ENTRY = struct.Struct("<IIQQ")  # sentinel, type, bytes, where
_SENTINEL = 0xDEADBEEF
_ALIGNMENT = 64
_VERSION = 2
_TYPES = {
    number: name
    for number, name in enumerate(
        (
            *("float16", "float32", "uint8", "int8", "bfloat16", "int16", "uint16", "int4", "uint1", "uint2"),
            *("uint4", "uint3", "uint6", "int32", "uint32", "float8e4m3fn", "float8e5m2"),
        ),
        start=1,
    )
}


class BlobsDamaged(ValueError):
    """A file of constants that is cut short or says nonsense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """One constant in a file. start is where its own bytes begin."""

    dtype: str
    start: int
    size_bytes: Bytes


class BlobFile:
    """A file of constants. Raises BlobsDamaged, and OSError where it cannot be opened."""

    def __init__(self, path: Path) -> None:
        """Map the file and check its header."""
        with path.open("rb") as stream:
            size = path.stat().st_size
            if size < _ALIGNMENT:
                raise BlobsDamaged(f"{path.name} has {size} bytes, less than its header takes")
            self._content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._name = path.name
        _, version = _HEADER.unpack_from(self._content, 0)
        if version != _VERSION:
            self.close()
            raise BlobsDamaged(f"{path.name} has version {version} instead of {_VERSION}")

    def close(self) -> None:
        self._content.close()

    def __enter__(self) -> "BlobFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, offset: int) -> Blob:
        """The constant whose description is at offset."""
        size = len(self._content)
        if offset % _ALIGNMENT or not _ALIGNMENT <= offset <= size - _ALIGNMENT:
            raise BlobsDamaged(f"{self._name} has {size} bytes, and no constant can be at {offset}")
        sentinel, number, length, start = _ENTRY.unpack_from(self._content, offset)
        if sentinel != _SENTINEL:
            raise BlobsDamaged(f"{self._name} has no constant at {offset}")
        if number not in _TYPES:
            raise BlobsDamaged(f"{self._name} has a constant of the unknown type {number} at {offset}")
        if start + length > size:
            raise BlobsDamaged(f"{self._name} has {size} bytes, and the constant at {offset} ends at {start + length}")
        return Blob(dtype=_TYPES[number], start=start, size_bytes=length)
