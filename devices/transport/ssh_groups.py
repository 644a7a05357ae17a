"""The process groups that run on a board for us: whoever closes the link ends them."""

import threading

from harness.core.units import Seconds


class Groups:
    """By the mark of the command that leads each. The number of one that has just begun is still on its way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers: dict[str, int | None] = {}

    def begin(self, mark: str) -> None:
        """A command is about to be started."""
        with self._changed:
            self._numbers[mark] = None

    def know(self, mark: str, number: int) -> None:
        """The board has said which group it is."""
        with self._changed:
            if mark in self._numbers:
                self._numbers[mark] = number
            self._changed.notify_all()

    def forget(self, mark: str) -> None:
        """It has ended, or nobody will hear of it any more."""
        with self._changed:
            self._numbers.pop(mark, None)
            self._changed.notify_all()

    def all(self, patience_s: Seconds) -> list[int]:
        """Their numbers; those that are on their way are waited for, as long as that."""
        with self._changed:
            self._changed.wait_for(lambda: None not in self._numbers.values(), patience_s)
            return sorted(number for number in self._numbers.values() if number is not None)
