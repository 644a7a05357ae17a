"""What the state of the device takes from a grade: pairs of a cap (harness/statistics/grades.py) and a reason.

Only what is known counts: a device that tells nothing of its battery has none that is low.
"""

import statistics
from collections.abc import Iterator, Sequence

from harness.core.device import Conditions, DeviceFacts
from harness.core.launch import LaunchRecord
from harness.core.limits import Limits
from harness.core.outcome import BlockLaunch
from harness.core.zones import Zone, clock_share, hottest

Findings = Iterator[tuple[str, str]]

# Asking a device for its state takes a while on both sides of a launch; no more than this on the slowest link.
_CLOCK_SLACK_S = 60.0
# Governors that leave a clock where it was put. Source: Linux Documentation/admin-guide/pm/cpufreq.
_PINNED = {"performance", "userspace"}


def findings(launches: Sequence[BlockLaunch], limits: Limits, facts: DeviceFacts | None) -> Findings:
    """Everything known of the device's state that a limit or common sense speaks against."""
    moments = [moment for launch in launches for moment in (launch.record.before, launch.record.after)]
    yield from _thermal_status(moments)
    yield from _heat(moments, limits)
    yield from _clocks(moments, limits, facts)
    yield from _neighbours(moments, limits)
    yield from _battery(moments, limits)
    yield from _waited_in_vain(launches)
    yield from _clock_jumps([launch.record for launch in launches])


def _thermal_status(moments: Sequence[Conditions]) -> Findings:
    worst = max((moment.thermal_status for moment in moments if moment.thermal_status is not None), default=0)
    if worst:
        cap = "thermal status above 0" if worst == 1 else "thermal status above 1"
        yield cap, f"the device's thermal status rose to {worst}"


def _heat(moments: Sequence[Conditions], limits: Limits) -> Findings:
    for zone, limit in ((Zone.SOC, limits.soc_peak_celsius), (Zone.ACCELERATOR, limits.accelerator_peak_celsius)):
        warmest = max((heat for moment in moments if (heat := hottest(moment, zone)) is not None), default=None)
        if warmest is not None and limit is not None and warmest > limit:
            yield "too hot", f"{zone} at {warmest:.1f} °C, limit {limit:g} °C: it slows down about there"


def _clocks(moments: Sequence[Conditions], limits: Limits, facts: DeviceFacts | None) -> Findings:
    shares = [share for m in moments if facts is not None and (share := clock_share(m, facts)) is not None]
    if limits.clock_share is not None and shares and min(shares) < limits.clock_share:
        reason = f"clocks were capped at {min(shares):.0%} of the highest, limit {limits.clock_share:.0%}"
        yield "clock capped", reason
    loose = sorted({m.governor for m in moments if m.governor and not _PINNED.issuperset(m.governor.split("+"))})
    if limits.pinned_clocks and loose:
        yield "clocks not pinned", f"the clocks were left to the governor {', '.join(loose)}"


def _neighbours(moments: Sequence[Conditions], limits: Limits) -> Findings:
    known = [moment.neighbours for moment in moments if moment.neighbours is not None]
    if limits.neighbours is None or not known:
        return
    usual = statistics.median(known)
    if usual > limits.neighbours:
        yield "busy neighbours", f"other programs kept {usual:.1f} cores busy, limit {limits.neighbours:g}"


def _battery(moments: Sequence[Conditions], limits: Limits) -> Findings:
    least = min((m.battery_percent for m in moments if m.battery_percent is not None), default=None)
    if least is not None and limits.battery_percent is not None and least < limits.battery_percent:
        yield "battery low", f"the battery was at {least:.0f} %, limit {limits.battery_percent:g} %"


def _waited_in_vain(launches: Sequence[BlockLaunch]) -> Findings:
    doubts = {launch.block: launch.doubt for launch in launches if launch.doubt}
    if doubts:
        first = next(iter(doubts.values()))
        blocks = len({launch.block for launch in launches})
        yield "waited in vain", f"{len(doubts)} of {blocks} blocks began although {first}"


def _clock_jumps(records: Sequence[LaunchRecord]) -> Findings:
    jumps = [jump for record in records if (jump := _jump(record)) is not None]
    if jumps:
        worst = max(jumps, key=abs)
        reason = f"the device's clock jumped by {worst:+.0f} s in {len(jumps)} of {len(records)} launches"
        yield "clock jumped", reason


def _jump(record: LaunchRecord) -> float | None:
    """By how much the clock of the day moved more, or less, than the launch took."""
    passed = record.after.taken_at - record.before.taken_at
    if passed < 0:
        return passed - record.wall_s
    return passed - record.wall_s if passed > record.wall_s + _CLOCK_SLACK_S else None
