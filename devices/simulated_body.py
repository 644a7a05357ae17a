"""Time and heat of a simulated device."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from devices.scenario import Heat
from harness.core.units import Celsius, Seconds

Step = TypeVar("Step", int, float)


@dataclass(slots=True)
class VirtualClock:
    """Time that passes only when told to. now is in seconds since the epoch, or since anything else."""

    now: Seconds = 0.0

    def __call__(self) -> Seconds:
        return self.now

    def advance(self, seconds: Seconds) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class RealClock:
    """Time that really passes, to see a campaign wait."""

    read: Callable[[], Seconds] = time.time
    sleep: Callable[[Seconds], None] = time.sleep

    def __call__(self) -> Seconds:
        return self.read()

    def advance(self, seconds: Seconds) -> None:
        self.sleep(seconds)


class Body:
    """Warms up as it works, cools while idle, and slows down with heat and age."""

    def __init__(self, heat: Heat, drift_per_hour: float, clock: VirtualClock | RealClock) -> None:
        self._heat = heat
        self._drift_per_hour = drift_per_hour
        self._clock = clock
        self._made = self._seen = clock()
        self._temperature = heat.ambient if heat.start is None else heat.start

    @property
    def now(self) -> Seconds:
        return self._clock()

    @property
    def temperature(self) -> Celsius:
        self._near(self._heat.ambient)
        return self._temperature

    @property
    def throttle(self) -> float:
        """The factor of the hottest step that has been reached; 1 below all of them."""
        return self._reached(self._heat.throttle, 1.0)

    @property
    def status(self) -> int | None:
        """The thermal status that the heat is at, None where the device reports none."""
        return self._reached(self._heat.status, 0) if self._heat.status else None

    @property
    def cap(self) -> float:
        """The share of the highest clock that is permitted."""
        return self._reached(self._heat.caps, 1.0)

    def _reached(self, steps: Mapping[Celsius, Step], below: Step) -> Step:
        now = self.temperature
        reached = [step for step in steps if now >= step]
        return steps[max(reached)] if reached else below

    @property
    def slowness(self) -> float:
        """What every duration is multiplied by at this moment."""
        hours = (self._clock() - self._made) / 3600
        return self.throttle * max(0.0, 1 + self._drift_per_hour * hours)

    def work(self, seconds: Seconds) -> None:
        """Be busy for so long."""
        self._near(self._heat.ambient)
        self._clock.advance(seconds)
        self._near(self._heat.ambient + self._heat.rise)

    def rest(self, seconds: Seconds) -> None:
        """Be idle for so long."""
        self._near(self._heat.ambient)
        self._clock.advance(seconds)
        self._near(self._heat.ambient)

    def _near(self, target: Celsius) -> None:
        """Let the temperature near the target over the time since it was last looked at."""
        now = self._clock()
        kept = math.exp(-(now - self._seen) / self._heat.time_constant_s)
        self._temperature = target + (self._temperature - target) * kept
        self._seen = now
