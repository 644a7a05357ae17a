"""This machine, as a device is reached: commands, files, and a process that is spoken to in lines."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from devices.transport.inbox import LONGEST_LINE, LONGEST_TAIL_LINE, Inbox
from devices.transport.transport import Completed, Sent, unheard
from harness.core.deadline import Deadline
from harness.core.errors import DeviceLost
from harness.core.units import Seconds

SILENCE_S: Seconds = 15.0  # the agent's heart beats every second
_GRACE_S: Seconds = 3.0
_PRIVATE = 0o600


class LocalTransport:
    """Commands and files of this machine. device names it in errors."""

    def __init__(self, device: str, silence_s: Seconds = SILENCE_S) -> None:
        self._device = device
        self._silence_s = silence_s

    def run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except OSError as exc:
            return Completed(exit_code=127, stdout=b"", stderr=f"{argv[0]}: {exc.strerror}".encode())
        try:
            stdout, stderr = process.communicate(stdin, deadline.remaining)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise DeviceLost(self._device, f"{argv[0]} did not end in {deadline.seconds:g} s") from None
        except BaseException:  # Ctrl-C reaches us alone: it has a session of its own
            _kill(process)
            raise
        code = process.returncode
        return Completed(exit_code=128 - code if code < 0 else code, stdout=stdout, stderr=stderr)

    def send_file(self, source: Path, target: str, deadline: Deadline, sent: Sent = unheard) -> None:  # noqa: ARG002 (a copy does not hang)
        _copy(source, Path(target))
        size = source.stat().st_size
        sent(size, size)

    def fetch_file(self, source: str, target: Path, deadline: Deadline) -> None:  # noqa: ARG002 (a copy does not hang)
        _copy(Path(source), target)

    def start(self, argv: Sequence[str]) -> "ProcessLines":
        return ProcessLines(self._device, argv, self._silence_s)

    def close(self) -> None:
        pass


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and its group. What fled the group may keep the pipes open: nobody waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_GRACE_S)
    process.wait()
    for stream in _pipes(process):
        stream.close()


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        shutil.copyfile(source, part)
        part.chmod(_PRIVATE)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class ProcessLines:
    """Starts argv in a session of its own, so that a Ctrl-C of the terminal reaches it only through us.

    device names it in errors. Lines are bytes without their newline.
    """

    def __init__(self, device: str, argv: Sequence[str], silence_s: Seconds = SILENCE_S) -> None:
        self._device = device
        self._inbox = Inbox(silence_s, self._lost, self._await_end)
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except OSError as exc:
            raise DeviceLost(device, f"the agent cannot be started with {argv[0]}: {exc.strerror}") from exc
        self._input, output, errors = _pipes(self._process)
        self._readers = (
            threading.Thread(target=self._read_lines, args=(output,), daemon=True),
            threading.Thread(target=self._read_tail, args=(errors,), daemon=True),
        )
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Hand over one line. Raises DeviceLost where nobody reads any more."""
        try:
            self._input.write(line + b"\n")
            self._input.flush()
        except (OSError, ValueError) as exc:
            raise self._lost("stopped listening") from exc

    def receive(self, deadline: Deadline) -> bytes:
        """The next line. Raises DeviceLost at the end, after too long a silence, and at the deadline."""
        return self._inbox.take(deadline)

    def close(self) -> None:
        """End the process and with it everything it started: politely by closing its stdin, then by force."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(_GRACE_S)

    def _await_end(self) -> None:
        """The pipes close a moment before the process has ended and its last words have arrived."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
            self._readers[1].join(_GRACE_S)

    def _lost(self, what: str) -> DeviceLost:
        code = self._process.poll()
        ending = "still running" if code is None else f"exit code {128 - code if code < 0 else code}"
        return DeviceLost(self._device, f"the agent {what} ({ending}; {self._inbox.last_words})")

    def _read_lines(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    break
                self._inbox.put(line[:-1])
        self._inbox.put(None)

    def _read_tail(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(LONGEST_TAIL_LINE):
                self._inbox.note(line)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr
