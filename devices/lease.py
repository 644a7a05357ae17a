"""One measurement at a time on a device: a lock file that dies with its holder."""

import contextlib
import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from devices.agent.shared_files import is_for_all, make_folder, open_shared
from harness.core import digest
from harness.core.errors import DeviceBusy, DeviceError


@dataclass(slots=True)
class _Hold:
    """A lock that this process has: its open file, and how many share it."""

    descriptor: int
    holders: int = 1


_HELD: dict[Path, _Hold] = {}
_GUARD = threading.Lock()
# Not tempfile.gettempdir(): that is each user's own on macOS, and each service's own with systemd's PrivateTmp.
_PLACES = (Path("/run/lock"), Path("/tmp"))
_LONGEST = 40
_NOTE_BYTES = 4096


def lease_folder(places: Sequence[Path] = _PLACES) -> Path:
    """Where the lock files of this machine lie: the same for all its users and processes, whatever TMPDIR they have.

    The first of places that everybody may write to, else the last: what only root may write to would part root from
    the others.
    """
    shared = (place for place in places if is_for_all(str(place)))
    return next(shared, places[-1]) / "weighbridge-leases"


@contextmanager
def lease(device: str, key: str, folder: Path, clock: Callable[[], float] = time.time) -> Iterator[None]:
    """Hold what key stands for, for the duration. Raises DeviceBusy, which names the process that holds it.

    device is the name for errors: two configurations may call the same machine differently, so it is no key.
    Within one process a lease may be taken again: a campaign may hold one machine under several names, and lets them
    take turns by itself.
    flock(2) is given up by the kernel when the holder ends, however it ends. The file stays, so that two who come at
    once meet at the same one.
    """
    path = folder / lock_name(key)
    with _GUARD:
        _take(path, device, clock)
    try:
        yield
    finally:
        with _GUARD:
            _give_back(path)


def holder(key: str, folder: Path) -> str | None:
    """Who holds it now, None where nobody does. The lock is not tried, which could keep somebody else from it."""
    path = folder / lock_name(key)
    try:
        note = json.loads(path.read_bytes()[:_NOTE_BYTES])
        pid, since = int(note["pid"]), float(note["since"])
        if not _has_open(pid, path):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return f"process {pid} has measured on it since {datetime.fromtimestamp(since).astimezone():%Y-%m-%d %H:%M:%S}"


def _has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open; one of another user's is believed. Raises OSError where it has ended."""
    ours = path.stat()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(ours, os.stat(f"/proc/{pid}/fd/{name}")):
                    return True
    except PermissionError:
        return True
    return False


def _take(path: Path, device: str, clock: Callable[[], float]) -> None:
    if hold := _HELD.get(path):
        hold.holders += 1
        return
    try:
        make_folder(str(path.parent), for_all=True)
        descriptor = open_shared(str(path))
    except OSError as exc:
        raise DeviceError(device, f"no lease can be taken in {path}: {exc.strerror}; make the folder writable") from exc
    _HELD[path] = _Hold(descriptor)  # before the lock is taken, so that a fork in between finds it here
    try:
        _lock(descriptor, device)
        _note(descriptor, {"pid": os.getpid(), "since": clock()})
    except BaseException:
        _give_back(path)
        raise


def _give_back(path: Path) -> None:
    hold = _HELD.get(path)
    if hold is None:
        return  # a forked child let it go
    hold.holders -= 1
    if hold.holders == 0:
        del _HELD[path]
        os.close(hold.descriptor)


def lock_name(key: str) -> str:
    """A file name for any key: readable where it can be, and never the same for two."""
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", key)[:_LONGEST]
    return f"{readable}-{digest.of_bytes(key.encode())[:8]}.lock"


def _let_go() -> None:
    """In a forked child: flock goes with the open file, which a child shares and could keep past its parent's end."""
    global _GUARD
    _GUARD = threading.Lock()  # a thread that is not in the child may have held it
    while _HELD:
        os.close(_HELD.popitem()[1].descriptor)


os.register_at_fork(after_in_child=_let_go)


def _lock(descriptor: int, device: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DeviceBusy(device, _holder(descriptor)) from None


def _holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, _NOTE_BYTES, 0))
        pid, since = int(note["pid"]), datetime.fromtimestamp(float(note["since"])).astimezone()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process measures on it; wait for it to end"  # it holds the lock and has not signed yet
    return f"process {pid} has measured on it since {since:%Y-%m-%d %H:%M:%S}; wait for it to end, or `kill {pid}`"


def _note(descriptor: int, content: dict[str, float]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(content).encode(), 0)
