"""What every Transport does, whatever way it goes: this machine itself, a board by SSH through a real sshd, and a phone
by the real adb from an emulated adbd.

A way that is added is one line in WAYS: a context manager that is given a folder and answers the transport and a folder
on its device, which tests can look at.
"""

import functools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from devices.transport.adb import AdbTransport
from devices.transport.local import LocalTransport
from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from devices.transport.transport import Transport
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError, DeviceLost
from tests.support.adbd import Adbd
from tests.support.phones import an_adb_server, plant
from tests.support.sshd import sshd
from tests.support.waiting import until

pytestmark = pytest.mark.waits

SOON = 30.0
ENDED_S = 10.0
_STARTED = ExitStack()
HOSTILE = ("a b", "quote'\"", "$(touch pwned)", "`id`;&|", "-rf", "ümlaut", "back\\slash", "*", "~", "new\nline", "!")


@contextmanager
def by_itself(_: Path) -> Iterator[Transport]:
    yield LocalTransport("this machine", silence_s=2.0)


@contextmanager
def by_ssh(folder: Path) -> Iterator[Transport]:
    with sshd(folder) as server:
        yield from closing(SshTransport("board", server.address, Patience(silence_s=2.0)))


@contextmanager
def by_ssh_without_sftp(folder: Path) -> Iterator[Transport]:
    with sshd(folder, sftp=False) as server:
        yield from closing(SshTransport("board", server.address, Patience(silence_s=2.0)))


@contextmanager
def by_adb(folder: Path) -> Iterator[Transport]:
    with Adbd(plant(folder)) as phone:
        address = AdbAddress(address=phone.address, server_port=_adb_port())
        yield from closing(AdbTransport("phone", address, silence_s=2.0))


@functools.cache
def _adb_port() -> int:
    """One adb server for all of them, ended with the tests."""
    home = _STARTED.enter_context(tempfile.TemporaryDirectory())
    return _STARTED.enter_context(an_adb_server(Path(home) / "home"))


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    with _STARTED:
        yield
    _adb_port.cache_clear()


def closing(transport: SshTransport | AdbTransport) -> Iterator[Transport]:
    try:
        yield transport
    finally:
        transport.close()


WAYS: list[Callable[[Path], AbstractContextManager[Transport]]] = [by_itself, by_ssh, by_ssh_without_sftp, by_adb]


@pytest.fixture(params=WAYS)
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    with request.param(tmp_path / "way") as opened:
        yield opened


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the device, which is this machine's too."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_stdout_stderr_and_exit_code_come_apart(transport: Transport) -> None:
    done = transport.run(("sh", "-c", "echo out; echo err >&2; exit 7"), Deadline(SOON))
    assert (done.exit_code, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_words_arrive_as_they_are(transport: Transport) -> None:
    done = transport.run(("printf", "%s\\0", *HOSTILE), Deadline(SOON))
    assert done.stdout.decode().split("\0")[:-1] == list(HOSTILE)


def test_stdin_is_read_to_its_end(transport: Transport) -> None:
    assert transport.run(("cat",), Deadline(SOON), stdin=b"line\n").stdout == b"line\n"


def test_no_stdin_is_an_empty_one(transport: Transport) -> None:
    assert transport.run(("cat",), Deadline(SOON)).stdout == b""


def test_much_on_every_stream_does_not_lock_up(transport: Transport) -> None:
    given = b"x" * 5_000_000
    done = transport.run(("sh", "-c", "tee /dev/stderr"), Deadline(SOON), stdin=given)
    assert (done.stdout == given, done.stderr == given) == (True, True)


def test_much_on_stderr_alone_does_not_lock_up(transport: Transport) -> None:
    given = b"x" * 5_000_000
    done = transport.run(("sh", "-c", "cat >&2"), Deadline(SOON), stdin=given)
    assert (done.stdout, done.stderr == given) == (b"", True)


def test_stderr_without_end_is_ended_at_the_deadline(transport: Transport) -> None:
    begun = time.monotonic()
    with pytest.raises(DeviceLost, match="did not end in 1 s"):
        transport.run(("sh", "-c", "while :; do head -c 65536 /dev/zero >&2; sleep 0.01; done"), Deadline(1.0))
    assert time.monotonic() - begun < 10


def test_stdin_that_nobody_reads_does_not_lock_up(transport: Transport) -> None:
    assert transport.run(("true",), Deadline(SOON), stdin=b"x" * 5_000_000).exit_code == 0


def test_a_death_by_signal_is_128_and_its_number(transport: Transport) -> None:
    assert transport.run(("sh", "-c", "kill -SEGV $$"), Deadline(SOON)).exit_code == 139


@pytest.mark.parametrize("code", [1, 127, 254, 255])
def test_an_exit_code_is_the_commands_own(transport: Transport, code: int) -> None:
    done = transport.run(("sh", "-c", f"echo 'error: closed' >&2; exit {code}"), Deadline(SOON))
    assert (done.exit_code, done.stderr) == (code, b"error: closed\n")


def test_closing_ends_a_command_that_another_thread_waits_for(transport: Transport, there: Path) -> None:
    """This machine itself has nothing to close."""
    if isinstance(transport, LocalTransport):
        return

    def close_once_it_runs() -> None:
        until((there / "begun").exists, ENDED_S)
        transport.close()

    closer = threading.Thread(target=close_once_it_runs)
    closer.start()
    script = 'sleep 300 & echo $! >"$1/pid"; touch "$1/begun"; wait'
    with pytest.raises(DeviceLost):
        transport.run(("sh", "-c", script, "sh", str(there)), Deadline(SOON))
    closer.join()
    until(lambda: not is_running(int((there / "pid").read_text())), ENDED_S)


def test_a_program_that_is_not_there_is_127(transport: Transport) -> None:
    done = transport.run(("no-such-program-here",), Deadline(SOON))
    assert done.exit_code == 127
    assert "no-such-program-here" in done.words


def test_at_the_deadline_the_whole_group_is_ended(transport: Transport, there: Path) -> None:
    script = 'sleep 300 & echo $! >"$1"; wait'
    begun = time.monotonic()
    with pytest.raises(DeviceLost, match="did not end in 1 s"):
        transport.run(("sh", "-c", script, "sh", str(there / "pid")), Deadline(1.0))
    assert time.monotonic() - begun < 10
    pid = int((there / "pid").read_text())
    until(lambda: not is_running(pid), ENDED_S)


def test_a_file_is_sent_whole_and_private(transport: Transport, tmp_path: Path, there: Path) -> None:
    source, target = tmp_path / "source", there / "target"
    source.write_bytes(os.urandom(300_001))
    transport.send_file(source, str(target), Deadline(SOON))
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_sent(transport: Transport, tmp_path: Path, there: Path) -> None:
    source = tmp_path / "source"
    source.touch()
    transport.send_file(source, str(there / "target"), Deadline(SOON))
    assert (there / "target").read_bytes() == b""


def test_what_is_there_is_replaced_and_made_private(transport: Transport, tmp_path: Path, there: Path) -> None:
    source, target = tmp_path / "source", there / "target"
    source.write_bytes(b"new")
    target.write_bytes(b"older and longer")
    target.chmod(0o644)
    transport.send_file(source, str(target), Deadline(SOON))
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", 0o600)


def test_progress_ends_with_all(transport: Transport, tmp_path: Path, there: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(100_000))
    told: list[tuple[int, int]] = []
    transport.send_file(source, str(there / "t"), Deadline(SOON), lambda sent, total: told.append((sent, total)))
    assert told == sorted(told)
    assert told[-1] == (100_000, 100_000)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name])
def test_names_are_nothing_but_names(transport: Transport, tmp_path: Path, there: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(b"content")
    transport.send_file(source, str(there / name), Deadline(SOON))
    transport.fetch_file(str(there / name), tmp_path / "back", Deadline(SOON))
    assert (tmp_path / "back").read_bytes() == b"content"
    assert [file.name for file in there.iterdir()] == [name]


def test_a_file_of_this_machine_that_is_not_there_is_its_own_error(transport: Transport, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        transport.send_file(tmp_path / "missing", str(tmp_path / "t"), Deadline(SOON))


def test_a_folder_that_is_not_there_is_an_error_and_no_loss(transport: Transport, tmp_path: Path, there: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises((DeviceError, OSError)) as caught:
        transport.send_file(source, str(there / "no" / "t"), Deadline(SOON))
    assert not isinstance(caught.value, DeviceLost)
    assert transport.run(("true",), Deadline(SOON)).exit_code == 0


def test_a_file_is_fetched_whole(transport: Transport, tmp_path: Path, there: Path) -> None:
    (there / "source").write_bytes(content := os.urandom(300_001))
    transport.fetch_file(str(there / "source"), tmp_path / "target", Deadline(SOON))
    assert (tmp_path / "target").read_bytes() == content


def test_a_file_that_cannot_be_fetched_leaves_nothing(transport: Transport, tmp_path: Path, there: Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises((DeviceError, OSError)):
        transport.fetch_file(str(there / "missing"), tmp_path / "to" / "t", Deadline(SOON))
    assert list((tmp_path / "to").iterdir()) == []


def test_lines_go_both_ways(transport: Transport) -> None:
    lines = transport.start(("cat",))
    try:
        for text in (b"one", b"", b"x" * 100_000):
            lines.send(text)
            assert lines.receive(Deadline(SOON)) == text
    finally:
        lines.close()


def test_the_end_of_a_process_says_how_and_its_last_words(transport: Transport) -> None:
    lines = transport.start(("sh", "-c", "echo first; echo 'it hurts' >&2; exit 3"))
    try:
        assert lines.receive(Deadline(SOON)) == b"first"
        for _ in range(2):  # the end stays the end
            with pytest.raises(DeviceLost, match=r"exit code 3; it hurts"):
                lines.receive(Deadline(SOON))
    finally:
        lines.close()


def test_a_silence_is_a_loss(transport: Transport) -> None:
    lines = transport.start(("cat",))  # which ends with its stdin
    try:
        with pytest.raises(DeviceLost, match="said nothing for 2 s"):
            lines.receive(Deadline(SOON))
        with pytest.raises(DeviceLost, match=r"said nothing for 0\.\d+ s"):
            lines.receive(Deadline(0.1))
    finally:
        lines.close()


@pytest.mark.parametrize("script", ["cat", "trap '' HUP TERM; sleep 300 & wait; sleep 300"])
def test_closing_ends_the_polite_and_the_stubborn(transport: Transport, script: str) -> None:
    lines = transport.start(("sh", "-c", f"echo $$; {script}"))
    pid = int(lines.receive(Deadline(SOON)))
    begun = time.monotonic()
    lines.close()
    assert time.monotonic() - begun < 15
    until(lambda: not is_running(pid), ENDED_S)


def test_closing_wakes_whoever_waits(transport: Transport) -> None:
    lines = transport.start(("cat",))
    closer = threading.Timer(0.2, lines.close)
    closer.start()
    with pytest.raises(DeviceLost):
        lines.receive(Deadline(SOON))
    closer.join()


def test_a_process_that_cannot_start_is_a_loss_with_its_name(transport: Transport) -> None:
    def talk() -> None:
        lines = transport.start(("no-such-program-here",))
        try:
            lines.receive(Deadline(SOON))
        finally:
            lines.close()

    with pytest.raises(DeviceLost, match="no-such-program-here"):
        talk()


def test_what_fled_its_group_holds_nobody_past_the_deadline(transport: Transport, there: Path) -> None:
    pid = there / "pid"
    flee = 'setsid sh -c \'echo $$ > "$1"; exec sleep 120\' sh "$1" & exec sleep 120'
    begun = time.monotonic()
    try:
        with pytest.raises(DeviceLost, match="did not end in"):
            transport.run(("sh", "-c", flee, "sh", str(pid)), Deadline(3.0))
        assert time.monotonic() - begun < 60.0  # and not its 120
    finally:
        until(lambda: pid.exists() and bool(pid.read_text()), ENDED_S)
        with suppress(ProcessLookupError):  # a way may end also those
            os.kill(int(pid.read_text()), signal.SIGKILL)
