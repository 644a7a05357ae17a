"""adb's words for what went wrong, as the bench's errors. One place, tested word by word.

Sources: packages/modules/adb, transport.cpp (acquire_one_transport, UnauthorizedError) and adb.cpp for the states,
client/file_sync_client.cpp and daemon/file_sync_service.cpp for files.
"""

from collections.abc import Mapping

from harness.core.errors import DeviceError, DeviceFull, DeviceLost, DeviceRefused
from harness.core.units import Seconds

_UNAUTHORISED = ("unauthorized", "authorizing", "failed to authenticate")
_FULL = ("no space left on device", "disk quota exceeded")
_PERMISSIONS = ("no permissions", "insufficient permissions")
_ACCEPT = "accept the prompt `Allow USB debugging?` on the phone's screen"
_RULES = (
    "give yourself access to USB devices (https://developer.android.com/tools/device), then plug it in again; "
    "Debian's and Ubuntu's package android-sdk-platform-tools-common brings the rules"
)


def refuse(device: str, words: str, state: str | None = None) -> DeviceError:
    """What adb's words mean; where they are of no known kind, the link is lost."""
    said = " ".join(words.split())
    low = f"{said} {state or ''}".lower()
    if any(word in low for word in _UNAUTHORISED):
        return DeviceRefused(device, f"it has not authorised this machine ({said}); {_ACCEPT}")
    if any(word in low for word in _PERMISSIONS):
        return DeviceRefused(device, f"this user may not open it ({said}); {_RULES}")
    if any(word in low for word in _FULL):
        return _full(device, said)
    if state is not None:
        return DeviceRefused(device, f"{said}; start it into Android")
    return DeviceLost(device, f"the link to it is gone ({said})")


def unable(device: str, what: str, words: str) -> DeviceError:
    """What a command of the phone could not do, by its own words: those of a full disk are of that kind."""
    if is_full(words):
        return _full(device, f"{what}: {' '.join(words.split())}")
    return DeviceError(device, f"{what} ({words.strip() or 'no answer'})")


def is_full(words: str) -> bool:
    """Whether a program complains of a full disk."""
    return any(word in words.lower() for word in _FULL)


def _full(device: str, said: str) -> DeviceFull:
    advice = "make room there, `devices --clean` removes old files of the bench"
    return DeviceFull(device, f"no space is left on the phone ({said}); {advice}")


def unreachable(device: str, what: str, states: Mapping[str, str]) -> DeviceLost:
    """A phone that the server does not know."""
    known = ", ".join(f"{serial} ({state})" for serial, state in sorted(states.items()))
    found = f" (attached: {known})" if known else ""
    return DeviceLost(device, f"{what}{found}; plug it in and enable USB debugging in its settings")


def too_slow(device: str, seconds: Seconds) -> DeviceLost:
    return DeviceLost(device, f"adb did not answer in {seconds:.3g} s")


def lost_server(device: str, cause: BaseException) -> DeviceLost:
    return DeviceLost(device, f"the adb server went away ({cause or type(cause).__name__})")
