"""Being asked to end, by Ctrl-C or SIGTERM, and doing so where it is safe."""

import time
from collections.abc import Callable

from harness.core.deadline import Clock
from harness.core.units import Seconds

# Called at safe points; raises KeyboardInterrupt where somebody has asked to end.
Check = Callable[[], None]

# Whoever asks again after this long is not being heard.
_PATIENCE_S: Seconds = 3.0


def never() -> None:
    """The check of whoever cannot be asked."""


class Interruption:
    """Takes a signal down; `check` raises KeyboardInterrupt for it at the next safe point, once.

    Raising in the handler itself would be lost wherever Python runs a callback that must not raise (finalisers, weak
    references). Only a second signal, seconds later, raises on the spot.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._asked_at: float | None = None
        self._raised = False

    def __call__(self, _signal: int, _frame: object) -> None:
        """The handler."""
        if self._asked_at is None:
            self._asked_at = self._clock()
        elif not self._raised and self._clock() - self._asked_at > _PATIENCE_S:
            self._raise()

    def check(self) -> None:
        """Raises KeyboardInterrupt, the first time after a signal came."""
        if self._asked_at is not None and not self._raised:
            self._raise()

    def _raise(self) -> None:
        self._raised = True
        raise KeyboardInterrupt
