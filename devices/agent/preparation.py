"""What is switched on for measuring, and always restored: the governor of every clock policy.

What was there is written down before anything is switched, in a file beside the lease; so whoever takes the lease after
a supervisor that was killed restores it.
"""

from __future__ import annotations

import glob
import json
import os
import re

from . import protocol
from .conditions import text_of
from .protocol import ProtocolError
from .shared_files import open_planted, open_shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

POLICIES = ("sys/devices/system/cpu/cpufreq/policy[0-9]*", "sys/devices/system/cpu/cpu[0-9]*/cpufreq")
_POLICY = re.compile(r"sys/devices/system/cpu/(cpufreq/policy[0-9]+|cpu[0-9]+/cpufreq)")
_GOVERNOR = re.compile(r"[a-z_]{1,40}")
_LONGEST_NOTE = 1 << 20


class Preparation:
    """A context: leaving it restores. note is the path of the file that remembers what was there, None: none can be.

    root is where the system's files are.
    """

    def __init__(self, root: str, note: str | None) -> None:
        self._root = root
        self._note = note
        self._refused: dict[str, str] = {}
        self._wanted: str | None = None
        self._before: dict[str, str] = {}

    def __enter__(self) -> Preparation:
        """Restore what one that was killed left switched on."""
        if self._note is not None:
            left = _read(self._note)
            if left is not None:
                self._before, self._wanted = left
                self.restore()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def switch(self, wishes: dict[str, object]) -> tuple[dict[str, str], dict[str, str]]:
        """Switch on what is wished for; answers settings as read back, and what was refused with the reason."""
        self._refused = {}
        for name, value in wishes.items():
            if name != "governor" or not isinstance(value, str) or not _GOVERNOR.fullmatch(value):
                raise ProtocolError("prepare: governor is what can be wished for, not {} {!r}".format(name, value))
        if "governor" in wishes:
            refused = self._switch_governor(str(wishes["governor"]))
            if refused:
                self._refused["governor"] = refused
        return self._settings(), dict(self._refused)

    def in_force(self) -> dict[str, str]:
        """The `prepared` of conditions: what was asked for as it is now, and what was refused."""
        told = self._settings()
        if self._refused:
            told["refused"] = "; ".join("{}: {}".format(*each) for each in sorted(self._refused.items()))
        return told

    def _settings(self) -> dict[str, str]:
        if self._wanted is None:
            return {}
        found = sorted({text_of(self._governor(policy)) or "unknown" for policy in self._policies()})
        return {"governor": "+".join(found)} if found else {}

    def _switch_governor(self, wanted: str) -> str | None:
        """Why it could not be switched everywhere, or None."""
        policies = {policy: text_of(self._governor(policy)) for policy in self._policies()}
        if not policies:
            return "not available: this device has no cpufreq"
        if self._note is None:
            return "not without a lease, beside which is written what to restore"
        offered = {policy: self._offered(policy) for policy in policies}
        lacking = [policy for policy, names in offered.items() if names and wanted not in names]
        if lacking:
            return "not available: {} has {}".format(os.path.basename(lacking[0]), ", ".join(offered[lacking[0]]))
        for policy, governor in policies.items():
            if governor is not None and governor != wanted:
                self._before.setdefault(policy, governor)
        self._wanted = wanted
        try:
            _write_note(self._note, self._before, wanted)
        except OSError as problem:
            self._before = {}
            return "{} cannot be written: {}".format(self._note, problem.strerror)
        refused = [_write(self._governor(policy), wanted) for policy in self._before]
        return next((words for words in refused if words), None)

    def restore(self) -> None:
        """Put back what still is as it was switched; what somebody else has set since is theirs."""
        left = {}
        for policy, governor in self._before.items():
            if text_of(self._governor(policy)) == self._wanted and _write(self._governor(policy), governor):
                left[policy] = governor
        wanted, self._before, self._wanted, self._refused = self._wanted, {}, None, {}
        if self._note is None or wanted is None:
            return
        try:
            if left:
                _write_note(self._note, left, wanted)
            else:
                os.unlink(self._note)
        except OSError:
            pass  # read again by the next supervisor, which finds nothing to restore

    def _policies(self) -> list[str]:
        """The policies' folders, below root."""
        for pattern in POLICIES:
            found = sorted(glob.glob(os.path.join(glob.escape(self._root), pattern)))
            policies = [os.path.relpath(path, self._root) for path in found]
            if policies:
                return policies
        return []

    def _governor(self, policy: str) -> str:
        return os.path.join(self._root, policy, "scaling_governor")

    def _offered(self, policy: str) -> list[str]:
        return (text_of(os.path.join(self._root, policy, "scaling_available_governors")) or "").split()


def _write(path: str, value: str) -> str | None:
    """Write to a file of the system and read it back. Why that failed, or None."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)  # never makes a file
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except PermissionError:
        return "not permitted for this user"
    except OSError as problem:
        return problem.strerror
    found = text_of(path)
    return None if found == value else "it reads back as {}".format(found)


def _write_note(path: str, before: dict[str, str], wanted: str) -> None:
    with os.fdopen(open_shared(path), "r+", encoding="utf-8") as stream:
        stream.write(json.dumps({"governor": before, "switched_to": wanted}) + "\n")
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: str) -> tuple[dict[str, str], str] | None:
    """What was there and what it was switched to. Others may have written it: nothing but policies and governors."""
    try:
        with os.fdopen(open_planted(path, os.O_RDONLY), encoding="utf-8") as stream:
            line = stream.readline(_LONGEST_NOTE)
            note = protocol.check("note", json.loads(line), {"governor": dict, "switched_to": str})
    except (OSError, ValueError, RecursionError, ProtocolError):
        return None
    before: dict[str, str] = note["governor"]  # type: ignore[assignment]
    names = [note["switched_to"], *before.values()]
    if all(isinstance(name, str) and _GOVERNOR.fullmatch(name) for name in names) and all(
        _POLICY.fullmatch(policy) for policy in before
    ):
        return before, str(note["switched_to"])
    return None
