"""Reads flatbuffers that may be damaged.

The generated Python code checks no bounds: a flipped byte makes it read elsewhere, or loop over billions of elements.
Here every offset is checked against the file before it is followed.
Format: https://flatbuffers.dev/internals/
"""

import struct

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")


class FlatbufferDamaged(ValueError):
    """An offset or a length points outside the file."""


class Table:
    """One table. Fields are named by their slot, counted from 0 in the order of the schema."""

    __slots__ = ("_content", "_fields", "_position")

    def __init__(self, content: bytes, position: int) -> None:
        """Check the table's header. Raises FlatbufferDamaged, as all of its methods do."""
        self._content = content
        self._position = position
        vtable = position - self._unpack(_I32, position)
        size = self._unpack(_U16, vtable)
        if size < 4 or size % 2:
            raise FlatbufferDamaged(f"the table at byte {position} has a header of {size} bytes")
        self._inside(vtable, size)
        self._fields: tuple[int, ...] = struct.unpack_from(f"<{size // 2 - 2}H", content, vtable + 4)

    @classmethod
    def root(cls, content: bytes) -> "Table":
        """The table that the file begins with."""
        return cls(content, _unpack(content, _U32, 0))

    def number(self, slot: int, layout: str, default: int = 0) -> int:
        """A number field; layout is a letter of `struct`."""
        at = self._at(slot)
        return default if at is None else int(self._unpack(struct.Struct(f"<{layout}"), at))

    def table(self, slot: int) -> "Table | None":
        """A table field, None where it is absent."""
        at = self._at(slot)
        return None if at is None else Table(self._content, self._follow(at))

    def tables(self, slot: int) -> list["Table"]:
        """A vector of tables, empty where it is absent."""
        start, length = self._vector(slot, 4)
        return [Table(self._content, self._follow(start + 4 * i)) for i in range(length)]

    def numbers(self, slot: int, layout: str) -> tuple[int, ...]:
        """A vector of integers, empty where it is absent."""
        start, length = self._vector(slot, struct.calcsize(f"<{layout}"))
        return struct.unpack_from(f"<{length}{layout}", self._content, start)

    def reals(self, slot: int) -> tuple[float, ...]:
        """A vector of float32, empty where it is absent."""
        start, length = self._vector(slot, 4)
        return struct.unpack_from(f"<{length}f", self._content, start)

    def text(self, slot: int) -> str:
        """A string; bytes that are not UTF-8 are escaped."""
        start, length = self._vector(slot, 1)
        return self._content[start : start + length].decode("utf-8", "backslashreplace")

    def span(self, slot: int) -> tuple[int, int]:
        """Start and length of a vector of bytes; length 0 where it is absent."""
        return self._vector(slot, 1)

    def _at(self, slot: int) -> int | None:
        offset = self._fields[slot] if slot < len(self._fields) else 0
        return self._position + offset if offset else None

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        at = self._at(slot)
        if at is None:
            return 0, 0
        position = self._follow(at)
        length = self._unpack(_U32, position)
        self._inside(position + 4, length * size)
        return position + 4, length

    def _follow(self, at: int) -> int:
        offset: int = self._unpack(_U32, at)
        return at + offset

    def _unpack(self, layout: struct.Struct, at: int) -> int:
        return _unpack(self._content, layout, at)

    def _inside(self, start: int, size: int) -> None:
        if start < 0 or start + size > len(self._content):
            raise FlatbufferDamaged(f"something at byte {start} ends at {start + size} of {len(self._content)}")


def _unpack(content: bytes, layout: struct.Struct, at: int) -> int:
    if at < 0 or at + layout.size > len(content):
        raise FlatbufferDamaged(f"an offset points to byte {at} of {len(content)}")
    value: int = layout.unpack_from(content, at)[0]
    return value
