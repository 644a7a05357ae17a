"""What a phone needs beside files by digest: programs that may run, and libraries that find each other by name."""

import posixpath
from collections.abc import Sequence

from devices.families import android_folder
from devices.families.android_folder import FOLDER
from devices.phone_tools import Tool
from devices.transport.adb import AdbTransport
from devices.transport.push import Delivery
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError
from harness.core.units import Seconds

_PATIENCE_S: Seconds = 20.0
# The words after it: the folder, the name, what it stands for. A link, since its content lies there already.
_LINK = 'umask 077; mkdir -p "$1" && ln -sf "$3" "$1/$2"'


class PhoneFiles:
    """Files on one phone, each sent once (Delivery). Raises DeviceLost, DeviceFull, DeviceError, OSError."""

    def __init__(self, phone: AdbTransport) -> None:
        self._phone = phone
        self._delivery = Delivery(phone.device, lambda: phone, FOLDER)
        self.bring = self._delivery.bring
        self.forget = self._delivery.forget

    def bring_program(self, tool: Tool) -> str:
        """Where it may be run from."""
        place = self._bring(tool)
        self._do("chmod", "700", place)
        return place

    def bring_together(self, libraries: Sequence[Tool]) -> str:
        """Under their own names in one folder, which is named by all of their content; the place of the first."""
        name = digest.of_content({each.path.name: each.sum for each in libraries})
        folder = posixpath.join(FOLDER, "files", f"{name}.d")
        for each in libraries:
            self._do("sh", "-c", _LINK, "link", folder, each.path.name, self._bring(each))
        return posixpath.join(folder, libraries[0].path.name)

    def _bring(self, tool: Tool) -> str:
        place = self._delivery.bring(tool.path)
        if not posixpath.basename(place).startswith(tool.sum):
            raise DeviceError(self._phone.device, f"{tool.path} was changed since it was checked; run again")
        return place

    def _do(self, *argv: str) -> None:
        done = self._phone.run(argv, Deadline(_PATIENCE_S))
        if done.exit_code != 0:
            raise android_folder.failure(self._phone, f"files cannot be kept in {FOLDER}", done.words)
