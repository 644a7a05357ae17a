"""Offsets are checked before they are followed."""

import struct

import pytest

from harness.sources.flatbuffer import FlatbufferDamaged, Table


def _table(*fields: bytes) -> bytes:
    """A root table with inline fields of 4 bytes each; its vtable stands behind it."""
    body = b"".join(fields)
    table = struct.pack("<I", 8) + b"TEST" + struct.pack("<i", -(4 + len(body))) + body
    offsets = [4 + 4 * i for i in range(len(fields))]
    return table + struct.pack(f"<HH{len(offsets)}H", 4 + 2 * len(offsets), 4 + len(body), *offsets)


def test_a_field_is_read_by_its_slot() -> None:
    table = Table.root(_table(struct.pack("<i", 7), struct.pack("<i", -8)))
    assert (table.number(0, "i"), table.number(1, "i")) == (7, -8)


def test_an_absent_field_has_its_default() -> None:
    table = Table.root(_table())
    assert table.number(3, "i", default=5) == 5
    assert table.table(3) is None
    assert (table.tables(3), table.numbers(3, "i"), table.text(3), table.span(3)) == ([], (), "", (0, 0))


def test_a_string_that_is_not_utf_8_is_escaped() -> None:
    content = _table(struct.pack("<I", 0))
    where = len(content)
    content = content[:12] + struct.pack("<I", where - 12) + content[16:] + struct.pack("<I", 2) + b"\xff!"
    assert Table.root(content).text(0) == "\\xff!"


@pytest.mark.parametrize("length", [3, 1 << 31, 0xFFFFFFFF])
def test_a_vector_longer_than_the_file_is_damage(length: int) -> None:
    content = _table(struct.pack("<I", 0))
    where = len(content)
    content = content[:12] + struct.pack("<I", where - 12) + content[16:] + struct.pack("<I", length) + bytes(8)
    with pytest.raises(FlatbufferDamaged, match="ends at"):
        Table.root(content).numbers(0, "i")


@pytest.mark.parametrize("offset", [1 << 20, 0xFFFFFFFF])
def test_an_offset_beyond_the_file_is_damage(offset: int) -> None:
    with pytest.raises(FlatbufferDamaged, match="points to byte"):
        Table.root(_table(struct.pack("<I", offset))).text(0)


@pytest.mark.parametrize("content", [b"", b"\x08", struct.pack("<I", 8) + bytes(4)])
def test_a_file_that_ends_before_its_table_is_damage(content: bytes) -> None:
    with pytest.raises(FlatbufferDamaged):
        Table.root(content)


@pytest.mark.parametrize("size", [0, 3, 5])
def test_a_header_of_an_impossible_size_is_damage(size: int) -> None:
    content = struct.pack("<I", 8) + b"TEST" + struct.pack("<i", -4) + struct.pack("<HH", size, 4) + bytes(8)
    with pytest.raises(FlatbufferDamaged, match="header"):
        Table.root(content)
