"""Files are there whole or not at all."""

import os
from pathlib import Path

import pytest

from harness.core.files import keep, write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_content_replaces_what_was_there(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "made" / "on" / "the" / "way"
    write_whole(path, b"old", durable=durable)
    write_whole(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_rights_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_kept_file_is_not_written_again(tmp_path: Path) -> None:
    path = keep(tmp_path / "file", b"content")
    os.utime(path, (0, 0))
    assert keep(path, b"content").stat().st_mtime == 0
    assert keep(path, b"other").read_bytes() == b"other"
