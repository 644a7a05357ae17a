"""Tells a supervisor every few seconds that its host lives, also while there is nothing else to say."""

import threading
from collections.abc import Callable

from harness.core.errors import DeviceLost
from harness.core.units import Seconds

INTERVAL_S: Seconds = 5.0


class KeepAlive:
    """A thread that calls say until it is stopped, or until say raises DeviceLost: whoever receives learns that too."""

    def __init__(self, say: Callable[[], None], interval_s: Seconds = INTERVAL_S) -> None:
        self._say = say
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True, name="keep-alive")
        self._thread.start()

    def _turn(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                self._say()
            except DeviceLost:
                return

    def stop(self) -> None:
        """Say nothing more. Does not wait: what is being said may hang on a link that is gone."""
        self._ended.set()
