"""The phones that are attached to this machine, as the adb server has them."""

from pathlib import Path

from devices.transport.adb_errors import refuse
from devices.transport.adb_server import AdbServer, running_server
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError
from harness.core.survey import Phone, Phones

_ADB_INTERFACE = ("ff", "42", "01")  # class, subclass and protocol on USB: packages/modules/adb, adb.h
_PARTS = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
_OFFLINE = "plug it in again, or restart it; a run reconnects it once by itself"


def attached_phones(root: Path = Path("/"), address: AdbAddress | None = None) -> Phones:
    """Those that a server knows. Where none runs, one is started only for a phone that is on USB."""
    wanted = address or AdbAddress()
    port = wanted.server_port or running_server()
    if port is None and not _is_on_usb(root):
        return Phones(server="no adb server runs, and no phone with USB debugging is on USB")
    try:
        server = AdbServer("adb", wanted)
        states = server.states()
    except DeviceError as error:
        return Phones(server=error.reason)
    found = tuple(phone_of(serial, state) for serial, state in sorted(states.items()))
    return Phones(server=f"adb server on port {server.port}", found=found)


def phone_of(serial: str, state: str) -> Phone:
    """A phone with what helps where it cannot be used."""
    if state == "device":
        return Phone(serial=serial, state=state)
    if state == "offline":
        return Phone(serial=serial, state=state, advice=_OFFLINE)
    return Phone(serial=serial, state=state, advice=refuse(serial, f"it is {state}", state).reason)


def _is_on_usb(root: Path) -> bool:
    interfaces = (root / "sys/bus/usb/devices").glob("*:*")
    return any(tuple(_text(each / part) for part in _PARTS) == _ADB_INTERFACE for each in interfaces)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
