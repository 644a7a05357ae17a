"""What the process holds in memory, by the system's own counters.

Linux: /proc/self/status, with VmHWM reset through clear_refs (proc(5), proc_pid_clear_refs(5)).
macOS: task_info(TASK_VM_INFO), mach/task_info.h. Never run on a Mac yet.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import sys

PROC_SELF = "/proc/self"
_LINE = re.compile(r"^(VmRSS|VmHWM|RssAnon|RssFile):\s+(\d+) kB$", re.MULTILINE)
_TASK_VM_INFO = 22
_TASK_VM_INFO_WORDS = 38  # natural_t; up to phys_footprint, revision 1


class Levels:
    """Bytes at one moment; None where the system does not say."""

    def __init__(self, resident: int | None, peak: int | None, anonymous: int | None, file_backed: int | None) -> None:
        self.resident = resident
        self.peak = peak
        self.anonymous = anonymous
        self.file_backed = file_backed


def parse_status(text: str) -> Levels:
    """The levels in the text of /proc/PID/status."""
    found = {key: int(value) * 1024 for key, value in _LINE.findall(text)}
    return Levels(found.get("VmRSS"), found.get("VmHWM"), found.get("RssAnon"), found.get("RssFile"))


def parse_task_vm_info(content: bytes) -> Levels:
    """The levels in a task_vm_info: resident_size at 16, its peak at 24, internal at 48, external at 64."""
    resident, peak = struct.unpack_from("<QQ", content, 16)
    internal, _, external = struct.unpack_from("<QQQ", content, 48)
    return Levels(resident, peak, internal, external)


class Meter:
    """Reads the levels of this process and gives differences from the moment it was made."""

    def __init__(self, platform: str = sys.platform, proc: str = PROC_SELF) -> None:
        self._platform = platform
        self._proc = proc
        self._was_reset = platform.startswith("linux") and _reset_peak(proc)
        self._start = self.levels()

    def levels(self) -> Levels:
        """The levels now."""
        if self._platform == "darwin":
            return parse_task_vm_info(_task_vm_info())
        try:
            with open(os.path.join(self._proc, "status")) as stream:
                return parse_status(stream.read())
        except OSError:
            return Levels(None, None, None, None)

    def report(self, loaded: Levels, ran: Levels) -> dict[str, object]:
        """The `memory` message: bytes above the start, with how they were read."""
        start = self._start
        return {
            "after_load": _above(loaded.resident, start.resident),
            "after_run": _above(ran.resident, start.resident),
            "peak": self._peak(ran),
            "anonymous": _above(ran.anonymous, start.anonymous),
            "file_backed": _above(ran.file_backed, start.file_backed),
            "method": self._method(),
        }

    def _peak(self, ran: Levels) -> int | None:
        # A mark that could not be reset still counts where it rose: it was then set by what came after the start.
        if self._was_reset or (ran.peak or 0) > (self._start.peak or 0):
            return _above(ran.peak, self._start.resident)
        return None

    def _method(self) -> str:
        if self._platform == "darwin":
            return "task_info TASK_VM_INFO (never run on a Mac yet); peak only where it rose above the start's"
        if self._was_reset:
            return "/proc/self/status; peak is VmHWM, reset through clear_refs"
        return "/proc/self/status; clear_refs not permitted, so peak only where VmHWM rose above the start's"


def _above(now: int | None, start: int | None) -> int | None:
    return None if now is None or start is None else now - start


def _reset_peak(proc: str) -> bool:
    try:
        with open(os.path.join(proc, "clear_refs"), "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def _task_vm_info() -> bytes:
    library = ctypes.CDLL(None)
    content = (ctypes.c_uint32 * _TASK_VM_INFO_WORDS)()
    words = ctypes.c_uint32(_TASK_VM_INFO_WORDS)
    task = ctypes.c_uint32.in_dll(library, "mach_task_self_")
    status = library.task_info(task, _TASK_VM_INFO, ctypes.byref(content), ctypes.byref(words))
    if status != 0:
        raise OSError(status, "task_info(TASK_VM_INFO) failed")
    return bytes(content)
