"""Files to and from a board: by SFTP, or through `cat` where it has none."""

import contextlib
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import paramiko

from devices.transport.ssh_command import Command
from devices.transport.ssh_link import Link
from devices.transport.transport import Sent
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceFull, DeviceLost
from harness.core.units import Seconds

_CHUNK = 1 << 15  # the largest write that every SFTP server takes
_PRIVATE = 0o600
_ASK_S: Seconds = 10.0
_NO_SPACE = "No space left on device"
_WRITE = 'umask 077; rm -f "$1"; cat >"$1"'


class HostFault(Exception):
    """A file of this machine failed: kept apart from the errors of sockets, which are OSErrors too."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def of_the_host() -> Iterator[None]:
    """What is done to this machine's own files."""
    try:
        yield
    except OSError as exc:
        raise HostFault(exc) from exc


def send(device: str, link: Link, source: Path, target: str, deadline: Deadline, sent: Sent) -> None:
    """Copy a file to the board. Raises HostFault, DeviceFull, DeviceLost, DeviceError."""
    with of_the_host():
        stream = source.open("rb")
    with stream:
        size = os.fstat(stream.fileno()).st_size
        pieces = _pieces(stream, size, sent)
        with link.within(deadline, f"sending {source.name!r}"):
            sftp = link.open_sftp()
            if sftp is None:
                _send_by_cat(device, link, pieces, target, deadline)
                return
            try:
                _send_by_sftp(sftp, pieces, target, size)
            except OSError as exc:
                if not link.is_alive:
                    raise
                raise _refused(device, link, target, size, exc) from exc
            finally:
                _close(sftp)


def fetch(device: str, link: Link, source: str, part: Path, deadline: Deadline) -> None:
    """Copy a file of the board to a file of this machine. Raises HostFault, DeviceLost, DeviceError."""
    with of_the_host():
        stream = part.open("xb")
    with stream, link.within(deadline, f"fetching {source!r}"):
        sftp = link.open_sftp()
        if sftp is None:
            _fetch_by_cat(device, link, source, stream, deadline)
            return
        try:
            _fetch_by_sftp(sftp, source, stream)
        except OSError as exc:
            if not link.is_alive:
                raise
            raise DeviceError(device, f"{source}: {exc.strerror or exc}") from exc
        finally:
            _close(sftp)


def _pieces(stream: IO[bytes], size: int, sent: Sent) -> Iterator[bytes]:
    done = 0
    while True:
        with of_the_host():
            piece = stream.read(_CHUNK)
        if not piece:
            return
        yield piece
        done += len(piece)
        sent(done, max(size, done))


def _send_by_sftp(sftp: "paramiko.SFTPClient", pieces: Iterator[bytes], target: str, size: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        sftp.chmod(target, _PRIVATE)  # a file that is there keeps its mode when it is opened
    remote = sftp.open(target, "wb")
    try:
        remote.chmod(_PRIVATE)
        remote.set_pipelined(True)
        for piece in pieces:
            remote.write(piece)
        remote.close()
    except BaseException:
        remote.set_pipelined(False)  # else it would wait for the answers to what was sent, also when it is collected
        with contextlib.suppress(Exception):
            remote.close()
        raise
    written = sftp.stat(target).st_size
    if written != size:
        raise OSError(f"{written} of {size} bytes were written")


def _fetch_by_sftp(sftp: "paramiko.SFTPClient", source: str, stream: IO[bytes]) -> None:
    with sftp.open(source, "rb") as remote:
        size = remote.stat().st_size
        remote.prefetch(size)
        left = size
        while piece := remote.read(_CHUNK):
            left -= len(piece)
            with of_the_host():
                stream.write(piece)
    if left > 0:
        raise OSError(f"{left} of {size} bytes are missing")


def _close(sftp: "paramiko.SFTPClient") -> None:
    with contextlib.suppress(Exception):
        sftp.close()


def _send_by_cat(device: str, link: Link, pieces: Iterator[bytes], target: str, deadline: Deadline) -> None:
    done = Command(device, link, ("sh", "-c", _WRITE, "sh", target)).complete(deadline, pieces)
    if done.exit_code:
        if _NO_SPACE in done.words:
            raise _full(device, target)
        raise DeviceError(device, f"{target} cannot be written: {done.words}")


def _fetch_by_cat(device: str, link: Link, source: str, stream: IO[bytes], deadline: Deadline) -> None:
    def take(piece: bytes) -> None:
        with of_the_host():
            stream.write(piece)

    done = Command(device, link, ("cat", source)).complete(deadline, take=take)
    if done.exit_code:
        raise DeviceError(device, f"{source} cannot be read: {done.words}")


def _refused(device: str, link: Link, target: str, size: int, exc: OSError) -> DeviceError:
    """SFTP has one word, failure, for a full disk and much else: the free space tells."""
    if exc.errno is None and (left := _free(device, link, posixpath.dirname(target))) is not None and left < size:
        return _full(device, target)
    return DeviceError(device, f"{target} cannot be written: {exc.strerror or exc}")


def _full(device: str, target: str) -> DeviceFull:
    folder = posixpath.dirname(target)
    return DeviceFull(device, f"no space is left for {folder}; make room there, `devices --clean` removes old files")


def _free(device: str, link: Link, folder: str) -> int | None:
    """Bytes left for us where the folder is; None where that is not to be had."""
    try:
        done = Command(device, link, ("df", "-P", "-k", folder)).complete(Deadline(_ASK_S))
        return int(done.stdout.split(b"\n")[1].split()[3]) * 1024
    except (DeviceLost, IndexError, ValueError):
        return None
