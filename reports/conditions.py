"""The state of a device at two moments, as columns and lines: what is known of it, each figure with its name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports import numbers

Json = dict[str, Any]
_ARROW = " \N{RIGHTWARDS ARROW} "
# Android's own words for PowerManager.THERMAL_STATUS_NONE to _SHUTDOWN.
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure before and after: its text, what a column of it sorts by (None: unknown), whether its text is long."""

    text: str
    value: float | str | None
    long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """How a figure is read from one moment and written. always: a column of its own even where nobody knows it."""

    read: Callable[[Json], float | str | None]
    write: Callable[[Any], str]
    always: bool = False
    long: bool = False


def columns(moments: Iterable[Json]) -> tuple[str, ...]:
    """The names of the figures that some cell knows, and of those that a reader looks for in any case.

    moments are the `conditions` of cells.
    """
    shown = [pair for pair in moments if pair["before"]]
    return tuple(name for name, figure in _FIGURES.items() if figure.always or any(_is_known(figure, p) for p in shown))


def readings(pair: Mapping[str, Json], names: Sequence[str]) -> tuple[Reading, ...]:
    """The figures of one cell's `conditions` in the order of names."""
    return tuple(_reading(_FIGURES[name], pair) for name in names)


def known_lines(pair: Mapping[str, Json | None]) -> list[list[str]]:
    """Name and text of each figure that is known."""
    if not pair["before"]:
        return []
    return [[name, _reading(figure, pair).text] for name, figure in _FIGURES.items() if _is_known(figure, pair)]


def _is_known(figure: _Figure, pair: Mapping[str, Any]) -> bool:
    return any(figure.read(pair[when]) is not None for when in ("before", "after") if pair[when])


def _reading(figure: _Figure, pair: Mapping[str, Any]) -> Reading:
    before, after = (figure.read(pair[when]) if pair[when] else None for when in ("before", "after"))
    texts = [UNKNOWN if value is None else figure.write(value) for value in (before, after)]
    if before is None and after is None:
        return Reading(text=UNKNOWN, value=None)
    text = texts[0] if texts[0] == texts[1] else _ARROW.join(texts)
    return Reading(text=text, value=before, long=figure.long)


def _highest(key: str) -> Callable[[Json], float | None]:
    return lambda moment: max(moment[key].values(), default=None)


def _lowest(key: str) -> Callable[[Json], float | None]:
    return lambda moment: min(moment[key].values(), default=None)


def _plain(key: str) -> Callable[[Json], float | str | None]:
    def read(moment: Json) -> float | str | None:
        value: float | str | None = moment[key]
        return value

    return read


def _prepared(moment: Json) -> str | None:
    return "; ".join(f"{name}: {state}" for name, state in moment["prepared"].items()) or None


def _throttled(moment: Json) -> str | None:
    return None if moment["throttled"] is None else ("yes" if moment["throttled"] else "no")


def _thermal(status: float) -> str:
    step = int(status)
    return f"{step} ({_THERMAL[step]})" if 0 <= step < len(_THERMAL) else str(step)


def _number(places: int, unit: str = "") -> Callable[[float], str]:
    return lambda value: f"{value:.{places}f}{unit}"


_FIGURES: Mapping[str, _Figure] = {
    "Load": _Figure(read=_plain("load"), write=_number(2), always=True),
    "Hottest zone, °C": _Figure(read=_highest("temperatures"), write=_number(0), always=True),
    "Slowest core, MHz": _Figure(read=_lowest("clocks_mhz"), write=_number(0), always=True),
    "Lowest clock cap, MHz": _Figure(read=_lowest("clock_caps_mhz"), write=_number(0)),
    "Governor": _Figure(read=_plain("governor"), write=str, always=True),
    "Power": _Figure(read=_plain("power"), write=str, always=True),
    "Battery": _Figure(read=_plain("battery_percent"), write=_number(0, " %")),
    "Throttled": _Figure(read=_throttled, write=str, always=True),
    "Thermal status": _Figure(read=_plain("thermal_status"), write=_thermal),
    "Cores busy with others": _Figure(read=_plain("neighbours"), write=_number(2)),
    "Memory available": _Figure(read=_plain("memory_available_bytes"), write=numbers.size),
    "Prepared": _Figure(read=_prepared, write=str, long=True),
}
