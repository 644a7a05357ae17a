"""Strings as a tensor holds them."""

import struct

from harness.sources.tflite_strings import pack_strings


def test_strings_are_counted_placed_and_joined() -> None:
    content = pack_strings((b"ab", b"", b"\x00c"))
    # The example of string_util.h has the same layout: count, the start of each, the end of the last.
    assert struct.unpack_from("<5i", content) == (3, 20, 22, 22, 24)
    assert content[20:] == b"ab\x00c"


def test_no_strings_are_a_count_and_an_end() -> None:
    assert pack_strings(()) == struct.pack("<2i", 0, 8)
