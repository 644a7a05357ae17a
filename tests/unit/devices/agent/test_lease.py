"""The lease on a device, what needs no second process."""

import errno
from pathlib import Path

import pytest

from devices.agent.lease import Busy, Lease, LeaseError, check_owner, find_file
from devices.agent.protocol import ProtocolError

OWNER: dict[str, object] = {"host": "h", "user": "u", "pid": 1, "purpose": "p", "since": 1.0, "token": "t"}


def test_a_file_system_without_locks_is_refused_in_words(tmp_path: Path) -> None:
    def lock(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with pytest.raises(LeaseError, match="this file system has no locks"):
        Lease(str(tmp_path / "lease"), OWNER, lock=lock).take()


def test_a_lock_that_nobody_signs_for_is_busy_with_an_unknown_owner(tmp_path: Path) -> None:
    def lock(_: int, __: int) -> None:
        raise BlockingIOError

    with pytest.raises(Busy) as caught:
        Lease(str(tmp_path / "lease"), OWNER, lock=lock).take()
    assert caught.value.body["owner"] is None


@pytest.mark.parametrize("owner", [None, {}, {**OWNER, "token": ""}, {**OWNER, "pid": "1"}, {**OWNER, "more": 1}])
def test_an_owner_that_makes_no_sense_is_refused(owner: object) -> None:
    with pytest.raises(LeaseError, match="owner"):
        check_owner(owner)


def test_a_note_that_makes_no_sense_is_no_holder(tmp_path: Path) -> None:
    (tmp_path / "lease").write_text('{"pid": -1, "launch": {"pid": 1}}')
    lease = Lease(str(tmp_path / "lease"), OWNER)
    assert lease.take() is None
    lease.close()


def test_attempts_are_known_through_each_face_apart(tmp_path: Path) -> None:
    lease = Lease(str(tmp_path / "lease"), OWNER)
    lease.take()
    lease.admit("a", None)
    lease.admit("a", "interpreter")
    with pytest.raises(ProtocolError, match="was started before"):
        lease.admit("a", None)
    lease.close()


def test_all_users_of_a_device_share_the_first_place_that_everybody_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEIGHBRIDGE_LEASES")
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    shared.chmod(0o1777)
    own.mkdir(mode=0o755)
    assert find_file("auto", (str(own), str(shared))) == str(shared / "weighbridge-leases/device.lock")


def test_the_environment_may_name_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_LEASES", str(tmp_path / "named"))
    assert find_file("auto") == str(tmp_path / "named" / "device.lock")


def test_a_shared_lease_is_for_all_its_users(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    path = tmp_path / "weighbridge-leases" / "device.lock"
    lease = Lease(str(path), OWNER)
    lease.take()
    assert (path.parent.stat().st_mode & 0o7777, path.stat().st_mode & 0o777) == (0o1777, 0o666)
    lease.close()
