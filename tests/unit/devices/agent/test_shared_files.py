"""What another user has planted where all may write is not followed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.agent.lease import Lease, LeaseError
from devices.agent.preparation import Preparation
from devices.agent.shared_files import make_folder, open_shared

PRECIOUS = "precious"
OWNER = {"host": "h", "user": "u", "pid": 1, "purpose": "p", "since": 0.0, "token": "t"}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text(PRECIOUS)
    return path


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


PLANTS = [Path.symlink_to, Path.hardlink_to, pipe]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_lease_is_not_taken_in_what_is_no_file_of_its_own(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    place = tmp_path / "device.lock"
    plant(place, victim)
    with pytest.raises(LeaseError, match="no lease can be taken in"):
        Lease(str(place), OWNER).take()
    assert victim.read_text() == PRECIOUS


@pytest.mark.parametrize("plant", PLANTS)
def test_what_to_restore_is_not_read_from_what_is_no_file_of_its_own(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    place = tmp_path / "note"
    plant(place, victim)
    with Preparation(str(tmp_path), str(place)) as preparation:  # a pipe would hold it for ever
        assert preparation.in_force() == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_a_folder_that_is_another_users_link_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "own").mkdir()
    place = tmp_path / "weighbridge-leases"
    place.symlink_to(tmp_path / "own")
    make_folder(str(place))  # a link of ours is ours to follow
    os.lchown(place, 12345, 12345)
    with pytest.raises(OSError, match="a link of another user"):
        make_folder(str(place))


@pytest.mark.parametrize(("folder", "file"), [(0o1777, 0o666), (0o700, 0o600)])
def test_a_file_is_for_all_where_its_folder_is(tmp_path: Path, folder: int, file: int) -> None:
    tmp_path.chmod(folder)
    os.close(open_shared(str(tmp_path / "file")))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == file


@pytest.mark.parametrize("note", ["[" * 4000, '{"pid": 1e999}', "9" * 4000])
def test_a_note_that_makes_no_sense_is_none(tmp_path: Path, note: str) -> None:
    (tmp_path / "device.lock").write_text(note)
    lease = Lease(str(tmp_path / "device.lock"), OWNER)
    assert lease.take() is None
    lease.close()
