"""The folder of weight caches, which ends with its supervisor or is removed by the next."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from devices.agent.litert import LiteRtError
from devices.agent.weight_cache import CacheFolder, WeightCache


def a_folder(parent: Path) -> CacheFolder:
    return CacheFolder(str(parent))


def an_order(folder: Path, **changes: object) -> dict[str, object]:
    unit = {"kind": "cpu", "backend": None, "threads": 1}
    return {"variant_digest": "d", "unit": unit, "weight_cache": "fill", "caches": str(folder), **changes}


def test_it_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert folder.path() == folder.path() == str(next(tmp_path.iterdir()))
    folder.remove()


def test_it_is_removed_with_what_is_in_it(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (Path(folder.path()) / "x").write_text("weights")
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_that_of_the_living_stays(tmp_path: Path) -> None:
    living = a_folder(tmp_path)
    living.path()
    a_folder(tmp_path).remove_those_of_the_dead()
    assert len(list(tmp_path.iterdir())) == 1
    living.remove()


def test_that_of_the_dead_goes(tmp_path: Path) -> None:
    (tmp_path / "weighbridge-weights-abc").mkdir()
    (tmp_path / "weighbridge-weights-abc" / "x").write_text("weights")
    a_folder(tmp_path).remove_those_of_the_dead()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "weighbridge-weights-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "weighbridge-weights-file").write_text("")
    a_folder(tmp_path).remove_those_of_the_dead()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_place_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    a_folder(tmp_path / "gone").remove_those_of_the_dead()


def test_each_variant_and_unit_has_a_file_of_its_own(tmp_path: Path) -> None:
    unit = {"kind": "cpu", "backend": None, "threads": 2}
    orders = an_order(tmp_path), an_order(tmp_path, variant_digest="e"), an_order(tmp_path, unit=unit)
    assert len({WeightCache(order).path for order in orders}) == 3
    assert os.path.dirname(WeightCache(orders[0]).path) == str(tmp_path)


def test_a_cache_is_for_the_cpu_alone(tmp_path: Path) -> None:
    with pytest.raises(LiteRtError, match="for the unit cpu"):
        WeightCache(an_order(tmp_path, unit={"kind": "gpu", "backend": None, "threads": None}))


def test_a_file_system_without_locks_is_refused_in_words_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=r"cannot be locked: .*No locks available"):
        a_folder(tmp_path).path()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_taken_away_as_they_are_made_end_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="taken away as soon as they were made"):
        a_folder(tmp_path).path()


def test_a_folder_whose_lock_cannot_be_tried_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    (tmp_path / "weighbridge-weights-abc").mkdir()
    monkeypatch.setattr(fcntl, "flock", flock)
    a_folder(tmp_path).remove_those_of_the_dead()
    assert len(list(tmp_path.iterdir())) == 1
