"""Whether a device is fit to be measured, and waiting until it is. docs/health.md."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.core.deadline import Clock, Deadline
from harness.core.device import Conditions, DeviceFacts
from harness.core.errors import DeviceUnfit
from harness.core.limits import Limits
from harness.core.ports import Waiting
from harness.core.units import Seconds
from harness.core.zones import Zone, clock_share, hottest

_LOOK_EVERY_S: Seconds = 5.0

# By limit: what helps, for the end of a message.
_ADVICE: Mapping[str, str] = {
    "soc_celsius": "cool it or raise",
    "skin_celsius": "cool it or raise",
    "accelerator_celsius": "cool it or raise",
    "battery_celsius": "cool it or raise",
    "thermal_status": "cool it or raise",
    "battery_percent": "charge it or lower",
    "load_per_core": "end what else runs on it or raise",
    "neighbours": "end what else runs on it or raise",
    "clock_share": "find what caps its clocks (heat, power supply, a setting) or lower",
}


# By limit: what the device is waited to do, where that is not the rest of them.
_AWAITED: Mapping[str, str] = {
    "soc_celsius": "to cool",
    "skin_celsius": "to cool",
    "accelerator_celsius": "to cool",
    "battery_celsius": "to cool",
    "thermal_status": "to cool",
    "battery_percent": "to charge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A reading beyond its limit. key is the limit's name in the configuration."""

    what: str
    reading: float
    limit: float
    unit: str
    key: str

    def __str__(self) -> str:
        return f"{self.what} {self.reading:g}{self.unit}, limit {self.limit:g}{self.unit}"

    def after(self, waited: Seconds) -> str:
        """The whole of what to say once waiting has not helped."""
        said = f"{self.what} {self.reading:g}{self.unit} after {waited:.0f} s, limit {self.limit:g}{self.unit}"
        return f"{said}; {self.advice}"

    @property
    def advice(self) -> str:
        """What helps."""
        return f"{_ADVICE[self.key]} limits.{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Fit where nothing exceeds its limit. unknown names what has a limit and no reading; that makes nothing unfit."""

    excesses: tuple[Excess, ...]
    unknown: tuple[str, ...]

    @property
    def is_fit(self) -> bool:
        return not self.excesses


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    what: str
    key: str
    unit: str
    reading: float | None
    limit: float | None
    at_least: bool = False

    @property
    def is_kept(self) -> bool:
        assert self.reading is not None
        assert self.limit is not None
        return self.reading >= self.limit if self.at_least else self.reading <= self.limit


def judge(now: Conditions, limits: Limits, facts: DeviceFacts) -> Verdict:
    """Hold a device's state against its limits."""
    asked = [question for question in _questions(now, limits, facts) if question.limit is not None]
    known = [question for question in asked if question.reading is not None]
    return Verdict(
        excesses=tuple(_excess(question) for question in known if not question.is_kept),
        unknown=tuple(question.what for question in asked if question.reading is None),
    )


def _questions(now: Conditions, limits: Limits, facts: DeviceFacts) -> Iterator[_Question]:
    for zone, key in _TEMPERATURES.items():
        yield _Question(
            what=str(zone), key=key, unit=" °C", reading=_short(hottest(now, zone), 1), limit=getattr(limits, key)
        )
    yield _Question(
        what="thermal status",
        key="thermal_status",
        unit="",
        reading=now.thermal_status,
        limit=limits.thermal_status,
    )
    yield _Question(
        what="battery",
        key="battery_percent",
        unit=" %",
        reading=now.battery_percent,
        limit=limits.battery_percent,
        at_least=True,
    )
    per_core = now.load / facts.cores if now.load is not None and facts.cores else None
    yield _Question(
        what="load per core", key="load_per_core", unit="", reading=_short(per_core), limit=limits.load_per_core
    )
    yield _Question(
        what="cores kept busy by others",
        key="neighbours",
        unit="",
        reading=_short(now.neighbours),
        limit=limits.neighbours,
    )
    yield _Question(
        what="permitted clock over the highest",
        key="clock_share",
        unit="",
        reading=_short(clock_share(now, facts)),
        limit=limits.clock_share,
        at_least=True,
    )


_TEMPERATURES: Mapping[Zone, str] = {
    Zone.SOC: "soc_celsius",
    Zone.SKIN: "skin_celsius",
    Zone.ACCELERATOR: "accelerator_celsius",
    Zone.BATTERY: "battery_celsius",
}


def _excess(question: _Question) -> Excess:
    assert question.reading is not None
    assert question.limit is not None
    return Excess(
        what=question.what, reading=question.reading, limit=question.limit, unit=question.unit, key=question.key
    )


def _short(number: float | None, digits: int = 3) -> float | None:
    """No more digits than a message can use, and none that decide."""
    return None if number is None else round(number, digits)


def await_fit(
    look: Callable[[], Conditions],
    facts: DeviceFacts,
    limits: Limits,
    waiting: Waiting,
    *,
    clock: Clock,
    rest: Callable[[Seconds], None],
) -> Seconds:
    """Look, and rest, until the device is fit; the answer is how long that took, 0 where it was fit at once.

    waiting is told at each look what is waited for; what it raises ends the wait. Raises DeviceUnfit after
    limits.wait_s, and what look and rest raise. The clock is the one that rest moves.
    """
    deadline = Deadline(limits.wait_s, clock)
    waited = False
    while not (verdict := judge(look(), limits, facts)).is_fit:
        if deadline.expired:
            named = f"{facts.name} ({facts.serial})" if facts.serial else facts.name
            raise DeviceUnfit(named, "; ".join(excess.after(deadline.elapsed) for excess in verdict.excesses))
        awaited = _AWAITED.get(verdict.excesses[0].key, "to come to rest")
        waiting(f"{awaited}: {'; '.join(map(str, verdict.excesses))}")
        rest(min(_LOOK_EVERY_S, max(deadline.remaining, 0.1)))
        waited = True
    return deadline.elapsed if waited else 0.0
