"""Files brought to a phone, by content: nothing is sent twice, and nothing stands there half.

devices/transport/push.py does the same for every transport; until it is there this is the phone's own.
"""

from collections.abc import Sequence
from pathlib import Path

from devices.families.android_prepare import FOLDER
from devices.transport.adb import AdbTransport, quoted
from devices.transport.adb_errors import refuse
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceLost
from harness.core.units import Seconds

FILES = f"{FOLDER}/files"
_PATIENCE_S: Seconds = 20.0
_SLOWEST = 1 << 20  # bytes a second, below which a push is given up


class PhoneFiles:
    """Knows what it has brought in this session; what an earlier one brought is found by its digest."""

    def __init__(self, phone: AdbTransport) -> None:
        self._phone = phone
        self._there: dict[str, str] = {}
        self.sent_bytes = 0

    def forget(self) -> None:
        """After a loss: what is there is looked at again."""
        self._there.clear()

    def bring(self, file: Path, sum_: str, mode: str = "600", name: str = "", beside: str = "") -> str:
        """Where the file is on the phone. name: in the folder `beside`, for libraries that find each other by name.

        Raises DeviceLost, DeviceFull, DeviceError where the file on the phone is not what was sent, OSError.
        """
        target = f"{FILES}/{beside}.d/{name}" if name else f"{FILES}/{sum_}"
        if self._there.get(target) != sum_:
            self._bring(file, sum_, target, mode)
            self._there[target] = sum_
        return target

    def _bring(self, file: Path, sum_: str, target: str, mode: str) -> None:
        folder = target.rpartition("/")[0]
        self._do("umask 077 && mkdir -p " + quoted((folder,)))
        if self._sum_of(target) == sum_:
            return
        part, size = f"{target}.part", file.stat().st_size
        self._phone.send_file(file, part, Deadline(_PATIENCE_S + size / _SLOWEST))
        self.sent_bytes += size
        found = self._sum_of(part)
        if found != sum_:
            self._do("rm -f " + quoted((part,)))
            raise DeviceError(self._phone.device, f"{file.name} arrived with another content (sha256 {found[:16]}...)")
        self._do("chmod " + quoted((mode, part)) + " && mv " + quoted((part, target)))

    def _sum_of(self, path: str) -> str:
        done = self._phone.run(("sha256sum", path), Deadline(_PATIENCE_S))
        words: Sequence[str] = done.stdout.decode("utf-8", "replace").split()
        return words[0].removeprefix("\\") if done.exit_code == 0 and words else ""

    def _do(self, script: str) -> None:
        done = self._phone.shell(script, Deadline(_PATIENCE_S))
        if done.exit_code != 0:
            raise _of_words(self._phone.device, done.words)


def _of_words(device: str, words: str) -> DeviceError:
    error = refuse(device, words)
    return DeviceError(device, f"files cannot be kept in {FILES}: {words}") if isinstance(error, DeviceLost) else error
