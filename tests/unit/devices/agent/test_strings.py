"""TensorFlow Lite's form of a tensor of strings."""

import struct
from pathlib import Path

import pytest

from devices.agent import strings
from devices.agent.litert import LiteRtError

TWO = struct.pack("<4i", 2, 16, 19, 22) + b"yesyou"


def test_strings_are_found_by_their_offsets() -> None:
    assert strings.unpack(TWO) == [b"yes", b"you"]


def test_no_strings_are_none() -> None:
    assert strings.unpack(struct.pack("<2i", 0, 8)) == []


def test_an_empty_string_is_one() -> None:
    assert strings.unpack(struct.pack("<4i", 2, 16, 16, 17) + b"x") == [b"", b"x"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        struct.pack("<i", -1),
        struct.pack("<i", 2**31 - 1),
        struct.pack("<3i", 1, 8, 12),
        struct.pack("<4i", 2, 16, 19, 99) + b"yesyou",
        struct.pack("<4i", 2, 16, 15, 22) + b"yesyou",
    ],
    ids=["empty", "short", "negative", "huge", "first", "last", "backwards"],
)
def test_what_is_not_of_that_form_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"strings|offsets"):
        strings.unpack(content)


def test_made_up_words_are_the_same_for_the_same_seed() -> None:
    assert strings.make(3, 7) == strings.make(3, 7) != strings.make(3, 8)


def test_a_file_has_as_many_strings_as_the_input(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(TWO)
    assert strings.content([str(tmp_path / "x")], 0, 2, 0) == [b"yes", b"you"]
    with pytest.raises(LiteRtError, match="x has 2 strings, input 0 takes 3"):
        strings.content([str(tmp_path / "x")], 0, 3, 0)


def test_a_file_without_strings_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"yes")
    with pytest.raises(LiteRtError, match="x holds no strings"):
        strings.content([str(tmp_path / "x")], 0, 1, 0)
