"""Removes what the bench left on devices. Their leases are taken first: one that somebody measures on is left alone."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from devices import lease as leases
from devices.inventory import LOCAL
from devices.runtimes.agent import AgentClient
from devices.runtimes.litert_ops import op_table
from devices.transport.bundle import bundle_file, bundle_folder
from devices.transport.push import clean
from harness.core.device import AdbAddress, DeviceSpec
from harness.core.errors import DeviceError, DeviceFull
from harness.core.survey import Cleaned

_DAY_S, _YOUNG_S = 86400, 3600


def clean_device(spec: DeviceSpec, older_than_days: int, lease_folder: Path | None = None) -> Cleaned:
    """Remove what was not used for so many days, 0 for all. Raises DeviceBusy and what else reaching it raises.

    lease_folder is where this host's leases lie, None for the usual one.
    """
    folder = lease_folder or leases.lease_folder()
    try:
        return _KINDS["ssh" if spec.ssh else spec.kind](spec, older_than_days, folder)
    except OSError as exc:
        raise DeviceError(spec.name, f"{exc.filename}: {exc.strerror}; check its rights") from exc


def _clean_here(spec: DeviceSpec, days: int, lease_folder: Path) -> Cleaned:
    """Agents of other versions: nothing else is brought here. A young one may be another checkout's, just starting."""
    folder, latest = bundle_folder(), time.time() - max(days * _DAY_S, _YOUNG_S)
    with leases.lease(spec.name, LOCAL, lease_folder):
        current = bundle_file(folder)
        old = [path for path in folder.glob("agent-*.pyz") if path != current and path.stat().st_mtime <= latest]
        sizes = [path.stat().st_size for path in old]
        for path in old:
            path.unlink(missing_ok=True)
    return Cleaned(name=spec.name, files=len(old), bytes=sum(sizes))


def _clean_board(spec: DeviceSpec, days: int, lease_folder: Path) -> Cleaned:
    from devices.boards import board_of, board_state  # brings paramiko, which this machine does without

    board = board_of(spec)
    try:
        facts, _ = board_state(board, spec.name)
        with leases.lease(spec.name, facts.machine or spec.name, lease_folder), closing(board.connect()) as lines:
            AgentClient(spec.name, lines, op_table).greet()  # its agent has the board's own lease by then
            files, size = clean(board.transport(), board.folder, days)
    finally:
        board.close()
    return Cleaned(name=spec.name, files=files, bytes=size)


def _clean_phone(spec: DeviceSpec, days: int, lease_folder: Path) -> Cleaned:
    from devices.families.android_folder import FOLDER
    from devices.phone import open_phone
    from devices.transport.adb import AdbTransport

    phone = open_phone(spec, lease_folder)
    with ExitStack() as held:
        try:
            held.enter_context(phone)
        except DeviceFull:  # not even its lease has room, so that nobody has it
            held.enter_context(phone.host_lease())
        files, size = clean(AdbTransport(spec.name, spec.adb or AdbAddress()), FOLDER, days)
    return Cleaned(name=spec.name, files=files, bytes=size)


def _nothing_there(spec: DeviceSpec, days: int, lease_folder: Path) -> Cleaned:  # noqa: ARG001 (the table's)
    return Cleaned(name=spec.name, files=0, bytes=0)


_KINDS: Mapping[str, Callable[[DeviceSpec, int, Path], Cleaned]] = {
    "local": _clean_here,
    "edgetpu": _clean_here,
    "simulated": _nothing_there,
    "ssh": _clean_board,
    "android": _clean_phone,
}
