"""What only the difference of two readings tells: the processor time of others, throttling that the kernel counts."""

from __future__ import annotations

import os
import time

from .conditions import number_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST_S = 0.5  # the kernel counts in steps of 10 ms; over less, a core's worth is mostly rounding
_THROTTLED = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
_BUSY = (0, 1, 2, 5, 6, 7)  # of /proc/stat: user nice system irq softirq steal; guests are in user, see proc(5)


class Pressure:
    """Readings of one supervisor. own answers the processor seconds that it and its launches have used so far."""

    def __init__(
        self,
        root: str,
        own: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        tick_s: float | None = None,
    ) -> None:
        self._root = root
        self._own = own
        self._clock = clock
        self._tick_s = tick_s or 1.0 / os.sysconf("SC_CLK_TCK")
        self._last: tuple[float, float, float] | None = None
        self._throttles: float | None = None
        self._neighbours: float | None = None

    def neighbours(self) -> float | None:
        """How many cores others kept busy since the last reading; None at the first, and where the system hides it.

        A reading that comes too soon after another is answered with what that one said.
        """
        busy = self._busy_s()
        if busy is None:
            return None
        now, own = self._clock(), self._own()
        if self._last is None:
            self._last = (now, busy, own)
            return None
        elapsed = now - self._last[0]
        if elapsed >= _SHORTEST_S:
            others = (busy - self._last[1]) - (own - self._last[2])
            self._last = (now, busy, own)
            self._neighbours = round(max(0.0, others) / elapsed, 3)
        return self._neighbours

    def throttled(self) -> bool | None:
        """Whether the kernel counted throttling since the last reading; None at the first, and where it does not."""
        count = number_of(os.path.join(self._root, _THROTTLED))
        before, self._throttles = self._throttles, count
        return None if count is None or before is None else count > before

    def _busy_s(self) -> float | None:
        """Processor seconds of all cores since boot; None where nothing is told, which a container may do by zeros."""
        first = (text_of(os.path.join(self._root, "proc/stat")) or "").split("\n")[0].split()
        if first[:1] != ["cpu"]:
            return None
        try:
            ticks = [int(word) for word in first[1:]]
        except ValueError:
            return None
        busy = sum(ticks[place] for place in _BUSY if place < len(ticks))
        return busy * self._tick_s if busy else None


def of_processes(pid: int | None) -> float:
    """Processor seconds of this process, of all children that have ended, and of the one of that number."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + _of_child(pid)


def _of_child(pid: int | None) -> float:
    if pid is None:
        return 0.0
    try:
        with open("/proc/{}/stat".format(pid), "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        return sum(int(fields[place]) for place in (11, 12, 13, 14)) / float(os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0
