"""Troubles of devices, for the terminal and for scripts."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from harness.core.trouble import Trouble
from reports.listings import table_text
from reports.op_view import Fields

_SHOWN = 20


def record_fields(troubles: Sequence[Trouble], quarantined: Mapping[str, str]) -> Fields:
    """The keys that `devices --json` adds. quarantined: the reason, by what a device is known by."""
    return {
        "troubles": [{**asdict(trouble), "kind": str(trouble.kind)} for trouble in troubles],
        "quarantined": [{"device": device, "reason": reason} for device, reason in quarantined.items()],
    }


def record_text(troubles: Sequence[Trouble], quarantined: Mapping[str, str]) -> str:
    """The last troubles, newest first, then who is in quarantine; empty where nothing ever happened."""
    if not troubles:
        return ""
    newest = [*reversed(troubles)][:_SHOWN]
    rows = [(_when(t), _called(t), str(t.kind), t.words, t.campaign or "") for t in newest]
    more = [f"and {len(troubles) - _SHOWN} earlier"] if len(troubles) > _SHOWN else []
    table = table_text(("when", "device", "trouble", "what it said", "campaign"), rows)
    return "\n".join(["troubles", table, *more, *(f"{name}: {why}" for name, why in quarantined.items())])


def _when(trouble: Trouble) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(trouble.at))


def _called(trouble: Trouble) -> str:
    return trouble.name if trouble.device == trouble.name else f"{trouble.name} ({trouble.device})"
