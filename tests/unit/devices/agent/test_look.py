"""What the agent says of a device that is only looked at."""

import os
from pathlib import Path

import pytest

from devices.agent.lease import Lease
from devices.agent.look import holder, may_set_governor

OWNER: dict[str, object] = {
    "host": "tower",
    "user": "bench",
    "pid": 4711,
    "purpose": "campaign c1",
    "since": 1.0,
    "token": "secret",
}


def test_a_lease_that_is_held_names_its_owner_and_keeps_the_secret(tmp_path: Path) -> None:
    lease = Lease(str(tmp_path / "device.lock"), OWNER)
    lease.take()
    try:
        told = holder(lease.path)
    finally:
        lease.close()
        os.environ.pop("WEIGHBRIDGE_LEASE", None)
    assert told is not None
    assert told["owner"] == {key: value for key, value in OWNER.items() if key != "token"}
    assert isinstance(told["held_s"], float)
    assert holder(lease.path) is None


@pytest.mark.parametrize("content", [None, b"", b"no note", b'{"owner": {}}'])
def test_a_lease_without_a_note_is_nobodys(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "device.lock"
    if content is not None:
        path.write_bytes(content)
    assert holder(str(path)) is None


def test_a_board_without_cpufreq_has_no_governor_to_set(tmp_path: Path) -> None:
    assert may_set_governor(str(tmp_path)) is None


def test_a_governor_that_can_be_written_may_be_set(tmp_path: Path) -> None:
    policy = tmp_path / "sys/devices/system/cpu/cpufreq/policy0"
    policy.mkdir(parents=True)
    (policy / "scaling_governor").write_text("ondemand\n")
    assert may_set_governor(str(tmp_path)) is True
