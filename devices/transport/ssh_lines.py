"""A process on a board that is spoken to in lines."""

import contextlib
import threading
from collections.abc import Sequence

from devices.transport.inbox import LONGEST_LINE, LONGEST_TAIL_LINE, Inbox
from devices.transport.ssh_command import Mark, new_mark, shell_text
from devices.transport.ssh_errors import FOREIGN
from devices.transport.ssh_link import Link
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Seconds

_CHUNK = 1 << 15
_GRACE_S: Seconds = 3.0


class ChannelLines:
    """Started on creation, within the link's guard. device names it in errors.

    A frozen board still acknowledges what is sent to it: only the silence of a process that should speak tells.
    """

    def __init__(self, device: str, link: Link, argv: Sequence[str], silence_s: Seconds) -> None:
        self._device = device
        self._link = link
        self._silence_s = silence_s
        self._inbox = Inbox(silence_s, self._lost, self._await_end)
        self._mark = Mark(new_mark())
        self._channel = link.start(self._mark.text, shell_text(argv, self._mark.text, become=True))
        self._readers = (
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_tail, daemon=True),
        )
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int | None:
        """The process on the board, which is also its group; None until it has started."""
        return self._mark.pid

    def send(self, line: bytes) -> None:
        """Hand over one line. Raises DeviceLost where nobody reads any more."""
        if self._channel.closed:  # to write would be taken for a break of the connection, which others use too
            raise self._lost("stopped listening")
        try:
            with self._link.within(Deadline(self._silence_s), "handing over a request"):
                self._channel.sendall(line + b"\n")
        except DeviceError as error:
            raise self._lost("stopped listening") from error

    def receive(self, deadline: Deadline) -> bytes:
        """The next line. Raises DeviceLost at the end, after too long a silence, and at the deadline."""
        return self._inbox.take(deadline)

    def _await_end(self) -> None:
        self._channel.status_event.wait(_GRACE_S)
        self._readers[1].join(_GRACE_S)

    def close(self) -> None:
        """End the process and what it started: politely by closing its stdin, then by force over another channel."""
        if self._link.is_alive and not self._channel.closed:
            with contextlib.suppress(DeviceError), self._link.within(Deadline(2 * _GRACE_S), "ending the agent"):
                self._channel.shutdown_write()
                if not self._channel.status_event.wait(_GRACE_S) and self.pid is not None:
                    self._link.kill((self.pid,))
                self._channel.close()
        self._link.groups.forget(self._mark.text)
        for reader in self._readers:
            reader.join(_GRACE_S)

    def _lost(self, what: str) -> DeviceLost:
        status = self._channel.exit_status
        if status >= 0:
            ending = f"exit code {status}"
        elif not self._link.is_alive:
            ending = "the connection is gone"
        else:
            ending = "ended by a signal" if self._channel.closed else "still running"
        return DeviceLost(self._device, f"the agent {what} ({ending}; {self._inbox.last_words})")

    def _read_lines(self) -> None:
        partial = bytearray()
        with contextlib.suppress(*FOREIGN):
            while piece := self._channel.recv(_CHUNK):
                self._take(piece, partial)
                if len(partial) > LONGEST_LINE or (self.pid is None and len(self._mark.before) > LONGEST_LINE):
                    break
        if self.pid is None:
            self._link.groups.forget(self._mark.text)  # it will not be told any more
        self._inbox.put(None)

    def _take(self, piece: bytes, partial: bytearray) -> None:
        known = self.pid
        piece = self._mark.after(piece)
        if known is None and self.pid is not None:
            self._link.groups.know(self._mark.text, self.pid)
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._inbox.put(bytes(partial) + line)
            partial.clear()
        partial += rest

    def _read_tail(self) -> None:
        partial = b""
        with contextlib.suppress(*FOREIGN):
            while piece := self._channel.recv_stderr(_CHUNK):
                *lines, partial = (partial + piece).split(b"\n")
                for line in lines:
                    self._inbox.note(line)
                partial = partial[:LONGEST_TAIL_LINE]
        if partial:
            self._inbox.note(partial)
