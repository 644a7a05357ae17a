"""When a device is no longer measured until a person has looked at it. Pure but for what reads the store.

The table here is the one in docs/health.md; a test holds them equal.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.core.device import DeviceFacts
from harness.core.errors import ConfigError
from harness.core.trouble import Trouble, TroubleKind, identity_of
from harness.plan import Plan

if TYPE_CHECKING:
    from harness.store import Store

RECENT_CAMPAIGNS = 5
_QUARANTINED = "quarantined since "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """So many troubles of a kind within one campaign, or in so many of the recent campaigns; None: never by that."""

    in_one: int | None
    campaigns: int | None


# A device that was refused or is busy says nothing of its own reliability, and a full one needs a hand, not a ban.
POLICY: Mapping[TroubleKind, Rule] = MappingProxyType(
    {
        TroubleKind.LOST: Rule(in_one=3, campaigns=3),
        TroubleKind.UNFIT: Rule(in_one=3, campaigns=3),
        TroubleKind.AGENT: Rule(in_one=10, campaigns=5),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A device that is not measured. since is seconds since the epoch; why says what brought it here."""

    device: str
    name: str
    since: float
    why: str

    @property
    def reason(self) -> str:
        """For every cell of it."""
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.since))
        return f"{_QUARANTINED}{day} after {self.why}: `run_bench.py devices --release {self.name}` lifts it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Troubles of all devices, oldest first, and the quarantines by what a device is known by."""

    troubles: tuple[Trouble, ...] = ()
    quarantines: Mapping[str, Quarantine] = field(default_factory=dict)

    def among(self, devices: Iterable[DeviceFacts]) -> dict[str, Quarantine]:
        """Those of these devices, by the names that these have now."""
        held = ((facts.name, self.quarantines.get(identity_of(facts))) for facts in devices)
        return {name: replace(kept, name=name) for name, kept in held if kept is not None}


def quarantine_of(troubles: Sequence[Trouble], recent: Collection[str]) -> Quarantine | None:
    """Whether a device is in quarantine. troubles are its own, oldest first; recent its newest campaigns.

    What happened before it was last released does not count.
    """
    released = [number for number, trouble in enumerate(troubles) if trouble.kind is TroubleKind.RELEASED]
    current = troubles[released[-1] + 1 :] if released else troubles
    for kind, rule in POLICY.items():
        mine = [trouble for trouble in current if trouble.kind is kind]
        for campaign in dict.fromkeys(trouble.campaign for trouble in mine):
            inside = [trouble for trouble in mine if trouble.campaign == campaign]
            if rule.in_one is not None and len(inside) >= rule.in_one:
                return _quarantine(inside[rule.in_one - 1], f"{len(inside)} times {kind} in campaign {campaign}")
        last = [trouble for trouble in mine if trouble.campaign in recent]
        struck = {trouble.campaign for trouble in last}
        if rule.campaigns is not None and len(struck) >= rule.campaigns:
            return _quarantine(last[-1], f"{kind} in {len(struck)} of its last {len(recent)} campaigns")
    return None


def _quarantine(last: Trouble, why: str) -> Quarantine:
    return Quarantine(device=last.device, name=last.name, since=last.at, why=f"{why} (last: {last.words})")


def record_of(store: "Store") -> Record:
    """What a store has on record."""
    troubles = store.troubles()
    quarantines = {}
    for device in dict.fromkeys(trouble.device for trouble in troubles):
        mine = [trouble for trouble in troubles if trouble.device == device]
        kept = quarantine_of(mine, store.campaigns_with(device, RECENT_CAMPAIGNS))
        if kept is not None:
            quarantines[device] = kept
    return Record(troubles=troubles, quarantines=quarantines)


def record_at(location: Path) -> Record:
    """The same of a store's file; nothing where there is none yet."""
    from harness.store import Store

    if not location.exists():
        return Record()
    with Store.open(location) as store:
        return record_of(store)


def withhold(plan: Plan, quarantined: Mapping[str, Quarantine]) -> Plan:
    """The plan with the cells of these devices skipped, each with the reason."""
    reasons = {
        cell.id: quarantined[cell.device].reason
        for cell in plan.cells
        if cell.device in quarantined and cell.id not in plan.skipped
    }
    warnings = {cell: warning for cell, warning in plan.warnings.items() if cell not in reasons}
    return replace(plan, skipped={**plan.skipped, **reasons}, warnings=warnings)


def is_quarantine(reason: str) -> bool:
    """Whether that is why a cell was skipped."""
    return reason.startswith(_QUARANTINED)


def release(store: "Store", name: str, at: float) -> str:
    """Let a device be measured again; what happened stays on record. The answer is what it is known by.

    name is what it is called or known by. Raises ConfigError where nothing is on record of it.
    """
    troubles = store.troubles()
    known = next((trouble for trouble in reversed(troubles) if name in (trouble.name, trouble.device)), None)
    if known is None:
        names = ", ".join(dict.fromkeys(trouble.name for trouble in troubles)) or "none"
        raise ConfigError(f"{name}: no trouble of a device of that name is on record; on record: {names}")
    words = "released by hand"
    store.save_trouble(Trouble(device=known.device, name=known.name, at=at, kind=TroubleKind.RELEASED, words=words))
    return known.device


def release_at(location: Path, name: str) -> str:
    """The same in a store's file, now. Raises StoreError where there is none."""
    from harness.store import Store

    with Store.open(location, create=False) as store:
        return release(store, name, time.time())
