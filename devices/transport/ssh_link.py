"""One authenticated connection to a board, through the servers on the way, and the guard that bounds its uses."""

import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import paramiko

from devices.transport.ssh_address import Hop
from devices.transport.ssh_errors import FOREIGN, translate
from devices.transport.ssh_groups import Groups
from devices.transport.ssh_host_keys import KnownHosts, fingerprint
from devices.transport.ssh_login import log_in
from devices.transport.ssh_names import resolve
from devices.transport.ssh_watch import Watch
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Seconds

# paramiko would write to stderr where nobody listens to its log.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
# With hardware for AES the fastest that paramiko has; the others stay as they are.
_FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux alone
_KILL_S: Seconds = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited. dead_s: data may stay unacknowledged, then the network is taken for cut (TCP_USER_TIMEOUT).

    silence_s: the process on the other end may say nothing. keepalive_s: an idle connection is tried as often.
    """

    connect_s: Seconds = 20.0
    dead_s: Seconds = 10.0
    silence_s: Seconds = 15.0
    keepalive_s: int = 5


class Link:
    """Connected by connect, which any thread may end by abort."""

    def __init__(self, device: str, patience: Patience) -> None:
        self._device = device
        self._patience = patience
        self._sockets: list[socket.socket] = []
        self._transports: list[paramiko.Transport] = []
        self._gone = False
        self._watch = Watch(self.abort)
        self.groups = Groups()

    def connect(self, hops: Sequence[Hop]) -> "Link":
        """Connect through all of them to the last. Raises DeviceLost, DeviceRefused."""
        try:
            for hop in hops:
                with self.within(Deadline(self._patience.connect_s), str(hop)):
                    self._connect(hop)
        except BaseException:
            self.abort()
            raise
        return self

    @property
    def is_alive(self) -> bool:
        return not self._gone and self._transports[-1].is_active()

    @property
    def host_key(self) -> str:
        """The fingerprint of the board's own key."""
        return fingerprint(self._transports[-1].get_remote_server_key())

    @contextmanager
    def within(self, deadline: Deadline, doing: str) -> Iterator[None]:
        """Bound whatever is done with the link: at the deadline it is cut, since nothing else ends a stalled write.

        Raises DeviceLost and DeviceRefused for what paramiko and sockets raise.
        """
        with self._watch.until(deadline) as bound:
            try:
                yield
            except DeviceError as error:
                if bound.expired:
                    raise self._late(doing, deadline) from error
                raise
            except FOREIGN as exc:
                if bound.expired:
                    raise self._late(doing, deadline) from exc
                if not isinstance(exc, paramiko.ChannelException):
                    self.abort()  # whoever writes sees the end before paramiko's own thread does
                raise translate(self._device, doing, exc) from exc

    def open_session(self) -> "paramiko.Channel":
        """A channel for a command. Only within a guard."""
        return self._transports[-1].open_session()

    def open_sftp(self) -> "paramiko.SFTPClient | None":
        """None where the board has no SFTP. Only within a guard."""
        try:
            return paramiko.SFTPClient.from_transport(self._transports[-1])
        except (paramiko.SSHException, EOFError):  # sshd refuses the subsystem, or cannot start it
            if not self.is_alive:
                raise
            return None

    def start(self, mark: str, command: str) -> "paramiko.Channel":
        """Start a command that leads a process group, which says the mark and its number first."""
        channel = self.open_session()
        self.groups.begin(mark)
        try:
            channel.exec_command(command)
        except BaseException:
            self.groups.forget(mark)
            raise
        return channel

    def kill(self, groups: Sequence[int]) -> None:
        """End process groups on the board, over a channel of its own. Bounded; a link that is gone ends nothing."""
        if not groups or not self.is_alive:
            return
        with contextlib.suppress(DeviceError), self.within(Deadline(_KILL_S), "ending a process"):
            channel = self.open_session()
            channel.exec_command("; ".join(_kill(group) for group in groups))
            channel.status_event.wait(_KILL_S)
            channel.close()

    def close(self) -> None:
        """End what runs on the board, then the connection. From any thread, and bounded."""
        if self.is_alive:
            self.kill(self.groups.all(_KILL_S))
        self.abort()

    def abort(self) -> None:
        """Cut the connection now: everybody who waits for it is woken with an error."""
        self._gone = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for transport in reversed(self._transports):
            transport.close()

    def _late(self, doing: str, deadline: Deadline) -> DeviceLost:
        return DeviceLost(self._device, f"{doing}: no end within {deadline.seconds:g} s; the connection was cut")

    def _connect(self, hop: Hop) -> None:
        transport = paramiko.Transport(self._reach(hop) if self._transports else self._dial(hop))
        self._transports.append(transport)
        self._heed_abort()
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = self._patience.connect_s
        known = KnownHosts(hop)
        options = transport.get_security_options()
        options.key_types = known.order(tuple(options.key_types))
        options.ciphers = (*_FIRST_CIPHERS, *(each for each in options.ciphers if each not in _FIRST_CIPHERS))
        transport.start_client(timeout=self._patience.connect_s)
        known.check(self._device, transport.get_remote_server_key())
        log_in(self._device, transport, hop)
        transport.set_keepalive(self._patience.keepalive_s)

    def _reach(self, hop: Hop) -> "paramiko.Channel":
        """A way through the server before. Closing it fails where that is gone, in a thread where nobody catches it."""
        way = self._transports[-1].open_channel("direct-tcpip", (hop.host, hop.port), ("", 0))
        close = way.close

        def close_quietly() -> None:
            with contextlib.suppress(*FOREIGN):
                close()

        way.close = close_quietly
        return way

    def _dial(self, hop: Hop) -> socket.socket:
        """A socket to the first of the host's addresses that answers."""
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "it has no address")
        for family, kind, protocol, _, where in resolve(hop.host, hop.port, self._heed_abort):
            connection = self._socket(family, kind, protocol)
            try:
                connection.connect(where)
                return connection
            except OSError as exc:
                self._heed_abort()
                failure = exc
                connection.close()
        raise failure

    def _socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """One without Nagle's algorithm (44 ms a command with it), which notices a cut network."""
        connection = socket.socket(family, kind, protocol)
        self._sockets.append(connection)
        self._heed_abort()
        connection.settimeout(self._patience.connect_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _TCP_USER_TIMEOUT is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(self._patience.dead_s * 1000))
        return connection

    def _heed_abort(self) -> None:
        """What abort did not find yet is seen here."""
        if self._gone:
            raise DeviceLost(self._device, "the connection was given up")


def _kill(group: int) -> str:
    """For every shell: without `--`, which dash refuses. A server that made no group of it has its children."""
    children = f"`cat /proc/{group}/task/{group}/children 2>/dev/null`"
    return f"kill -KILL -{group} 2>/dev/null || kill -KILL {children} {group} 2>/dev/null"
