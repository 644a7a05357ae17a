"""Devices that are one machine: which they are, and that they use it one after another.

Each has an agent of its own, since its Python, runtime and user may be others. Two at once would take the machine's
lease from one another, so before one starts its agent, that of the one before gives the lease back and ends.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from harness.core.units import Seconds

_POLL_S: Seconds = 0.1


class Guest(Protocol):
    """Who uses a machine in turn with others."""

    def make_way(self) -> None:
        """Leave nothing running on it. Called while it is not the guest's turn."""


class Turn:
    """The turn on one machine, of all devices of this process that are that machine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Guest | None = None

    @contextmanager
    def taken(self, guest: Guest, waiting: Callable[[], None]) -> Iterator[None]:
        """Have it for the duration, which has an end of its own. waiting is called meanwhile, and may raise."""
        while not self._lock.acquire(timeout=_POLL_S):
            waiting()
        try:
            last, self._last = self._last, guest
            if last is not None and last is not guest:
                last.make_way()
            yield
        finally:
            self._lock.release()


_GUARD = threading.Lock()
_TURNS: "WeakValueDictionary[str, Turn]" = WeakValueDictionary()
_MACHINES: dict[str, str] = {}


def turn_on(machine: str) -> Turn:
    """The one that all devices of this process have together that are the machine."""
    with _GUARD:
        return _TURNS.setdefault(machine, Turn())


def machine_of(system: str, name: str) -> str:
    """What a machine is called, by the system that runs on it: as it was first in this process, else by this name."""
    with _GUARD:
        return _MACHINES.setdefault(system, name)
