"""A board, as it is reached by SSH. What it needs there: sshd, a POSIX shell, and for files SFTP or `cat`."""

import contextlib
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

from devices.transport import ssh_files
from devices.transport.ssh_address import route_to
from devices.transport.ssh_command import Command
from devices.transport.ssh_files import HostFault
from devices.transport.ssh_lines import ChannelLines
from devices.transport.ssh_link import Link, Patience
from devices.transport.transport import Completed, Sent, unheard
from harness.core.deadline import Deadline
from harness.core.device import SshAddress
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Seconds

_KILL_S: Seconds = 5.0  # beyond a command's deadline, to end it on the board too
_STDIN_CHUNK = 1 << 15


class SshTransport:
    """Connects when it is first used, and again after the connection was lost. device names it in errors.

    Raises DeviceRefused, beside what Transport says, where the board does not let us in.
    """

    def __init__(self, device: str, address: SshAddress, patience: Patience | None = None) -> None:
        self._device = device
        self._address = address
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._connecting: Link | None = None
        self._closed = threading.Event()

    @property
    def host_key(self) -> str:
        """The fingerprint of the board's own key, as OpenSSH shows it."""
        return self._linked().host_key

    @property
    def is_lost(self) -> bool:
        """Whether it was connected, and the connection is gone."""
        link = self._link
        return self._closed.is_set() or (link is not None and not link.is_alive)

    def run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        link = self._linked()
        pieces = (stdin[at : at + _STDIN_CHUNK] for at in range(0, len(stdin), _STDIN_CHUNK))
        with link.within(Deadline(deadline.remaining + _KILL_S), argv[0]):
            return Command(self._device, link, argv).complete(deadline, pieces if stdin else None)

    def send_file(self, source: Path, target: str, deadline: Deadline, sent: Sent = unheard) -> None:
        try:
            ssh_files.send(self._device, self._linked(), source, target, deadline, sent)
        except HostFault as fault:
            raise fault.cause from None

    def fetch_file(self, source: str, target: Path, deadline: Deadline) -> None:
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            ssh_files.fetch(self._device, self._linked(), source, part, deadline)
            part.replace(target)
        except HostFault as fault:
            raise fault.cause from None
        finally:
            part.unlink(missing_ok=True)

    def start(self, argv: Sequence[str]) -> ChannelLines:
        link = self._linked()
        with link.within(Deadline(self._patience.connect_s), argv[0]):
            return ChannelLines(self._device, link, argv, self._patience.silence_s)

    def close(self) -> None:
        self._closed.set()  # before the look: whoever begins to connect now sees it
        if (connecting := self._connecting) is not None:
            connecting.abort()  # whoever connects has the lock
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _linked(self) -> Link:
        with self._lock:
            if self._closed.is_set():
                raise self._was_closed()
            if self._link is None or not self._link.is_alive:
                lost, self._link = self._link, None
                if lost is not None:
                    lost.abort()  # the servers on the way may still be there
                self._link = self._connect()
            link = self._link
        if self._closed.is_set():
            with contextlib.suppress(DeviceLost):
                link.close()
            raise self._was_closed()
        return link

    def _connect(self) -> Link:
        hops, link = route_to(self._device, self._address), Link(self._device, self._patience)
        self._connecting = link
        try:
            if self._closed.is_set():
                raise self._was_closed()
            return link.connect(hops)
        except DeviceError as error:
            raise (self._was_closed() if self._closed.is_set() else error) from error
        finally:
            self._connecting = None

    def _was_closed(self) -> DeviceLost:
        return DeviceLost(self._device, "the connection was closed")
