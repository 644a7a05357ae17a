"""What is switched on on a phone for measuring, and switched back after it: fixed performance, and staying awake.

Fixed performance (Android 11 and later) bounds the clocks of CPU and GPU to what can be sustained; the phone can get
too hot all the same, and the cores are not chosen by it
(https://developer.android.com/games/optimize/adpf/fixed-performance-mode). A note of what it was is written on the
phone before anything is switched, so that whoever comes next restores what a killed host left on.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from devices.families import android_folder
from devices.families.android_folder import FOLDER
from devices.transport.adb import AdbTransport, quoted
from devices.transport.transport import Completed
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError
from harness.core.units import Seconds

NOTE = f"{FOLDER}/prepared.json"
_STAY = ("settings", "get", "global", "stay_on_while_plugged_in")
_FIXED = ("cmd", "power", "set-fixed-performance-mode-enabled")
_PATIENCE_S: Seconds = 20.0
FIXED = "fixed performance"
STAY = "stay awake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What stands on the phone. stay is what `stay_on_while_plugged_in` was before; fixed how the mode was answered.

    fixed: `on`, `refused: ...`, or `unknown` from before the switch to after its answer.
    """

    stay: str
    fixed: str

    @property
    def text(self) -> str:
        return json.dumps({"stay": self.stay, "fixed": self.fixed})


def note_from(text: str) -> Note | None:
    """Read a note; None where there is none. One that was torn says that all may be on."""
    if not text.strip():
        return None
    try:
        told = json.loads(text)
        return Note(stay=str(told["stay"]), fixed=str(told["fixed"]))
    except (ValueError, KeyError, TypeError):
        return Note(stay="", fixed="unknown")


def prepared_from(note_text: str, stay_text: str) -> Mapping[str, str]:
    """What is switched on, as the phone reads back: fixed performance has nothing to read, so it is as answered."""
    note = note_from(note_text)
    if note is None:
        return {}
    stay = stay_text.strip()
    return {FIXED: note.fixed, STAY: f"stay_on_while_plugged_in {stay}" if stay else "unknown"}


@contextmanager
def prepared(phone: AdbTransport) -> Iterator[None]:
    """Switch on for the duration, and back whatever happens. Restores first what an earlier host left on.

    Raises DeviceLost, DeviceError. Where the link is gone at the end the note stays, and the next who comes restores.
    """
    restore(phone)
    try:
        switch_on(phone)
        yield
    finally:
        with suppress(DeviceError):  # gone: the note on it tells the next one
            restore(phone)


def switch_on(phone: AdbTransport) -> None:
    """Note what was, then switch. A phone that refuses the one or the other is measured as it is, and says so."""
    before = _said(phone, _STAY)
    _write(phone, Note(stay=before, fixed="unknown"))
    _said(phone, ("svc", "power", "stayon", "true"))
    _write(phone, Note(stay=before, fixed=_switch_fixed(phone)))


def restore(phone: AdbTransport) -> None:
    """Put back what the note says, and take the note away. Raises DeviceLost."""
    note = note_from(_said(phone, ("cat", NOTE)))
    if note is None:
        return
    if not note.fixed.startswith("refused"):
        _said(phone, (*_FIXED, "false"))
    _said(phone, _put_back(note.stay))
    phone.run(("rm", "-f", NOTE), Deadline(_PATIENCE_S))


def _put_back(stay: str) -> tuple[str, ...]:
    if stay.isdigit():
        return ("settings", "put", "global", "stay_on_while_plugged_in", stay)
    if stay == "null":  # it was never set
        return ("settings", "delete", "global", "stay_on_while_plugged_in")
    return ("svc", "power", "stayon", "false")


def _switch_fixed(phone: AdbTransport) -> str:
    done = _asked(phone, (*_FIXED, "true"))
    words = f"{done.stdout.decode('utf-8', 'replace')} {done.stderr.decode('utf-8', 'replace')}".strip()
    if done.exit_code == 0 and "fail" not in words.lower() and "unknown" not in words.lower():
        return "on"
    return f"refused: {' '.join(words.split()) or f'exit code {done.exit_code}'}"


def _said(phone: AdbTransport, argv: tuple[str, ...]) -> str:
    """What a command says where it works; empty where it does not, which is no reason not to measure."""
    done = _asked(phone, argv)
    return done.stdout.decode("utf-8", "replace").strip() if done.exit_code == 0 else ""


def _asked(phone: AdbTransport, argv: tuple[str, ...]) -> Completed:
    return phone.run(argv, Deadline(_PATIENCE_S))


def _write(phone: AdbTransport, note: Note) -> None:
    """Whole or not at all: under another name first."""
    part = f"{NOTE}.part"
    script = f"umask 077; printf %s {quoted((note.text,))} > {quoted((part,))} && mv {quoted((part, NOTE))}"
    done = phone.shell(script, Deadline(_PATIENCE_S))
    if done.exit_code != 0:
        raise android_folder.failure(phone, f"nothing was switched on, as {NOTE} cannot be written", done.words)
