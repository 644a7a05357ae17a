"""Time and heat of a simulated device."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from devices.scenario import Heat
from harness.core.units import Celsius, Seconds


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
        self._temperature = heat.ambient

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
        now = self.temperature
        reached = [step for step in self._heat.throttle if now >= step]
        return self._heat.throttle[max(reached)] if reached else 1.0

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

    def _near(self, target: Celsius) -> None:
        """Let the temperature near the target over the time since it was last looked at."""
        now = self._clock()
        kept = math.exp(-(now - self._seen) / self._heat.time_constant_s)
        self._temperature = target + (self._temperature - target) * kept
        self._seen = now
