"""What is the same for all devices that are entered, measured on by one thread, and left by any."""

import threading
import time
from abc import ABC, abstractmethod

from devices.health import await_fit
from harness.core.device import Conditions, DeviceFacts
from harness.core.errors import DeviceLost
from harness.core.limits import Limits
from harness.core.ports import Waiting
from harness.core.units import Seconds


class EnteredDevice(ABC):
    """Open while it is entered; leaving it ends a rest.

    notices are what a user should know of how the device was taken, in words; who shows them uses take_notices.
    """

    def __init__(self, facts: DeviceFacts) -> None:
        self._facts = facts
        self._lock = threading.Lock()
        self._is_open = False
        self._left = threading.Event()
        self.notices: list[str] = []

    @property
    def facts(self) -> DeviceFacts:
        return self._facts

    @abstractmethod
    def conditions(self) -> Conditions:
        """The device's state now. Raises DeviceLost."""

    def take_notices(self) -> list[str]:
        """The notices that nobody took yet."""
        with self._lock:
            told, self.notices = self.notices, []
        return told

    def make_fit(self, limits: Limits, waiting: Waiting) -> Seconds:
        """Wait until the device keeps to the limits. Raises DeviceUnfit, and DeviceLost as conditions does."""
        return await_fit(self.conditions, self._facts, limits, waiting, clock=time.monotonic, rest=self.rest)

    def rest(self, seconds: Seconds) -> None:
        """Let the device idle; leaving it ends that with DeviceLost."""
        if not self._is_open or self._left.wait(seconds):
            raise self._closed()

    def _closed(self) -> DeviceLost:
        return DeviceLost(self._facts.name, "it is closed; enter it to measure on it")
