"""Waiting for a device: until it is fit, until it has cooled down, and no longer than a campaign may wait in all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

from harness.core.device import Canary
from harness.core.errors import DeviceUnfit
from harness.core.limits import Limits
from harness.core.ports import Device
from harness.core.units import Nanoseconds, Seconds

# Fewer canaries say little of what is usual for the device.
_CANARIES_FOR_A_MEDIAN = 5
_REST_S: Seconds = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The canary that a block starts with. doubt says what waiting did not bring about, None where all is well."""

    canary: Canary
    waited_s: Seconds = 0.0
    doubt: str | None = None


class Patience:
    """What one device of a campaign is waited for, and how much of that is left.

    say is told what is waited for; what it raises ends the wait. canaries are those that the campaign took before.
    """

    def __init__(
        self, device: Device, limits: Limits, say: Callable[[str], None], canaries: Iterable[Nanoseconds] = ()
    ) -> None:
        self._device = device
        self._limits = limits
        self._say = say
        self._canaries = list(canaries)
        self._left_s = limits.campaign_wait_s

    def until_fit(self) -> Seconds:
        """Wait until the device keeps to its limits; how long that took. Raises DeviceUnfit, DeviceLost."""
        wait_s = min(self._limits.wait_s, self._left_s)
        try:
            waited_s = self._device.make_fit(replace(self._limits, wait_s=wait_s), self._told)
        except DeviceUnfit as unfit:
            if wait_s == self._limits.wait_s:
                raise
            spent = f"all of limits.campaign_wait_s ({self._limits.campaign_wait_s:g} s) has been waited"
            raise DeviceUnfit(unfit.device, f"{unfit.reason}; {spent}") from None
        self._left_s -= waited_s
        return waited_s

    def until_settled(self, first: Canary, take: Callable[[], Canary]) -> Settled:
        """Let the device rest while its canary is slower than usual for it by more than the limit.

        A canary that is faster than usual is no matter of cooling: the block starts, and the grade tells.
        """
        canary, waited_s = first, 0.0
        while (excess := self._excess(canary)) is not None and waited_s < min(self._limits.cooldown_s, self._left_s):
            self._told(f"to cool: {self._slow(excess)}")
            self._device.rest(_REST_S)
            waited_s += _REST_S
            canary = take()
        self._left_s -= waited_s
        doubt = None if excess is None else f"{self._slow(excess)}, after {waited_s:.0f} s of waiting"
        return Settled(canary=canary, waited_s=waited_s, doubt=doubt)

    def moved(self, before: Canary, after: Canary) -> str | None:
        """What to say of a block during which the canary moved by more than the limit."""
        change = after.median_ns / before.median_ns - 1
        if self._limits.canary is None or abs(change) <= self._limits.canary:
            return None
        return f"the canary moved by {change:+.1%} during the block (limits.canary: {self._limits.canary:.0%})"

    def learn(self, *canaries: Canary) -> None:
        """Canaries of a block that counts: what is usual for the device."""
        self._canaries += [canary.median_ns for canary in canaries]

    def _told(self, what: str) -> None:
        self._say(f"waiting for {self._device.facts.name} {what}")

    def _excess(self, canary: Canary) -> float | None:
        """By how much a canary is slower than usual, None where that keeps the limit or nothing is usual yet."""
        if self._limits.canary is None or len(self._canaries) < _CANARIES_FOR_A_MEDIAN:
            return None
        slower = canary.median_ns / median(self._canaries) - 1
        return slower if slower > self._limits.canary else None

    def _slow(self, excess: float) -> str:
        return f"its canary is {excess:.1%} slower than usual (limits.canary: {self._limits.canary:.0%})"
