"""Files are there whole or not at all."""

import multiprocessing
import os
from pathlib import Path

import pytest

from harness.core import digest
from harness.core.files import keep, publish, write_whole


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


def a_folder(place: Path, content: bytes) -> Path:
    place.mkdir(parents=True)
    for number in range(5):
        (place / f"{number}.bin").write_bytes(content * 1000)
    return place


def test_a_damaged_folder_gives_way_to_a_whole_one(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "kept" / "package", b"damaged")
    made = a_folder(tmp_path / "scratch" / "package", b"whole")
    whole = digest.of_path(made)
    publish(made, place, lambda path: digest.of_path(path) == whole)
    assert digest.of_path(place) == whole
    assert list(place.parent.iterdir()) == [place]


def test_what_is_there_whole_stays(tmp_path: Path) -> None:
    place = a_folder(tmp_path / "kept" / "package", b"whole")
    publish(a_folder(tmp_path / "scratch" / "package", b"other"), place, lambda _: True)
    assert (place / "0.bin").read_bytes() == b"whole" * 1000
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_cannot_be_put_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    made = a_folder(tmp_path / "scratch" / "package", b"whole")
    with pytest.raises(OSError, match="file"):
        publish(made, tmp_path / "file" / "package", lambda _: False)


def publish_again_and_again(scratch: Path, place: Path, rounds: int) -> None:
    for number in range(rounds):
        made = a_folder(scratch / str(number), b"whole")
        whole = digest.of_path(made)
        publish(made, place, lambda path, whole=whole: digest.of_path(path) == whole)  # type: ignore[misc]
        (place / "0.bin").read_bytes()


def test_processes_that_publish_the_same_at_once_never_see_a_part(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    place = tmp_path / "kept" / "package"
    others = [
        context.Process(target=publish_again_and_again, args=(tmp_path / str(number), place, 40)) for number in range(3)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert len(list(place.iterdir())) == 5
