"""Who uses a device, as its agent and others are told."""

import json
import os
import platform
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from getpass import getuser
from typing import Any

_MINUTE_S, _HOUR_S = 60, 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One user of a device. Whoever comes with the same token is the same, and takes over from what it left there.

    purpose is in words, for others: `campaign 2026-11-30-1`. since is seconds since the epoch by the host's clock.
    """

    host: str
    user: str
    pid: int
    purpose: str
    since: float
    token: str = field(repr=False)

    @classmethod
    def here(cls, purpose: str) -> "Owner":
        """This process, for one use of a device."""
        return cls(
            host=platform.node() or "unknown",
            user=_user(),
            pid=os.getpid(),
            purpose=purpose,
            since=time.time(),
            token=uuid.uuid4().hex,
        )

    @property
    def text(self) -> str:
        """As `--owner` takes it."""
        return json.dumps({name: getattr(self, name) for name in ("host", "user", "pid", "purpose", "since", "token")})


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # no name for this number
        return str(os.getuid())


def holder_in_words(busy: Mapping[str, Any]) -> str:
    """What a `busy` message says, as a sentence with what to do."""
    if busy["owner"] is None:
        return f"it is taken: {busy['error']}; try again, or end the agent that runs on it"
    owner = busy["owner"]
    who = f"{owner['user']}@{owner['host']} ({owner['purpose']}, pid {owner['pid']})"
    held = "" if busy["held_s"] is None else f" for {duration(busy['held_s'])}"
    heard = "" if busy["heard_s"] is None else f", last heard from {duration(busy['heard_s'])} ago"
    why = f"; {busy['error']}" if busy["error"] else ""
    return f"{who} has measured on it{held}{heard}{why}; wait for it to end, or end it there"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE_S:.0f} min" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:.0f} h"
