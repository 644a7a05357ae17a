"""Where a report goes, whatever stands there already."""

import os
from pathlib import Path
from threading import Thread

import pytest

from harness.core.errors import StoreError
from reports.output import write_text


def test_a_new_file_is_written_with_its_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "report.html", "new")
    assert (tmp_path / "new" / "report.html").read_text() == "new"


def test_a_file_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    target, other = tmp_path / "report.html", tmp_path / "other.html"
    target.write_text("old")
    other.hardlink_to(target)
    write_text(target, "new")
    assert (target.read_text(), other.read_text()) == ("new", "old")
    assert sorted(os.listdir(tmp_path)) == ["other.html", "report.html"]


def test_a_link_stays_a_link_and_what_it_names_is_written(tmp_path: Path) -> None:
    link, target = tmp_path / "latest.html", tmp_path / "report.html"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")


def test_a_link_to_nothing_makes_what_it_names(tmp_path: Path) -> None:
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "report.html")
    write_text(link, "new")
    assert (link.is_symlink(), (tmp_path / "report.html").read_text()) == (True, "new")


def test_a_link_to_a_device_leaves_the_device(tmp_path: Path) -> None:
    link = tmp_path / "nowhere"
    link.symlink_to("/dev/null")
    write_text(link, "new")
    assert (os.readlink(link), Path("/dev/null").is_char_device()) == ("/dev/null", True)


def test_a_pipe_carries_the_text(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=write_text, args=(pipe, "through"), daemon=True)
    writer.start()
    assert pipe.read_text() == "through"
    writer.join(timeout=10)
    assert (writer.is_alive(), pipe.is_fifo()) == (False, True)


@pytest.mark.parametrize("length", [3, 1_000_000])
def test_a_full_device_is_an_error_that_names_it(length: int) -> None:
    with pytest.raises(StoreError, match=r"/dev/full: cannot be written: No space left on device; .* -o"):
        write_text(Path("/dev/full"), "x" * length)


def test_a_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}: cannot be written: Is a directory"):
        write_text(tmp_path, "new")
    assert os.listdir(tmp_path) == []


def test_a_link_in_a_circle_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "circle"
    link.symlink_to(link)
    with pytest.raises(StoreError, match="cannot be written"):
        write_text(link, "new")


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(StoreError, match="cannot be written"):
        write_text(tmp_path / "file" / "report.html", "new")
