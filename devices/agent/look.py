"""Answers once, in one line of JSON: who holds this device's lease, and whether this user may set the governor.

Takes nothing and changes nothing, so it may be asked while somebody else measures.
"""

from __future__ import annotations

import glob
import json
import os
import sys

from . import lease
from .preparation import POLICIES
from .protocol import ProtocolError


def main() -> int:
    """Say it."""
    told = {"holder": holder(lease.find_file(lease.AUTO)), "may_set_governor": may_set_governor("/")}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def holder(path: str) -> dict[str, object] | None:
    """The `busy` message of whoever holds a lease now; None where nobody does."""
    try:
        with open(path, "rb") as stream:
            note = lease.check_note(json.loads(stream.read(lease.NOTE_BYTES).decode("utf-8")))
    except (OSError, ValueError, ProtocolError):
        return None
    if note["boot"] != lease.boot() or not lease.is_alive(note):
        return None  # no lock outlives its process, nor a restart
    return dict(lease.shown(note, lease.since_boot()), error="")


def may_set_governor(root: str) -> bool | None:
    """None where there is none to set."""
    found = [path for pattern in POLICIES for path in glob.glob(os.path.join(root, pattern, "scaling_governor"))]
    return all(os.access(path, os.W_OK) for path in found) if found else None
