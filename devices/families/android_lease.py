"""One user of a phone at a time, across hosts: a folder on the phone.

In it stand who holds it (`owner`), the boot it holds for and until when it does, in seconds of the phone's own uptime
(`until`): clocks of hosts differ, and the phone's may jump. A holder puts the end off while it measures. Past it, or
after a reboot, the lease is stale and may be broken. Who takes, keeps or gives back has the phone's flock meanwhile, so
that of two hosts which find the same stale lease one alone breaks it.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from devices.families import android_folder
from devices.families.android_folder import FOLDER
from devices.runtimes.owner import duration
from devices.transport.adb import AdbTransport
from harness.core.deadline import Deadline
from harness.core.errors import DeviceBusy, DeviceError
from harness.core.units import Seconds

LEASE = f"{FOLDER}/lease"
IDLE_S: Seconds = 120.0  # how long it holds without a sign of life
_EVERY_S: Seconds = 40.0
_PATIENCE_S: Seconds = 20.0
_HELD, _OURS, _STALE, _RESTARTED = "held", "ours", "stale", "restarted"
_HOW = ("taken", _HELD, _OURS, _STALE, _RESTARTED)
# Around a script that changes the lease; its words are the folder, the lease and our token, then its own. One at a
# time: the kernel lets go of the lock however its holder ends. toybox has flock from Android 8 on, and fails without a
# word where another one has the lock; where it says anything else, such as that it is not there, we go on without.
_ALONE = """
cd / && umask 077 && mkdir -p "$1" || exit 3
put() { printf '%%s\\n' "$2" > "$lease/$1.part" && mv "$lease/$1.part" "$lease/$1"; }
(
lease=$2; tries=0
while ! said=$(flock -n 9 2>&1) && [ -z "$said" ]; do
  tries=$((tries + 1)); [ $tries -lt 50 ] || exit 5
  sleep 0.1
done
now=$(cut -d. -f1 /proc/uptime); boot=$(cat /proc/sys/kernel/random/boot_id)
token=$(cat "$lease/token" 2>/dev/null)
%s
) 9>"$1/lease.lock"
"""
# Further words: the owner's JSON, how long it holds.
_TAKE = """
how=taken
if [ -d "$lease" ]; then
  until=$(cat "$lease/until" 2>/dev/null); theirs=$(cat "$lease/boot" 2>/dev/null)
  if [ "$token" = "$3" ]; then how=ours
  elif [ -z "$until" ]; then how=taken
  elif [ "$theirs" != "$boot" ]; then how=restarted
  elif [ "$now" -lt "$until" ]; then how=held
  else how=stale; fi
fi
echo $how; echo "$now ${until:-0}"; cat "$lease/owner" 2>/dev/null
[ $how != held ] || exit 0
[ $how = ours ] || { rm -rf "$lease" && mkdir "$lease"; } || exit 3
put token "$3" && put owner "$4" && put boot "$boot" && put until $((now + $5)) && exit 0
[ $how = ours ] || rm -rf "$lease"
exit 3
"""
# Further words: how long it holds from now on.
_KEEP = """
[ "$token" = "$3" ] || exit 4
put until $((now + $4)) || exit 3
"""
_GIVE_BACK = """
[ "$token" != "$3" ] || rm -rf "$lease"
"""
# Exit codes of these.
_BUSY = {
    4: "its lease was lost to somebody else; run again once they are done",
    5: "somebody else is about to take its lease, or hangs there; run again, or restart the phone",
}
_LEFT = "what it left was ended and restored"
_NOTICES = {
    _OURS: f"an earlier run of this host left it without giving it back; {_LEFT}",
    _STALE: f"its lease was broken: that of {{who}} ran out {{silent}} ago without a sign of life; {_LEFT}",
    _RESTARTED: f"{{who}} measured on it when it was restarted, and left it so; {_LEFT}",
}
# lease. What it says is as _TAKE's. It changes nothing, so it needs no lock.
_LOOK = """
now=$(cut -d. -f1 /proc/uptime); until=$(cat "$1/until" 2>/dev/null)
[ "$(cat "$1/boot" 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ -n "$until" ] || exit 0
[ "$now" -lt "$until" ] || exit 0
echo held; echo "$now $until"; cat "$1/owner"
"""


@dataclass(slots=True)
class PhoneLease:
    """A lease that is being held. token is its secret name; owner who holds it, for others to read."""

    phone: AdbTransport
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    clock: Callable[[], float] = time.time
    _lock: Lock = field(default_factory=Lock)
    _quiet_until: float = 0.0

    def take(self, *, again: bool = False) -> str | None:
        """Take it. In words how, where that was not as usual: broken, or left behind by an earlier run of this host.

        again: it was ours before the link was lost, so that it is usual to find it.
        Raises DeviceBusy with who holds it and for how long, DeviceLost, DeviceFull.
        """
        owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": self.clock()})
        told = self._run(_TAKE, owner, str(int(IDLE_S)))
        how, _, rest = told.partition("\n")
        if how == _HELD:
            raise DeviceBusy(self.phone.device, _holder(rest, self.clock()))
        if how not in _HOW:
            raise DeviceError(self.phone.device, f"no lease can be taken in {LEASE} ({told.strip() or 'no answer'})")
        return None if again and how == _OURS else _taken_over(how, rest)

    def keep(self, seconds: Seconds = IDLE_S) -> None:
        """Put its end off. Raises DeviceBusy where somebody else has it by now, DeviceLost, DeviceFull."""
        with self._lock:
            self._quiet_until = time.monotonic() + seconds - IDLE_S
            self._run(_KEEP, str(int(seconds)))

    def give_back(self) -> None:
        self._run(_GIVE_BACK)

    def keep_if_idle(self) -> None:
        """What the thread does: nothing while a launch runs, which was given its time."""
        if time.monotonic() >= self._quiet_until:
            with suppress(DeviceError):  # whoever uses the phone next hears of it
                self.keep()

    def _run(self, script: str, *words: str) -> str:
        argv = ("sh", "-c", _ALONE % script, "lease", FOLDER, LEASE, self.token, *words)
        done = self.phone.run(argv, Deadline(_PATIENCE_S))
        if done.exit_code in _BUSY:
            raise DeviceBusy(self.phone.device, _BUSY[done.exit_code])
        if done.exit_code != 0:
            raise android_folder.failure(self.phone, f"its lease in {LEASE} cannot be kept", done.words)
        return done.stdout.decode("utf-8", "replace")


def holder(phone: AdbTransport, now: float) -> str | None:
    """Who measures on a phone and for how long, None where nobody does. now is seconds since the epoch."""
    done = phone.run(("sh", "-c", _LOOK, "lease", LEASE), Deadline(_PATIENCE_S))
    said, _, rest = done.stdout.decode("utf-8", "replace").partition("\n")
    return _holder(rest, now) if said == _HELD else None


def _holder(rest: str, now: float) -> str:
    _, _, owner = rest.partition("\n")
    try:
        who, since = _owner(owner)
    except (ValueError, KeyError, TypeError):
        return "somebody else measures on it; wait for them to end"
    age = duration(max(0.0, now - since))
    return f"{who} has measured on it for {age}; wait for it to end (one that died loses it in {IDLE_S:g} s)"


def _taken_over(how: str, rest: str) -> str | None:
    times, _, owner = rest.partition("\n")
    now, _, until = times.partition(" ")
    try:
        who, silent = _owner(owner)[0], duration(float(now) - float(until))
    except (ValueError, KeyError, TypeError):
        who, silent = "somebody", "an unknown time"
    return _NOTICES[how].format(who=who, silent=silent) if how in _NOTICES else None


def _owner(text: str) -> tuple[str, float]:
    """Who it is, and since when. Raises ValueError, KeyError, TypeError."""
    told = json.loads(text)
    return f"process {int(told['pid'])} of {str(told['host'])[:64]}", float(told["since"])


@contextmanager
def held(lease: PhoneLease) -> Iterator[str | None]:
    """Hold a lease for the duration; a thread gives its signs of life while nothing else does.

    Yields in words how it was taken, where that was not as usual.
    """
    notice = lease.take()
    done = Event()
    thread = Thread(target=_keep_alive, args=(lease, done), daemon=True)
    thread.start()
    try:
        yield notice
    finally:
        done.set()
        thread.join(_PATIENCE_S)
        with suppress(DeviceError):  # gone: it runs out by itself
            lease.give_back()


def _keep_alive(lease: PhoneLease, done: Event) -> None:
    while not done.wait(_EVERY_S):
        lease.keep_if_idle()
