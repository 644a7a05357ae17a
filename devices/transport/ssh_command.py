"""A command under way on a board: how it is started so that it can be ended, and its streams."""

import contextlib
import secrets
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence

from devices.transport.ssh_errors import FOREIGN
from devices.transport.ssh_link import Link
from devices.transport.transport import Completed
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused
from harness.core.units import Bytes, Seconds

_CHUNK = 1 << 15
_PIECES = 128  # more than paramiko lets wait to be read, 2 MiB
_LOOK_S: Seconds = 0.05  # while stdout says nothing, stderr is looked at as often
_MARK_S: Seconds = 1.0  # for the mark, when a command is ended before it came
_MOST_OUTPUT: Bytes = 16 << 20  # of stdout and of stderr, and before the mark
# What precedes the mark is not the command's: a login shell's startup files may write to stdout. Before the mark's line
# there is an empty one, since what they wrote may not end in a newline. The first keeps the shell, which tells a death
# by signal (SSH would say it in a message that paramiko drops); the second is replaced by the command.
_RUN = 'printf "\\n%s %s\\n" "$1" $$; shift; "$@"; exit $?'
_BECOME = 'printf "\\n%s %s\\n" "$1" $$; shift; exec "$@"'


def shell_text(argv: Sequence[str], mark: str, *, become: bool = False) -> str:
    """The one place where words become text for the board's login shell, of whatever make: each is quoted.

    sshd makes what it starts the leader of a session, so the number after the mark is that of the process group.
    """
    return "exec " + shlex.join(("sh", "-c", _BECOME if become else _RUN, "sh", mark, *argv))


def new_mark() -> str:
    return f"weighbridge-{secrets.token_hex(8)}"


class Mark:
    """Takes a stream's pieces and lets through what comes after the mark's line."""

    def __init__(self, mark: str) -> None:
        self.text = mark
        self._mark = f"\n{mark} ".encode()
        self._waiting = bytearray(b"\n")
        self.pid: int | None = None

    @property
    def before(self) -> bytes:
        """What was said instead, as long as the mark has not come."""
        return bytes(self._waiting)

    def after(self, piece: bytes) -> bytes:
        if self.pid is not None:
            return piece
        self._waiting += piece
        begin = self._waiting.find(self._mark)
        end = self._waiting.find(b"\n", begin + len(self._mark)) if begin >= 0 else -1
        if end < 0:
            return b""
        self.pid = int(self._waiting[begin + len(self._mark) : end])
        return bytes(self._waiting[end + 1 :])


class Command:
    """Started on creation, within the link's guard."""

    def __init__(self, device: str, link: Link, argv: Sequence[str]) -> None:
        self._device = device
        self._link = link
        self._name = argv[0]
        self._mark = Mark(new_mark())
        self._stderr = bytearray()
        self._channel = link.start(self._mark.text, shell_text(argv, self._mark.text))

    def complete(
        self,
        deadline: Deadline,
        stdin: Iterable[bytes] | None = None,
        take: Callable[[bytes], object] | None = None,
    ) -> Completed:
        """Feed it and read it to its end; take is given stdout instead of the answer. At the deadline it is killed."""
        stdout = bytearray()
        failed: list[BaseException] = []
        try:
            self._begin_feeding(stdin, failed)
            self._read(deadline, take or self._within_bounds(stdout))
            if not self._channel.status_event.wait(deadline.remaining):
                raise TimeoutError
            if failed:
                raise failed[0]
            return self._completed(bytes(stdout))
        except TimeoutError:
            self._end()
            raise DeviceLost(self._device, f"{self._name} did not end in {deadline.seconds:g} s") from None
        except BaseException:
            self._end()
            raise
        finally:
            self._link.groups.forget(self._mark.text)
            self._channel.close()

    def _begin_feeding(self, stdin: Iterable[bytes] | None, failed: list[BaseException]) -> None:
        if stdin is None:
            self._channel.shutdown_write()
        else:
            threading.Thread(target=self._feed, args=(stdin, failed), daemon=True).start()

    def _within_bounds(self, stdout: bytearray) -> Callable[[bytes], object]:
        def take(piece: bytes) -> None:
            stdout.extend(piece)
            self._check_amount(stdout)

        return take

    def _check_amount(self, said: bytes | bytearray) -> None:
        if len(said) > _MOST_OUTPUT:
            raise DeviceError(self._device, f"{self._name} said more than {_MOST_OUTPUT >> 20} MiB")

    def _read(self, deadline: Deadline, take: Callable[[bytes], object]) -> None:
        while (piece := self._next_piece(deadline)) != b"":
            known = self._mark.pid is not None
            if rest := self._mark.after(piece):
                take(rest)
            if self._mark.pid is None:
                self._check_amount(self._mark.before)
            if not known and self._mark.pid is not None:
                self._link.groups.know(self._mark.text, self._mark.pid)

    def _next_piece(self, deadline: Deadline) -> bytes:
        """Of stdout; b"" at its end, which is that of stderr too (RFC 4254, 5.3): no thread has to wait for that."""
        while True:
            self._channel.settimeout(max(min(deadline.remaining, _LOOK_S), 1e-3))
            try:
                piece: bytes = self._channel.recv(_CHUNK)
            except TimeoutError:
                self._take_errors()
                if deadline.expired:
                    raise
                continue
            self._take_errors()
            return piece

    def _take_errors(self) -> None:
        """What has come, since nobody may wait there for room on stderr; of one without end no more than a while."""
        for _ in range(_PIECES):
            if not self._channel.recv_stderr_ready():
                return
            self._stderr += self._channel.recv_stderr(_CHUNK)[: _MOST_OUTPUT - len(self._stderr)]

    def _completed(self, stdout: bytes) -> Completed:
        status = self._channel.exit_status
        if self._mark.pid is None and self._link.is_alive and status >= 0:
            said = Completed(exit_code=status, stdout=self._mark.before, stderr=bytes(self._stderr)).words
            raise DeviceRefused(self._device, f"the user's login shell there starts no commands: {said}")
        if status < 0:
            raise DeviceLost(self._device, f"the connection ended under {self._name}")
        return Completed(exit_code=status, stdout=stdout, stderr=bytes(self._stderr))

    def _end(self) -> None:
        """Kill what runs; its number may still be on its way."""
        with contextlib.suppress(TimeoutError, *FOREIGN):
            ends = Deadline(_MARK_S)
            while self._mark.pid is None and (piece := self._next_piece(ends)):
                self._mark.after(piece)
        self._kill()

    def _kill(self) -> None:
        if self._mark.pid is not None:
            self._link.kill((self._mark.pid,))

    def _feed(self, stdin: Iterable[bytes], failed: list[BaseException]) -> None:
        try:
            for piece in stdin:
                self._send(piece)
            self._channel.shutdown_write()
        except FOREIGN:
            pass  # it reads no more, which is its own affair; or the link is gone, which the reader sees
        except BaseException as exc:  # of the host's own file: the command must not go on as if it had all
            failed.append(exc)
            self._kill()  # the reader has the channel

    def _send(self, piece: bytes) -> None:
        """All of it, whatever timeout the reader has set: the link's guard bounds it."""
        while piece:
            with contextlib.suppress(TimeoutError):
                piece = piece[self._channel.send(piece) :]
            if self._channel.closed or self._channel.eof_sent:
                return
