"""One measurement at a time on a device: a lock file that dies with its holder."""

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

from devices.agent import shared_files
from devices.agent.shared_files import PLACES, has_open, make_folder, open_shared
from harness.core import digest
from harness.core.errors import DeviceBusy, DeviceError


@dataclass(slots=True)
class _Hold:
    """A lock that this process has: its open file, and how many share it."""

    descriptor: int
    holders: int = 1


_HELD: dict[Path, _Hold] = {}
_GUARD = threading.Lock()
_LONGEST = 40
_NOTE_BYTES = 4096


def lease_folder(places: Sequence[Path | str] = PLACES) -> Path:
    """Where the lock files of this machine lie, beside its agent's lease."""
    return Path(shared_files.lease_folder([str(place) for place in places]))


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
        told = _signed(path.read_bytes()[:_NOTE_BYTES])
        return told[1] if told is not None and has_open(told[0], path.stat()) else None
    except PermissionError:  # one of another user's is believed
        return told[1] if told is not None else None
    except OSError:
        return None


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
    signed = _signed(os.pread(descriptor, _NOTE_BYTES, 0))
    if signed is None:
        return "another process measures on it; wait for it to end"  # it holds the lock and has not signed yet
    return f"{signed[1]}; wait for it to end, or `kill {signed[0]}`"


def _signed(note: bytes) -> tuple[int, str] | None:
    """The process that wrote a note, and that in words; None where the note makes no sense."""
    try:
        fields = json.loads(note)
        pid, since = int(fields["pid"]), datetime.fromtimestamp(float(fields["since"])).astimezone()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return pid, f"process {pid} has measured on it since {since:%Y-%m-%d %H:%M:%S}"


def _note(descriptor: int, content: dict[str, float]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(content).encode(), 0)
