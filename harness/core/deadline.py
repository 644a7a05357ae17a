"""A point in time that a wait must not pass, handed down instead of a timeout."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.core.units import Seconds

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """Ends `seconds` after it is made. The clock is monotonic, in seconds."""

    seconds: Seconds
    clock: Clock = time.monotonic
    started: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.started < 0:
            object.__setattr__(self, "started", self.clock())

    @property
    def elapsed(self) -> Seconds:
        return self.clock() - self.started

    @property
    def remaining(self) -> Seconds:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        return self.remaining == 0.0
