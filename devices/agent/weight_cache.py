"""XNNPACK's cache of packed weights: a file for each variant and unit, in a folder that ends with its supervisor.

The folder is its owner's alone. While the supervisor lives it holds a lock on it, which the kernel takes off however it
ends; so the next supervisor knows the folders of the dead, and removes them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile

from .litert import LiteRtError

_PREFIX = "weighbridge-weights-"
_TRIES = 8


class WeightCache:
    """The cache file of one order, whose `weight_cache` is `fill` or `use`, in the folder `caches`."""

    def __init__(self, order: dict[str, object]) -> None:
        unit: object = order["unit"]
        if not isinstance(unit, dict) or unit["kind"] != "cpu":
            raise LiteRtError("the weight cache is XNNPACK's, for the unit cpu")
        name = json.dumps([order["variant_digest"], unit], sort_keys=True)
        self.path = os.path.join(str(order["caches"]), hashlib.sha256(name.encode()).hexdigest() + ".xnnpack")
        self._use = order["weight_cache"] == "use"
        self._before: tuple[int, int, int] | None = None

    def prepare(self) -> None:
        """Before the model is opened: no file where it is to be filled, one where it is to be used."""
        self._before = self._state()
        if not self._use:
            if self._before is not None:
                os.unlink(self.path)
        elif self._before is None:
            raise LiteRtError("there is no weight cache to use; a launch that fills it goes before")

    def check(self) -> None:
        """After the first inference: it was written, or used as it was. LiteRT says nothing where it was not."""
        after = self._state()
        if self._use and after != self._before:
            raise LiteRtError("LiteRT did not use the weight cache, it wrote another")
        if after is None or after[1] == 0:
            raise LiteRtError("LiteRT wrote no weight cache")

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


class CacheFolder:
    """The folder of one supervisor, made when it is first asked for. Raises OSError where it cannot be made."""

    def __init__(self, parent: str | None = None) -> None:
        self._parent = tempfile.gettempdir() if parent is None else parent
        self._path: str | None = None
        self._lock: int | None = None

    def path(self) -> str:
        """Where it is."""
        if self._path is None:
            self._path, self._lock = _make(self._parent)
        return self._path

    def remove(self) -> None:
        """Remove it, if it was ever made."""
        if self._path is not None and self._lock is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
        self._path = self._lock = None

    def remove_those_of_the_dead(self) -> None:
        """Remove what supervisors of this user left that were killed outright."""
        for name in _names(self._parent):
            path = os.path.join(self._parent, name)
            try:
                lock = _lock(path) if _is_ours(path) else None
            except OSError:
                continue  # whether anybody holds it cannot be told
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(lock)


def _make(parent: str) -> tuple[str, int]:
    """A new folder, and the descriptor that holds the lock on it. Raises OSError in words."""
    for _ in range(_TRIES):
        made = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        try:
            lock = _lock(made)
        except OSError as problem:
            shutil.rmtree(made, ignore_errors=True)
            raise OSError("{} cannot be locked: {}".format(made, problem)) from problem
        if lock is not None:
            if os.path.isdir(made):
                return made, lock
            os.close(lock)  # one that cleans up was quicker
    raise OSError("{} folders in {} were taken away as soon as they were made".format(_TRIES, parent))


def _names(parent: str) -> list[str]:
    try:
        return [name for name in os.listdir(parent) if name.startswith(_PREFIX)]
    except OSError:
        return []


def _is_ours(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _lock(path: str) -> int | None:
    """A descriptor that holds the lock on a folder, None where another process has it or the folder is gone.

    Raises OSError where the folder cannot be opened or locked: not every file system has locks.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
