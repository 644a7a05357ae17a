"""What paramiko and sockets raise, in the bench's own words. The one place where they are translated."""

import socket
from collections.abc import Mapping

import paramiko
import paramiko.ber
import paramiko.buffered_pipe
import paramiko.hostkeys
import paramiko.packet
import paramiko.pkey

from harness.core.errors import DeviceError, DeviceLost, DeviceRefused

# By class; the nearest in an exception's order of classes counts. {exc} is what it says itself.
_TABLE: Mapping[type[BaseException], tuple[type[DeviceError], str]] = {
    paramiko.PasswordRequiredException: (DeviceRefused, "a key has a passphrase; add it to the agent with `ssh-add`"),
    paramiko.BadAuthenticationType: (DeviceRefused, "it takes no such way to log in: {exc}"),
    paramiko.AuthenticationException: (DeviceRefused, "it refused user, key or password: {exc}"),
    paramiko.BadHostKeyException: (DeviceRefused, "its host key is another"),
    paramiko.IncompatiblePeer: (DeviceRefused, "it speaks no cipher or key exchange that we do: {exc}"),
    paramiko.ConfigParseError: (DeviceRefused, "ssh_config cannot be read: {exc}"),
    paramiko.CouldNotCanonicalize: (DeviceRefused, "ssh_config has a name that cannot be resolved: {exc}"),
    paramiko.pkey.UnknownKeyType: (DeviceRefused, "a key is of a type that is not supported: {exc}"),
    paramiko.hostkeys.InvalidHostKey: (DeviceRefused, "known_hosts has a line that makes no sense: {exc}"),
    paramiko.ChannelException: (DeviceLost, "it opens no channel: {exc}; see AllowTcpForwarding and MaxSessions there"),
    paramiko.ProxyCommandFailure: (DeviceLost, "the way through a ProxyCommand broke: {exc}"),
    paramiko.SSHException: (DeviceLost, "the connection broke: {exc}"),
    paramiko.SFTPError: (DeviceLost, "its SFTP makes no sense: {exc}"),
    paramiko.ber.BERException: (DeviceRefused, "a key cannot be read: {exc}"),
    paramiko.packet.NeedRekeyException: (DeviceLost, "the connection broke while its keys were renewed"),
    paramiko.buffered_pipe.PipeTimeout: (DeviceLost, "no answer in time"),
    socket.gaierror: (DeviceLost, "its name cannot be resolved: {exc}; check host, or write its address"),
    socket.herror: (DeviceLost, "its name cannot be resolved: {exc}; check host, or write its address"),
    ConnectionRefusedError: (DeviceLost, "nothing listens there; is sshd on, and the port right?"),
    ConnectionError: (DeviceLost, "the connection broke: {exc}"),
    TimeoutError: (DeviceLost, "no answer in time; is it on, and its cable in?"),
    EOFError: (DeviceLost, "the connection ended"),
    OSError: (DeviceLost, "the connection failed: {exc}; is it on, and its cable in?"),
}
FOREIGN = tuple(_TABLE)


def translate(device: str, doing: str, exc: BaseException) -> DeviceError:
    """What a foreign exception means. Raises KeyError for one that is not in the table."""
    kind = next((kind for kind in type(exc).__mro__ if kind in _TABLE), None)
    if kind is None:
        raise KeyError(type(exc)) from exc
    error, words = _TABLE[kind]
    return error(device, f"{doing}: {words.format(exc=_said(exc))}")


def _said(exc: BaseException) -> str:
    """On one line, and never empty."""
    return " / ".join(str(getattr(exc, "strerror", None) or exc).split("\n")) or type(exc).__name__
