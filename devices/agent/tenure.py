"""The time that a supervisor has on a device: its lease, what it switched on, and the leash that its host holds."""

from __future__ import annotations

import contextlib
import signal

from .lease import Lease
from .preparation import Preparation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType

_ENDS = ("SIGTERM", "SIGHUP", "SIGINT")


class Ended(BaseException):
    """Raised wherever the supervisor is at that moment, also where it waits for a reader that does not read."""


class Tenure:
    """A context; leaving it restores what was switched on, then gives the lease back.

    Without a lease there is nothing to fence off, and nothing can be switched on. patience_s None: it waits for its
    host for ever.
    """

    def __init__(self, root: str, lease: Lease | None = None, patience_s: float | None = None) -> None:
        self._lease = lease
        self._patience_s = patience_s
        self._held = contextlib.ExitStack()
        self._is_ending = False
        self.preparation = Preparation(root, None if lease is None else lease.path + ".prepared")

    def __enter__(self) -> Tenure:
        if self._lease is not None:
            self._held.callback(self._lease.close)
        self._held.enter_context(self.preparation)
        self._held.callback(self.loosen)
        for name in _ENDS:
            signal.signal(getattr(signal, name), self._end)
        signal.signal(signal.SIGALRM, self._end)
        self.hear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def loosen(self) -> None:
        """No signal interrupts from here on: what is done now is what would be done for it."""
        self._is_ending = True
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _end(self, number: int, _: FrameType | None) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        if number == signal.SIGALRM:
            raise Ended("nothing was heard from the host for {:g} s".format(self._patience_s or 0.0))
        raise Ended("ended by signal {}".format(number))

    def hear(self) -> None:
        """The host was heard. An interval timer counts by a clock that nobody sets: setitimer(2)."""
        if self._patience_s is not None and not self._is_ending:
            signal.setitimer(signal.ITIMER_REAL, self._patience_s)
        if self._lease is not None:
            self._lease.hear()

    def sign(self) -> None:
        """Let others know when the host was heard."""
        if self._lease is not None:
            self._lease.sign()

    def admit(self, order: dict[str, object]) -> None:
        """Raises ProtocolError for an attempt that was started before under this lease."""
        if self._lease is not None:
            self._lease.admit(str(order["attempt"]), order["api"])

    def started(self, order: dict[str, object], pid: int) -> None:
        """A launch runs."""
        if self._lease is not None:
            self._lease.started(str(order["attempt"]), pid)

    def ended(self) -> None:
        """No launch runs."""
        if self._lease is not None:
            self._lease.ended()
