"""One measurement at a time on a device."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devices.lease import holder, lease, lease_folder, lock_name
from harness.core.errors import DeviceBusy, DeviceError

HOLD = """
import sys, time
from pathlib import Path
from devices.lease import lease
with lease("local", "local", Path(sys.argv[1]), clock=lambda: 1_700_000_000.0):
    print("held", flush=True)
    time.sleep(60)
"""


HOLD_AND_FORK = """
import os, sys, time
from pathlib import Path
from devices.lease import lease
with lease("local", "local", Path(sys.argv[1])):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


def start(script: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen((sys.executable, "-c", script, str(folder)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lease by now."""
    process, word = start(HOLD, folder)
    assert word == "held"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def test_the_second_is_told_who_holds_it_since_when_and_what_to_do(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    try:
        with pytest.raises(DeviceBusy) as busy, lease("mine", "local", tmp_path):
            pass
    finally:
        end(holder)
    assert str(busy.value).startswith(f"mine: process {holder.pid} has measured on it since 2023-11-1")
    assert str(busy.value).endswith(f"wait for it to end, or `kill {holder.pid}`")


def test_a_lease_dies_with_its_holder(tmp_path: Path) -> None:
    end(hold(tmp_path))
    with lease("local", "local", tmp_path):
        assert str(os.getpid()) in (tmp_path / lock_name("local")).read_text()


def test_a_lease_does_not_live_on_in_what_its_holder_forked(tmp_path: Path) -> None:
    holder, child = start(HOLD_AND_FORK, tmp_path)
    end(holder)
    try:
        with lease("local", "local", tmp_path):
            os.kill(int(child), 0)  # it is still there
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_lease_can_be_taken_again_after_it_was_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with lease("local", "local", tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [lock_name("local")]


def test_a_lease_is_given_back_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lease("local", "local", tmp_path):
        raise ZeroDivisionError
    with lease("local", "local", tmp_path):
        pass


def test_two_devices_can_be_held_at_once(tmp_path: Path) -> None:
    with lease("a", "a", tmp_path), lease("b", "b", tmp_path):
        assert len(list(tmp_path.iterdir())) == 2


def test_a_holder_that_has_not_signed_yet_is_busy_too(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    try:
        (tmp_path / lock_name("local")).write_text("")
        with pytest.raises(DeviceBusy, match="another process measures on it"), lease("local", "local", tmp_path):
            pass
    finally:
        end(holder)


def can_be_taken_by_another(folder: Path) -> bool:
    """Whether another process gets the lease."""
    script = """
import sys
from pathlib import Path
from devices.lease import lease
with lease("local", "local", Path(sys.argv[1])):
    print("taken")
"""
    done = subprocess.run((sys.executable, "-c", script, str(folder)), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 or "DeviceBusy" in done.stderr, done.stderr
    return done.returncode == 0


def test_one_process_may_hold_a_machine_under_several_names(tmp_path: Path) -> None:
    with lease("new", "local", tmp_path), lease("old", "local", tmp_path):
        assert not can_be_taken_by_another(tmp_path)


def test_a_lease_is_given_back_with_the_last_of_its_names(tmp_path: Path) -> None:
    with lease("new", "local", tmp_path):
        with lease("old", "local", tmp_path):
            pass
        assert not can_be_taken_by_another(tmp_path)
    assert can_be_taken_by_another(tmp_path)


def a_place(folder: Path, name: str, mode: int) -> Path:
    place = folder / name
    place.mkdir()
    place.chmod(mode)
    return place


@pytest.fixture
def nowhere_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEIGHBRIDGE_LEASES")


def test_leases_lie_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_LEASES", str(tmp_path / "named"))
    assert lease_folder() == tmp_path / "named"


@pytest.mark.usefixtures("nowhere_named")
def test_leases_lie_in_the_first_place_that_everybody_may_write_to(tmp_path: Path) -> None:
    places = [tmp_path / "none", a_place(tmp_path, "root", 0o755), a_place(tmp_path, "all", 0o1777)]
    assert lease_folder([*places, tmp_path]) == tmp_path / "all" / "weighbridge-leases"


@pytest.mark.usefixtures("nowhere_named")
def test_leases_lie_in_the_last_place_where_there_is_none_for_all(tmp_path: Path) -> None:
    assert lease_folder([a_place(tmp_path, "root", 0o755), tmp_path]) == tmp_path / "weighbridge-leases"


@pytest.mark.usefixtures("nowhere_named")
def test_leases_lie_at_the_same_place_for_every_tmpdir(tmp_path: Path) -> None:
    script = "from devices.lease import lease_folder; print(lease_folder())"
    told = subprocess.run(
        (sys.executable, "-c", script),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert told.stdout.strip() == str(lease_folder())
    assert lease_folder().parent in (Path("/run/lock"), Path("/tmp"))


def test_a_folder_is_made_for_all_users(tmp_path: Path) -> None:
    with lease("local", "local", tmp_path / "leases"):
        assert (tmp_path / "leases").stat().st_mode & 0o7777 == 0o1777


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="no lease can be taken in"), lease("local", "local", tmp_path / "file" / "x"):
        pass


def test_a_link_in_a_shared_folder_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / lock_name("local")).symlink_to(victim)
    with pytest.raises(DeviceError), lease("local", "local", tmp_path):
        pass
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b", "", "x" * 10_000, "ü\n\0"])
def test_any_key_has_a_harmless_file_name(key: str) -> None:
    name = lock_name(key)
    assert Path(name).name == name
    assert len(name) < 100


def test_keys_that_read_alike_have_different_files() -> None:
    assert lock_name("a/b") != lock_name("a_b")


def test_who_holds_a_lease_can_be_seen_without_trying_it(tmp_path: Path) -> None:
    assert holder("local", tmp_path) is None
    with lease("local", "local", tmp_path, clock=lambda: 1_700_000_000.0):
        seen = holder("local", tmp_path)
    assert seen is not None
    assert seen.startswith(f"process {os.getpid()} has measured on it since 2023-11-1")
    assert holder("local", tmp_path) is None


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen((sys.executable, "-c", HOLD, str(tmp_path)), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert f"process {process.pid} " in str(holder("local", tmp_path))
    process.kill()
    process.communicate()
    assert holder("local", tmp_path) is None
