"""The deadlines of what is done with a connection, watched by one thread: a timer each would cost every command one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.core.deadline import Deadline
from harness.core.units import Seconds


@dataclass(slots=True, eq=False)
class Bound:
    """One deadline, by the monotonic clock. expired: it passed before what it bounds had ended."""

    ends: float
    expired: bool = False


class Watch:
    """Calls cut in its own thread when a deadline passes. After idle_s without one the thread ends, until the next."""

    def __init__(self, cut: Callable[[], None], idle_s: Seconds = 10.0) -> None:
        self._cut = cut
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._bounds: set[Bound] = set()
        self._wakes = 0.0
        self._watches = False

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[Bound]:
        """Watch a deadline for the duration."""
        bound = Bound(time.monotonic() + deadline.remaining)
        with self._changed:
            self._bounds.add(bound)
            if not self._watches:
                threading.Thread(target=self._turn, daemon=True, name="ssh deadlines").start()
                self._watches = True
            elif bound.ends < self._wakes:
                self._changed.notify()
        try:
            yield bound
        finally:
            with self._changed:
                self._bounds.discard(bound)

    def _turn(self) -> None:
        while self._await_late():
            self._cut()

    def _await_late(self) -> bool:
        """Wait until a deadline has passed, and mark it; False where none has come up for a while."""
        with self._changed:
            while not (late := [bound for bound in self._bounds if bound.ends <= time.monotonic()]):
                idle = not self._bounds
                self._wakes = min((bound.ends for bound in self._bounds), default=time.monotonic() + self._idle_s)
                self._changed.wait(self._wakes - time.monotonic())
                if idle and not self._bounds and self._wakes <= time.monotonic():
                    self._watches = False
                    return False
            for bound in late:
                bound.expired = True
                self._bounds.discard(bound)
        return True
