"""Who uses a device, as its agent and others are told."""

import contextlib
import json
import os
import platform
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from getpass import getuser
from typing import Any

from devices.transport.bundle import bundle_folder
from harness.core import digest
from harness.core.errors import DeviceError
from harness.core.files import PART, write_whole
from harness.core.units import Seconds

_PRIVATE = 0o600
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
    def here(cls, purpose: str, device: str) -> "Owner":
        """This process as the user of a device, told by whatever identifies that.

        The token is the same for every process of this user on this host: that a process which was killed left
        something on the device must not keep the next one out. Two at a time are kept apart by the lease that they
        take on this host (devices/lease.py). Raises OSError where the secret behind it cannot be kept.
        """
        return cls(
            host=platform.node() or "unknown",
            user=_user(),
            pid=os.getpid(),
            purpose=purpose,
            since=time.time(),
            token=digest.of_content({"secret": _secret(), "host": platform.node(), "device": device}),
        )

    @property
    def text(self) -> str:
        """As `--owner` takes it."""
        return json.dumps({name: getattr(self, name) for name in ("host", "user", "pid", "purpose", "since", "token")})


def tenure_words(lease: str | None, owner: Owner | None, patience_s: Seconds | None) -> tuple[str, ...]:
    """The words of a supervisor's command line by which it takes a lease, and ends without its host."""
    held = ("--lease", lease, "--owner", owner.text) if lease and owner else ()
    return (*held, *(("--patience", f"{patience_s:g}") if patience_s is not None else ()))


def owner_of(name: str, device: str) -> Owner:
    """This process as the user of a device of that name in the configuration. Raises DeviceError where it cannot be."""
    try:
        return Owner.here(f"device {name}", device)
    except OSError as exc:
        words = f"{exc.filename}: {exc.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        raise DeviceError(name, words) from exc


def _secret() -> str:
    """This user's own, made once, also where two processes come at once; nobody else can read it."""
    path = bundle_folder() / "secret"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    part = path.with_name(f".{secrets.token_hex(16)}{PART}")
    write_whole(part, secrets.token_hex(16).encode(), mode=_PRIVATE)
    try:
        os.link(part, path)  # never over what is there
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path.read_text(encoding="ascii")


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


_TAKEN_OVER = {
    "reconnect": "an earlier connection of this host was still there; it and its launch were ended",
    "stale": "its lease was broken: {who} was not heard for {heard}, and its agent did not end by itself",
    "dead": "{who} left it without giving it back; what it left was ended and restored",
}


def taken_over_in_words(told: Mapping[str, Any]) -> str:
    """What a `took_over` message says."""
    owner = told["owner"]
    who = f"{owner['user']}@{owner['host']} ({owner['purpose']}, pid {owner['pid']})"
    heard = "an unknown time" if told["heard_s"] is None else duration(told["heard_s"])
    return _TAKEN_OVER.get(told["why"], "it was taken over: " + str(told["why"])).format(who=who, heard=heard)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE_S:.0f} min" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:.0f} h"
