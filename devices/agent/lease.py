"""One supervisor at a time on a device: a lock that the kernel takes off with its holder, and a note of who it is.

Ages are compared by the time since boot, which is the same for every process and does not jump with the clock.
Source: flock(2), clock_gettime(2) for CLOCK_BOOTTIME, proc_pid_stat(5) for the start of a process.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import signal
import time

from . import protocol
from .conditions import text_of
from .protocol import ProtocolError
from .shared_files import PLACES, has_open, lease_folder, make_folder, open_shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Note = dict[str, Any]

AUTO = "auto"
PATIENCE_S = 60.0
_FILE = "device.lock"
NOTE_BYTES = 4096  # always written whole: one page is not seen half
_LONGEST = 300  # of a text in the note
_POLL_S = 0.02
_UNSIGNED_S = 3.0  # who has the lock signs at once, who was killed is gone at once
_TAKE_S = 10.0
_ATTEMPTS_KEPT = 20000
_MARK = "WEIGHBRIDGE_LEASE"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class LeaseError(Exception):
    """A lease that cannot be taken, in words; trying again does not help."""


class Busy(Exception):
    """Somebody else holds it. body is the `busy` message."""

    def __init__(self, body: dict[str, object]) -> None:
        super().__init__("busy")
        self.body = body


def check_owner(owner: object) -> dict[str, object]:
    """What `--owner` gave. Raises LeaseError."""
    try:
        checked = protocol.check("owner", owner, dict(protocol.OWNER, token=str))
    except ProtocolError as problem:
        raise LeaseError(str(problem)) from problem
    if not checked["token"]:
        raise LeaseError("owner: the token is empty")
    return {key: value[:_LONGEST] if isinstance(value, str) else value for key, value in checked.items()}


def find_file(given: str, places: Sequence[str] = PLACES) -> str:
    """The file of the lease; `auto` is the one that all users of this device share."""
    if given != AUTO:
        return os.path.abspath(given)
    return os.path.join(lease_folder(places), _FILE)


class Lease:
    """Held from take() to close(). patience_s is told to others: who is not heard for twice as long is stale."""

    def __init__(
        self,
        path: str,
        owner: dict[str, object],
        patience_s: float = PATIENCE_S,
        now: Callable[[], float] | None = None,
        lock: Callable[[int, int], object] = fcntl.flock,
    ) -> None:
        self.path = path
        self._owner = owner
        self._patience_s = patience_s
        self._now = now or since_boot
        self._flock = lock
        self._descriptor = -1
        self._note: Note = {}
        self._attempts: set[str] | None = None  # nobody else writes them while we have the lock
        self._heard = self._signed = self._now()

    def take(self) -> dict[str, object] | None:
        """Take it; who may be fenced off is ended first. Answers the `took_over` message, None where nobody was there.

        Raises Busy, LeaseError.
        """
        self._descriptor = _open(self.path)
        begun, ended = time.monotonic(), ""
        while not self._lock():
            waited = time.monotonic() - begun
            holder = self._read()
            if holder is None or not is_alive(holder):
                if (waited > _UNSIGNED_S and not ended) or waited > _TAKE_S:
                    raise self._busy(holder, "something that has not said who it is holds its lock")
            else:
                ended = self._end(holder) or ended
            time.sleep(_POLL_S)
        left = self._read()
        _end_leftovers(self.path)
        os.environ[_MARK] = self.path  # what is started from here on inherits it
        self._sign_anew()
        return None if left is None else self._told(left, ended or "dead")

    def _end(self, holder: Note) -> str:
        """End a holder that may be ended, and answer why it may. Raises Busy, LeaseError."""
        why = self._why_over(holder)
        if why is None:
            raise self._busy(holder, "")
        try:
            if not has_open(holder["pid"], os.fstat(self._descriptor)):
                raise self._busy(holder, "whose process {} does not hold its lock".format(holder["pid"]))
            os.kill(holder["pid"], signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError):
            pass
        except PermissionError as problem:
            words = "the process {} of another user holds it and cannot be ended from here".format(holder["pid"])
            raise self._busy(holder, words) from problem
        return why

    def _why_over(self, holder: Note) -> str | None:
        if holder["boot"] != boot():
            return None  # a shared file system: another machine's process, which must not be looked for here
        if holder["owner"]["token"] == _digest(self._owner["token"]):
            return "reconnect"
        return "stale" if self._now() - holder["heard"] > 2 * holder["patience"] else None

    def _lock(self) -> bool:
        try:
            self._flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
            words = "{}: this file system has no locks ({}); put the lease on a local one"
            raise LeaseError(words.format(self.path, problem.strerror)) from problem
        return True

    def _read(self) -> Note | None:
        """The note of whoever signed last; None where there is none, or where it makes no sense."""
        try:
            note = json.loads(os.pread(self._descriptor, NOTE_BYTES, 0).decode("utf-8"))
            return check_note(note)
        except (ValueError, OverflowError, RecursionError, ProtocolError):
            return None

    def _sign_anew(self) -> None:
        owner = dict(self._owner, token=_digest(self._owner["token"]))
        self._heard = self._now()
        self._note = {
            "owner": owner,
            "pid": os.getpid(),
            "start": start_of(os.getpid()),
            "boot": boot(),
            "taken": self._heard,
            "heard": self._heard,
            "patience": self._patience_s,
            "launch": None,
        }
        self._write(self._note)

    def _write(self, note: Note) -> None:
        line = json.dumps(note).encode("utf-8")
        try:
            os.pwrite(self._descriptor, line + b" " * (NOTE_BYTES - len(line)), 0)
        except OSError as problem:
            raise LeaseError("{}: {}".format(self.path, problem.strerror)) from problem
        self._signed = self._heard

    def hear(self) -> None:
        """The host was heard just now."""
        self._heard = self._now()

    def sign(self) -> None:
        """Write down when the host was heard last, where that is news."""
        if self._heard > self._signed:
            self._write_down(heard=self._heard)

    def _write_down(self, **fields: object) -> None:
        self._note = dict(self._note, **fields)
        self._write(self._note)

    def admit(self, attempt: str, face: object) -> None:
        """Note an attempt before it starts; one attempt may go through each face once. Raises ProtocolError.

        An order that comes a second time is one that a link held back, and its host has another one under way.
        """
        line, path = json.dumps([attempt[:_LONGEST], face]), self.path + ".attempts"
        try:
            if self._attempts is None:
                self._attempts = _attempts_in(path)
            if line in self._attempts:
                raise ProtocolError("attempt {} was started before; it is not started again".format(attempt))
            with os.fdopen(open_shared(path), "r+", encoding="utf-8") as stream:
                stream.seek(0, os.SEEK_END)
                stream.write(line + "\n")
            self._attempts.add(line)
        except OSError as problem:
            raise ProtocolError("{} cannot be written: {}".format(path, problem.strerror)) from problem

    def started(self, attempt: str, pid: int) -> None:
        """A launch runs, in the group of that number."""
        self._write_down(launch={"attempt": attempt[:_LONGEST], "pid": pid, "start": start_of(pid)})

    def ended(self) -> None:
        """No launch runs."""
        self._write_down(launch=None)

    def close(self) -> None:
        """Give it back."""
        if self._descriptor < 0:
            return
        try:
            if self._note:
                os.pwrite(self._descriptor, b" " * NOTE_BYTES, 0)
        except OSError:
            pass  # the note of one that is dead does no harm
        os.close(self._descriptor)
        self._descriptor = -1

    def _busy(self, holder: Note | None, why: str) -> Busy:
        return Busy(dict(shown(holder, self._now()), error=why))

    def _told(self, holder: Note, why: str) -> dict[str, object]:
        return dict(shown(holder, self._now()), why=why)


_LAUNCH = {"attempt": str, "pid": int, "start": (int, type(None))}
_NOTE = {
    "owner": dict,
    "pid": int,
    "start": (int, type(None)),
    "boot": (str, type(None)),
    "taken": protocol.NUMBER,
    "heard": protocol.NUMBER,
    "patience": protocol.NUMBER,
    "launch": (dict, type(None)),
}


def check_note(given: object) -> Note:
    note = protocol.check("lease", given, _NOTE)
    protocol.check("lease.owner", note["owner"], dict(protocol.OWNER, token=str))
    if note["launch"] is not None:
        protocol.check("lease.launch", note["launch"], _LAUNCH)
    for key in ("taken", "heard", "patience"):
        if not math.isfinite(note[key]):  # type: ignore[arg-type]
            raise ProtocolError("lease.{}: {} is no time".format(key, note[key]))
    for number in (note["pid"], (note["launch"] or {"pid": 2})["pid"]):  # type: ignore[index]
        if number < 2:  # type: ignore[operator]
            raise ProtocolError("lease: {} is no process of ours".format(number))
    return note


def shown(holder: Note | None, now: float) -> dict[str, object]:
    """Owner and ages of a holder, without its token. now is seconds since boot."""
    if holder is None:
        return {"owner": None, "held_s": None, "heard_s": None}
    owner = {key: holder["owner"][key] for key in protocol.OWNER}
    same = holder["boot"] == boot()
    ages = {"held_s": now - holder["taken"], "heard_s": now - holder["heard"]}
    return dict({key: max(0.0, age) if same else None for key, age in ages.items()}, owner=owner)


def _attempts_in(path: str) -> set[str]:
    """The attempts that were started; of very many the file keeps the later half. Raises OSError."""
    with os.fdopen(open_shared(path), "r+", encoding="utf-8", errors="replace") as stream:
        known = stream.read().splitlines()
        if len(known) > _ATTEMPTS_KEPT:
            known = known[_ATTEMPTS_KEPT // 2 :]
            stream.seek(0)
            stream.truncate()
            stream.write("".join(line + "\n" for line in known))
    return set(known)


def since_boot() -> float:
    """Seconds since the device was started, also while it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def boot() -> str | None:
    """Tells this start of the device from any other; None where the system has no name for it."""
    return text_of("/proc/sys/kernel/random/boot_id")


def start_of(pid: int) -> int | None:
    """When a process started, in ticks since boot: with its number, what no other process has. None: not there."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as stream:
            return int(stream.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(holder: Note) -> bool:
    """Whether the holder's process is there. One of another boot, or of another machine, is not ours to look for."""
    if holder["boot"] != boot():
        return True
    return holder["start"] is not None and start_of(holder["pid"]) == holder["start"]


def _end_leftovers(path: str) -> None:
    """Kill what earlier supervisors of this lease started and left, also what fled its process group.

    It is known by the environment that it was started with, which nobody else can give to a process of ours.
    """
    mark = "{}={}".format(_MARK, path).encode()
    deadline = time.monotonic() + _TAKE_S
    while time.monotonic() < deadline:
        left = [pid for pid in _processes() if mark in _environment(pid).split(b"\0")]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(_POLL_S)
    raise LeaseError("{}: what an earlier run left, processes {}, does not end".format(path, left))


def _processes() -> list[int]:
    names = os.listdir("/proc") if os.path.isdir("/proc") else []
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]


def _environment(pid: int) -> bytes:
    """What a process was started with; nothing of a dead one and of another user's."""
    try:
        with open("/proc/{}/environ".format(pid), "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _digest(token: object) -> str:
    """Others may read the note; nobody shall take a lease over with what stands in it."""
    return hashlib.sha256(str(token).encode("utf-8")).hexdigest()


def _open(path: str) -> int:
    """The file, made where it is not there. In a folder that all users share it is for all of them."""
    try:
        make_folder(os.path.dirname(path))
        return open_shared(path)
    except OSError as problem:
        words = "no lease can be taken in {}: {}; make it writable for this user"
        raise LeaseError(words.format(path, problem.strerror)) from problem
