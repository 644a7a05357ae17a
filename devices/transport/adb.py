"""Android phones, by adb: the adb program for commands, adbutils for the server and for files.

Never run on a real phone yet: its tests use the real adb program, the real adbutils and an emulated adbd.
"""

import contextlib
import re
import secrets
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from devices.transport import adb_sync
from devices.transport.adb_errors import refuse
from devices.transport.adb_server import CONNECT_S, AdbServer
from devices.transport.local import SILENCE_S, ProcessLines
from devices.transport.transport import Completed, Sent, unheard
from harness.core.deadline import Deadline
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Bytes, Seconds

if TYPE_CHECKING:
    from adbutils import AdbClient, AdbConnection

_MOST_OUTPUT: Bytes = 16 << 20
_PIECE = 65536
_GRACE_S: Seconds = 3.0
_PRIVATE = "600"
# Around a text for the phone's shell. adbd makes it the leader of a group and hangs up on it alone when its client
# goes: it then ends the whole group. What adbd gives on stdin goes past the shell, which gives its children none.
_GROUP = """trap 'trap "" HUP; kill -9 0' HUP; exec 3<&0; sh -c %s <&3 3<&- & wait $!; c=$?; """
# The same for a command without stdin, which ends with its host too: an adb client outlives the process that started
# it, but not the pipe to its stdin, whose end adbd passes on.
_TIED = """trap 'trap "" HUP; kill -9 0' HUP; exec 3<&0 </dev/null; sh -c %s 3<&- & p=$!
(read -r x <&3; kill -9 0) >/dev/null 2>&1 & w=$!; exec 3<&-; wait $p; c=$?; kill -9 $w; """
_EXIT = "exit $c"
# On stderr at the end: without it adb's own failures (exit code 1, or 255 where the link broke) look like a command's.
_TELL = "printf '\\n%s %%s\\n' $c >&2; "
_TOLD = rb"\n%s (\d+)\n"


def quoted(argv: Sequence[str]) -> str:
    """Words for the phone's shell: the one place that makes text of them. adb shell takes only text."""
    return " ".join(shlex.quote(word) for word in argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """How a long command ended. ended_by is `exit`, `deadline`, `output` (too much of it) or `cancelled`."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    ended_by: str


class AdbTransport:
    """Commands and files of one phone. device names it in errors; every call is bounded by its deadline.

    Killing the adb client ends the command on the phone with all that it started (adbd hangs up on it), which is how
    a deadline works; where the link is gone too, adbd does so by itself when it notices.
    """

    def __init__(
        self, device: str, address: AdbAddress, silence_s: Seconds = SILENCE_S, connect_s: Seconds = CONNECT_S
    ) -> None:
        self.device = device
        self.server = AdbServer(device, address, connect_s)
        self._silence_s = silence_s
        self._serial: str | None = None
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._cancelled: set[subprocess.Popen[bytes]] = set()
        self._lines: set[ProcessLines] = set()
        self._is_closed = False

    @property
    def serial(self) -> str:
        """As `adb devices` shows it, found and checked once. Raises DeviceLost, DeviceRefused."""
        if self._serial is None:
            self._serial = self.server.choose()
        return self._serial

    def attach(self) -> None:
        """See that the phone answers, after a loss too. Raises DeviceLost, DeviceRefused."""
        self.server.check(self.serial)

    def run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        return self.shell(f"exec {quoted(argv)}", deadline, stdin)

    def shell(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Completed:
        """Run a fixed text of ours in the phone's shell. Names go into it by `quoted` alone."""
        ended = self.stream(script, deadline, stdin)
        if ended.ended_by == "deadline":
            raise DeviceLost(self.device, f"{_short(script)} did not end in {deadline.seconds:g} s")
        if ended.ended_by == "output":
            raise DeviceError(self.device, f"{_short(script)} said more than {_MOST_OUTPUT >> 20} MiB")
        return Completed(exit_code=ended.exit_code, stdout=ended.stdout, stderr=ended.stderr)

    def stream(self, script: str, deadline: Deadline, stdin: bytes = b"", most: Bytes = _MOST_OUTPUT) -> Streamed:
        """Run a text to its end, to the deadline or until it has said too much, and say which. Raises DeviceLost."""
        return self._stream(_GROUP, script, deadline, stdin, most)

    def stream_tied(self, script: str, deadline: Deadline, most: Bytes = _MOST_OUTPUT) -> Streamed:
        """The same without stdin, for what may take long: also ended where this process is killed."""
        return self._stream(_TIED, script, deadline, None, most)

    def _stream(self, group: str, script: str, deadline: Deadline, stdin: bytes | None, most: Bytes) -> Streamed:
        mark = secrets.token_hex(8)
        text = group % quoted((script,)) + _TELL % mark + _EXIT
        ended = self._client(("shell", "-T", text), deadline, stdin, most)
        if ended.ended_by == "cancelled":
            raise DeviceLost(self.device, "it is closed; enter it to measure on it")
        return self._without_mark(ended, mark) if ended.ended_by == "exit" else ended

    def _without_mark(self, ended: Streamed, mark: str) -> Streamed:
        """The command's own end. Without the mark it had none: adb's words say why."""
        found = re.search(_TOLD % mark.encode(), ended.stderr)
        if found is None:
            self.attach()  # what it is, where it is not there
            words = ended.stderr.decode("utf-8", "replace").strip()
            raise refuse(self.device, f"the connection ended without an exit code {words}".strip())
        rest = ended.stderr[: found.start()] + ended.stderr[found.end() :]
        return replace(ended, exit_code=int(found[1]), stderr=rest)

    def send_file(self, source: Path, target: str, deadline: Deadline, sent: Sent = unheard) -> None:
        with source.open("rb") as stream:
            self._sync(lambda link: adb_sync.send(link, stream, target, deadline, sent), deadline, target)
        done = self.run(("chmod", _PRIVATE, target), deadline)  # adbd gives the owner's rights to everybody
        if done.exit_code != 0:
            raise DeviceError(self.device, f"{target} cannot be made private: {done.words}")

    def fetch_file(self, source: str, target: Path, deadline: Deadline) -> None:
        self._sync(lambda link: adb_sync.fetch(link, source, target, deadline), deadline, source)

    def _sync(self, work: "Callable[[AdbConnection], None]", deadline: Deadline, place: str) -> None:
        self._check_open()
        serial = self.serial

        def do(client: "AdbClient") -> None:
            with client.device(serial=serial).open_transport(timeout=max(deadline.remaining, 0.001)) as link:
                work(link)

        try:
            self.server.ask(do, max(deadline.remaining, 0.001))
        except adb_sync.SyncFailed as exc:
            raise _of_sync(self.device, f"{place}: {exc}") from exc
        except adb_sync.HostFailed as exc:
            raise exc.error from exc

    def start(self, argv: Sequence[str]) -> ProcessLines:
        self._check_open()
        text = _GROUP % quoted((f"exec {quoted(argv)}",)) + _EXIT
        lines = ProcessLines(self.device, self.server.argv(self.serial, "shell", "-T", text), self._silence_s)
        with self._lock:
            self._lines.add(lines)
        return lines

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            running, lines = tuple(self._running), tuple(self._lines)
            self._cancelled.update(running)
            self._lines.clear()
        for process in running:
            process.kill()
        for each in lines:
            each.close()

    def reopen(self) -> None:
        """After close, for a device that is entered again."""
        self._is_closed = False

    def _check_open(self) -> None:
        if self._is_closed:
            raise DeviceLost(self.device, "it is closed; enter it to measure on it")

    def _client(self, words: Sequence[str], deadline: Deadline, stdin: bytes | None, most: Bytes) -> Streamed:
        self._check_open()
        argv = self.server.argv(self.serial, *words)
        self.server.ensure()
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, env=self.server.environment, start_new_session=True
            )
        except OSError as exc:
            raise DeviceError(self.device, f"{argv[0]}: {exc.strerror}; set adb to a working adb") from exc
        with self._lock:
            self._running.add(process)
            if self._is_closed:  # since it was looked at; close has not seen this one
                self._cancelled.add(process)
                process.kill()
        try:
            return _Client(process, stdin, most).wait(deadline, lambda: process in self._cancelled)
        finally:
            with self._lock:
                self._running.discard(process)
                self._cancelled.discard(process)


@dataclass(slots=True)
class _Client:
    """An adb client with its output read by two threads, up to `most` bytes. stdin None: an open one, and no byte."""

    process: subprocess.Popen[bytes]
    stdin: bytes | None
    most: Bytes
    _out: bytearray = field(default_factory=bytearray)
    _err: bytearray = field(default_factory=bytearray)
    _is_too_much: bool = False

    def wait(self, deadline: Deadline, is_cancelled: Callable[[], bool]) -> Streamed:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._out), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self._err), daemon=True),
            threading.Thread(target=self._feed, args=(self.process.stdin,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        # wait with a timeout looks every 50 ms, which is longer than most commands take
        waiting = threading.Thread(target=self.process.wait, daemon=True)
        try:
            waiting.start()
            waiting.join(deadline.remaining)
            ended_by = "deadline" if waiting.is_alive() else "exit"
        finally:
            self.process.kill()  # also on Ctrl-C: the remote goes with its client
            self.process.wait()
        for thread in threads:
            thread.join(_GRACE_S)
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        if self._is_too_much:
            ended_by = "output"
        elif is_cancelled():
            ended_by = "cancelled"
        code = self.process.returncode
        return Streamed(
            exit_code=128 - code if code < 0 else code,
            stdout=bytes(self._out),
            stderr=bytes(self._err),
            ended_by=ended_by,
        )

    def _read(self, stream: IO[bytes], into: bytearray) -> None:
        with stream:
            while piece := stream.read1(_PIECE):  # type: ignore[attr-defined]
                if len(into) + len(piece) > self.most:
                    self._is_too_much = True
                    self.process.kill()
                    return
                into.extend(piece)

    def _feed(self, stream: IO[bytes]) -> None:
        if self.stdin is not None:
            with contextlib.suppress(OSError, ValueError), stream:
                stream.write(self.stdin)


def _of_sync(device: str, words: str) -> DeviceError:
    error = refuse(device, words)
    # Anything but a full disk is an answer of a phone that is there, so the link is not lost.
    return DeviceError(device, f"it refused a file: {words}") if isinstance(error, DeviceLost) else error


def _short(script: str) -> str:
    first = script.removeprefix("exec ").strip().partition("\n")[0]
    return first if len(first) <= 60 else f"{first[:57]}..."
