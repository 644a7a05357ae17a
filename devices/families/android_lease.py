"""One user of a phone at a time, across hosts: a folder on the phone, which mkdir makes once.

In it stand who holds it (`owner`), the boot it holds for and until when it does, in seconds of the phone's own uptime
(`until`): clocks of hosts differ, and the phone's may jump. A holder puts the end off while it measures. Past it, or
after a reboot, the lease is stale and may be broken.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from devices.families import android_room
from devices.families.android_prepare import FOLDER
from devices.transport.adb import AdbTransport
from harness.core.deadline import Deadline
from harness.core.errors import DeviceBusy, DeviceError
from harness.core.units import Seconds

LEASE = f"{FOLDER}/lease"
IDLE_S: Seconds = 120.0  # how long it holds without a sign of life
_EVERY_S: Seconds = 40.0
_PATIENCE_S: Seconds = 20.0
_TAKEN, _HELD, _OURS = "taken", "held", "ours"
# The words after it, in order: folder, lease, our token, the owner's JSON, how long it holds.
_TAKE = """
cd / && umask 077 && mkdir -p "$1" || exit 3
now=$(cut -d. -f1 /proc/uptime); boot=$(cat /proc/sys/kernel/random/boot_id)
for try in 1 2; do
  if mkdir "$2" 2>/dev/null; then
    printf %s "$3" > "$2/token" && printf %s "$4" > "$2/owner" && echo "$boot" > "$2/boot" || exit 3
    echo $((now + $5)) > "$2/until" || exit 3
    echo taken; exit 0
  fi
  if [ "$(cat "$2/token" 2>/dev/null)" = "$3" ]; then echo ours; exit 0; fi
  until=$(cat "$2/until" 2>/dev/null); theirs=$(cat "$2/boot" 2>/dev/null)
  if [ "$theirs" = "$boot" ] && [ -n "$until" ] && [ "$now" -lt "$until" ]; then
    echo held; echo "$now"; cat "$2/owner"; exit 0
  fi
  if [ -z "$theirs$until" ] && [ $try = 1 ]; then sleep 1; continue; fi
  stale="$2.stale.$$"; mv "$2" "$stale" 2>/dev/null && rm -rf "$stale"
done
echo held; echo "$now"; cat "$2/owner" 2>/dev/null
exit 0
"""
# lease, token, how long
_KEEP = """
[ "$(cat "$1/token" 2>/dev/null)" = "$2" ] || exit 4
now=$(cut -d. -f1 /proc/uptime); echo $((now + $3)) > "$1/until.part" && mv "$1/until.part" "$1/until"
"""
_GIVE_BACK = """
[ "$(cat "$1/token" 2>/dev/null)" = "$2" ] && rm -rf "$1"
true
"""
# lease. What it says is as _TAKE's.
_LOOK = """
now=$(cut -d. -f1 /proc/uptime); until=$(cat "$1/until" 2>/dev/null)
[ "$(cat "$1/boot" 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ -n "$until" ] || exit 0
[ "$now" -lt "$until" ] || exit 0
echo held; echo "$now"; cat "$1/owner"
"""


@dataclass(slots=True)
class PhoneLease:
    """A lease that is being held. token is its secret name; owner who holds it, for others to read."""

    phone: AdbTransport
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    clock: Callable[[], float] = time.time
    _lock: Lock = field(default_factory=Lock)
    _quiet_until: float = 0.0

    def take(self) -> None:
        """Raises DeviceBusy with who holds it and for how long, DeviceLost, DeviceFull."""
        owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": self.clock()})
        done = self._run(_TAKE, FOLDER, LEASE, self.token, owner, str(int(IDLE_S)))
        said, _, rest = done.partition("\n")
        if said == _HELD:
            raise DeviceBusy(self.phone.device, _holder(rest, self.clock()))
        if said not in (_TAKEN, _OURS):
            raise DeviceError(self.phone.device, f"no lease can be taken in {LEASE} ({done.strip() or 'no answer'})")

    def keep(self, seconds: Seconds = IDLE_S) -> None:
        """Put its end off. Raises DeviceBusy where somebody else has it by now, DeviceLost."""
        with self._lock:
            self._quiet_until = time.monotonic() + seconds - IDLE_S
            self._run(_KEEP, LEASE, self.token, str(int(seconds)))

    def give_back(self) -> None:
        self._run(_GIVE_BACK, LEASE, self.token)

    def keep_if_idle(self) -> None:
        """What the thread does: nothing while a launch runs, which was given its time."""
        if time.monotonic() >= self._quiet_until:
            with suppress(DeviceError):  # whoever uses the phone next hears of it
                self.keep()

    def _run(self, script: str, *words: str) -> str:
        done = self.phone.run(("sh", "-c", script, "lease", *words), Deadline(_PATIENCE_S))
        if done.exit_code == 4:
            raise DeviceBusy(self.phone.device, "its lease was lost to somebody else; run again once they are done")
        if done.exit_code != 0:
            raise android_room.failure(self.phone, f"its lease in {LEASE} cannot be kept", done.words)
        return done.stdout.decode("utf-8", "replace")


def holder(phone: AdbTransport, now: float) -> str | None:
    """Who measures on a phone and for how long, None where nobody does. now is seconds since the epoch."""
    done = phone.run(("sh", "-c", _LOOK, "lease", LEASE), Deadline(_PATIENCE_S))
    said, _, rest = done.stdout.decode("utf-8", "replace").partition("\n")
    return _holder(rest, now) if said == _HELD else None


def _holder(rest: str, now: float) -> str:
    _, _, owner = rest.partition("\n")
    try:
        told = json.loads(owner)
        who, age = f"process {int(told['pid'])} of {str(told['host'])[:64]}", max(0.0, now - float(told["since"]))
    except (ValueError, KeyError, TypeError):
        return "somebody else measures on it; wait for them to end"
    return f"{who} has measured on it for {_in_words(age)}; wait for it to end (one that died loses it in {IDLE_S:g} s)"


def _in_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


@contextmanager
def held(lease: PhoneLease) -> Iterator[None]:
    """Hold a lease for the duration; a thread gives its signs of life while nothing else does."""
    lease.take()
    done = Event()
    thread = Thread(target=_keep_alive, args=(lease, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_PATIENCE_S)
        with suppress(DeviceError):  # gone: it runs out by itself
            lease.give_back()


def _keep_alive(lease: PhoneLease, done: Event) -> None:
    while not done.wait(_EVERY_S):
        lease.keep_if_idle()
