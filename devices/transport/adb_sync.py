"""Files over adb's sync service, on a connection of adbutils.

adbutils' own push drops the phone's reason for a failure ("No space left on device") and sends without looking how
much of it went out, so the two loops are ours. Source: packages/modules/adb/SYNC.TXT.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from devices.transport.transport import Sent
from harness.core.deadline import Deadline

if TYPE_CHECKING:
    from adbutils import AdbConnection

_CHUNK = 64 * 1024  # the most that the protocol takes at once
_REGULAR = 0o100000
_PRIVATE = 0o600
_HEADER = struct.Struct("<4sI")
_LONGEST_PATH = 1024


class SyncFailed(Exception):
    """The phone refused, in its own words."""


class HostFailed(Exception):
    """A file of this machine could not be read or written. error is the OSError."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextlib.contextmanager
def _of_the_host() -> Iterator[None]:
    """Marks the host's own errors, which are not the link's."""
    try:
        yield
    except OSError as exc:
        raise HostFailed(exc) from exc


def send(link: "AdbConnection", source: BinaryIO, target: str, deadline: Deadline, sent: Sent) -> None:
    """Write a file at target, private to its owner. Raises SyncFailed, HostFailed, OSError, EOFError."""
    total, done = os.fstat(source.fileno()).st_size, 0
    _order(link, b"SEND", f"{target},{_REGULAR | _PRIVATE}")
    try:
        while piece := _read(source):
            link.conn.settimeout(max(deadline.remaining, 0.001))
            link.conn.sendall(_HEADER.pack(b"DATA", len(piece)) + piece)
            done += len(piece)
            sent(done, total)
        link.conn.sendall(_HEADER.pack(b"DONE", int(os.fstat(source.fileno()).st_mtime) & 0xFFFFFFFF))
    except (BrokenPipeError, ConnectionResetError):
        _answer(link, deadline)  # it says why before it hangs up
        raise
    _answer(link, deadline)


def _read(source: BinaryIO) -> bytes:
    with _of_the_host():
        return source.read(_CHUNK)


def fetch(link: "AdbConnection", source: str, target: Path, deadline: Deadline) -> None:
    """Read a file into target, whole or not at all. Raises SyncFailed, HostFailed, OSError, EOFError."""
    part = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        with _of_the_host():
            part.touch(mode=_PRIVATE, exist_ok=False)
        for piece in _pieces(link, source, deadline):
            with _of_the_host(), part.open("ab") as out:
                out.write(piece)
        with _of_the_host():
            part.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _pieces(link: "AdbConnection", source: str, deadline: Deadline) -> Iterator[bytes]:
    _order(link, b"RECV", source)
    while True:
        link.conn.settimeout(max(deadline.remaining, 0.001))
        kind, length = _HEADER.unpack(link.read_exact(_HEADER.size))
        if kind == b"DONE":
            return
        content = link.read_exact(length)
        if kind == b"FAIL":
            raise SyncFailed(content.decode("utf-8", "replace"))
        if kind != b"DATA" or length > _CHUNK:
            raise SyncFailed(f"it answers {kind!r} with {length} bytes, which is not adb's sync protocol")
        yield content


def _order(link: "AdbConnection", kind: bytes, path: str) -> None:
    encoded = path.encode()
    if len(encoded) > _LONGEST_PATH:
        raise SyncFailed(f"{path}: File name too long")
    link.send_command("sync:")
    link.check_okay()
    link.conn.sendall(_HEADER.pack(kind, len(encoded)) + encoded)


def _answer(link: "AdbConnection", deadline: Deadline) -> None:
    link.conn.settimeout(max(deadline.remaining, 0.001))
    kind, length = _HEADER.unpack(link.read_exact(_HEADER.size))
    if kind == b"FAIL":
        raise SyncFailed(link.read_exact(length).decode("utf-8", "replace"))
    if kind != b"OKAY":
        raise SyncFailed(f"it answers {kind!r}, which is not adb's sync protocol")
