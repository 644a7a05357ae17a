"""The bench's folder on a phone, and whether there is space in it.

Where there is none, the phone's programs say so in their words, its shell and a C++ stream in none.
"""

from devices.transport.adb import AdbTransport
from devices.transport.adb_errors import is_full, unable
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError
from harness.core.units import Seconds

FOLDER = "/data/local/tmp/weighbridge"
_PATIENCE_S: Seconds = 20.0
# A program that writes a little.
_TRY = 'dd if=/dev/zero of="$1/.room.$$" bs=65536 count=1; c=$?; rm -f "$1/.room.$$"; exit $c'


def failure(phone: AdbTransport, what: str, words: str) -> DeviceError:
    """What failed on the phone, with its words: DeviceFull where no space is left there. Raises DeviceLost."""
    return unable(phone.device, what, words if is_full(words) else _tried(phone) or words)


def check_room(phone: AdbTransport, what: str) -> None:
    """Raises DeviceFull, saying what needs space, where none is left; DeviceLost."""
    if said := _tried(phone):
        raise unable(phone.device, what, said)


def _tried(phone: AdbTransport) -> str | None:
    """The system's own words where a program finds the disk full; None where it is not."""
    done = phone.run(("sh", "-c", _TRY, "try", FOLDER), Deadline(_PATIENCE_S))
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    return next((line.rpartition(": ")[2] for line in lines if is_full(line)), None)
