"""Seams to the world. One Protocol each, with more than one shipped implementation and one contract suite."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from harness.core.device import Canary, Conditions, DeviceFacts
from harness.core.launch import LaunchOrder, LaunchOutcome
from harness.core.limits import Limits
from harness.core.units import Seconds

# Told what a device is waited for (`to cool: SoC 47 °C, limit 40 °C`); what it raises ends the wait.
Waiting = Callable[[str], None]


class Device(Protocol):
    """Something that can run a variant. Implementations: this machine through the agent, the simulated device.

    Every call has a deadline of its own. A bad launch is a LaunchFailure, returned: LOST where the agent went away
    during it, and the next call starts another. DeviceLost is raised where the device itself is gone.
    Used as a context manager: entering starts the agent, leaving ends everything it started and closes the device. Any
    thread may leave; what another is calling then raises DeviceLost, as does every call until it is entered again.
    """

    @property
    def facts(self) -> DeviceFacts: ...

    def __enter__(self) -> "Device": ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def conditions(self) -> Conditions: ...

    def canary(self) -> Canary: ...

    def make_fit(self, limits: Limits, waiting: Waiting) -> Seconds:
        """Wait until it is fit to measure in, at most limits.wait_s. How long it took.

        Raises DeviceUnfit, DeviceLost.
        """
        ...

    def rest(self, seconds: Seconds) -> None:
        """Let it idle for so long. Raises DeviceLost where it is left meanwhile."""
        ...

    def launch(self, order: LaunchOrder) -> LaunchOutcome: ...
