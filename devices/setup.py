"""Installs a runtime on a device that has no internet: wheels go over the link and are unpacked; no pip there.

They lie in `~/.weighbridge/runtime/cpXY-DIGEST`, and `cpXY` leads to the one that the agent uses; so a setup that
breaks off leaves what was there, and one that is done again sends nothing.
"""

import inspect
import json
import re
import sys
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from devices import wheels as wheel_choice
from devices.agent import protocol, unpack
from devices.agent.protocol import ProtocolError
from devices.agent.runtimes import LITERT
from devices.runtimes.agent import AgentClient
from devices.runtimes.litert_ops import op_table
from devices.transport.bundle import bundle
from devices.transport.local import LocalTransport
from devices.transport.transport import Transport
from devices.wheels import BoardPython
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError, DeviceFull
from harness.core.units import Bytes

_ASK_S, _SEND_S, _UNPACK_S = 60.0, 900.0, 600.0
_MEGABYTE = 1_000_000
_PYTHON = "python3"
_PROBE = """
import json, os, platform, struct, sys
home = os.path.expanduser("~")
own = os.path.join(home, ".weighbridge", "runtime")
os.umask(0o077)  # makedirs applies a mode to the last folder alone
os.makedirs(own, exist_ok=True)
os.chmod(os.path.dirname(own), 0o700)
machine = platform.machine()
if struct.calcsize("P") == 4:
    machine = {"aarch64": "armv7l", "x86_64": "i686"}.get(machine, machine)
disk = os.statvfs(own)
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""  # platform.libc_ver() looks at what Python was built against
except (ValueError, OSError):
    libc = ""
print(json.dumps({"machine": machine, "python": list(sys.version_info[:2]), "libc": libc,
                  "home": home, "free": disk.f_bavail * disk.f_frsize, "there": os.listdir(own)}))
"""
_REMOVE_FOLDER = "import shutil, sys; shutil.rmtree(sys.argv[1], True)"
_MAKE_FOLDER = "import os, sys; os.makedirs(sys.argv[1], 0o700, exist_ok=True)"

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What a device has now: the runtime by name and version, its folder there, and how many bytes were sent for it."""

    device: str
    runtime: str
    folder: str
    sent_bytes: Bytes
    lean: bool

    def __str__(self) -> str:
        sent = f"{self.sent_bytes / _MEGABYTE:.1f} MB sent" if self.sent_bytes else "it was there, nothing was sent"
        lean = "; its C library alone: this Python is too old for the rest" if self.lean else ""
        return f"{self.device}: {self.runtime} in {self.folder}, {sent}{lean}"


def set_up(spec: DeviceSpec, wheels: Path | None, told: Told) -> Installed:
    """Install the runtime of a device, and have its agent find it there. wheels None: pip downloads them here.

    Raises DeviceError where the device is of a kind that has no setup, where no wheel fits, and where it does not work.
    """
    with closing(reach(spec)) as transport:
        return install(transport, spec, wheels, told)


def reach(spec: DeviceSpec) -> Transport:
    """The way to a device that can be set up. Raises DeviceError for one of another kind."""
    if spec.kind not in _REACH:
        raise DeviceError(spec.name, f"a device of the kind {spec.kind} has no setup; it goes for {', '.join(_REACH)}")
    return _REACH[spec.kind](spec)


def install(transport: Transport, spec: DeviceSpec, wheels: Path | None, told: Told) -> Installed:
    """As set_up, over a link that is there."""
    board = examine(transport, spec.name, python_of(spec))
    needs = wheel_choice.needs_of(spec.name, board, spec.runtime or LITERT)
    with TemporaryDirectory(prefix="weighbridge-wheels-") as folder:
        if wheels is None:
            told(f"{spec.name}: downloading {', '.join(needs.distributions)} for {board.words}")
            wheel_choice.download(spec.name, board, needs, Path(folder))
        chosen = wheel_choice.choose(spec.name, board, needs, wheels or Path(folder))
        target, sent = place(transport, spec.name, board, chosen, told)
    runtime = verify(transport, spec.name, board, target, spec.runtime or LITERT)
    return Installed(device=spec.name, runtime=runtime, folder=target, sent_bytes=sent, lean=needs.lean)


def python_of(spec: DeviceSpec) -> str:
    """The interpreter there."""
    return str(spec.python) if spec.python else _PYTHON if spec.ssh else sys.executable


def examine(transport: Transport, device: str, python: str) -> BoardPython:
    """The device's Python, as far as wheels depend on it. Raises DeviceError where it does not run."""
    done = transport.run((python, "-I", "-S", "-c", _PROBE), Deadline(_ASK_S))
    if done.exit_code != 0:
        advice = "name one that is there: python: /path/of/python3 (3.7 or later)"
        raise DeviceError(device, f"{python} does not run there: {done.words}; {advice}")
    fields = _answer(device, done.stdout)
    glibc = re.match(r"glibc (\d+)\.(\d+)", str(fields["libc"]))
    return BoardPython(
        executable=python,
        machine=fields["machine"],
        python=(fields["python"][0], fields["python"][1]),
        glibc=(int(glibc[1]), int(glibc[2])) if glibc else None,
        home=fields["home"],
        free_bytes=fields["free"],
        there=tuple(fields["there"]),
    )


def place(
    transport: Transport, device: str, board: BoardPython, wheels: Sequence[Path], told: Told
) -> tuple[str, Bytes]:
    """Put wheels in place; answers their folder on the device, and the bytes that were sent.

    Raises DeviceFull before anything is sent where it would not fit.
    """
    digests = {wheel.name: digest.of_bytes(wheel.read_bytes()) for wheel in wheels}
    name = f"{board.tag}-{digest.of_bytes(json.dumps(digests, sort_keys=True).encode())[:12]}"
    parent = f"{board.home}/.weighbridge/runtime"
    staging, target, link = f"{parent}/.new-{uuid.uuid4().hex}", f"{parent}/{name}", f"{parent}/{board.tag}"
    missing = () if name in board.there else wheels
    if missing:
        _check_space(device, board, missing)
    sent: Bytes = 0
    python = (board.executable, "-I", "-S", "-c")
    _run(transport, device, (*python, _MAKE_FOLDER, staging))
    try:
        for wheel in missing:
            told(f"{device}: sending {wheel.name}")
            transport.send_file(wheel, f"{staging}/{wheel.name}", Deadline(_SEND_S))
            sent += wheel.stat().st_size
    except DeviceError:
        with suppress(DeviceError):  # a link that is gone; the next setup that gets through removes it
            transport.run((*python, _REMOVE_FOLDER, staging), Deadline(_ASK_S))
        raise
    task = {"staging": staging, "target": target, "link": link, "wheels": digests if sent else {}}
    argv = (*python, inspect.getsource(unpack))
    said = _answer(device, _run(transport, device, argv, json.dumps(task).encode() + b"\n", _UNPACK_S))
    if "error" in said:
        failure = DeviceFull if said["full"] else DeviceError
        raise failure(device, f"the runtime could not be put into {target}: {said['error']}")
    return target, sent


def verify(transport: Transport, device: str, board: BoardPython, folder: str, runtime: str) -> str:
    """The runtime that an agent finds in a folder, by name and version. Raises DeviceError where it finds none."""
    content = bundle()
    agent = f"{board.home}/.weighbridge/agent-{digest.of_bytes(content)[:16]}.pyz"
    with TemporaryDirectory(prefix="weighbridge-agent-") as here:
        file = Path(here) / "agent.pyz"
        file.write_bytes(content)
        transport.send_file(file, agent, Deadline(_SEND_S))
    with closing(transport.start((board.executable, "-I", "-S", agent, "supervise", "--search", folder))) as lines:
        client = AgentClient(device, lines, op_table)
        client.greet()
        try:
            found = [protocol.check("runtime", each, protocol.RUNTIME) for each in client.facts()["runtimes"]]
        except ProtocolError as exc:
            raise DeviceError(device, f"the agent's facts make no sense: {exc}") from exc
    for each in found:
        if each["name"] == runtime and str(each["package"]).startswith(f"{folder}/"):
            return f"{each['name']} {each['version']}"
    raise DeviceError(device, f"{runtime} was unpacked into {folder} and the agent does not find it there")


def _check_space(device: str, board: BoardPython, wheels: Sequence[Path]) -> None:
    needed = 0
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                needed += wheel.stat().st_size + sum(each.file_size for each in archive.infolist())
        except zipfile.BadZipFile as exc:
            raise DeviceError(device, f"{wheel}: not a whole wheel ({exc}); download it again") from exc
    if needed > board.free_bytes:
        have = f"{board.free_bytes / _MEGABYTE:.0f} MB are free in {board.home}/.weighbridge"
        raise DeviceFull(device, f"the runtime takes {needed / _MEGABYTE:.0f} MB there, {have}; make room for it")


def _run(transport: Transport, device: str, argv: Sequence[str], stdin: bytes = b"", seconds: float = _ASK_S) -> bytes:
    done = transport.run(argv, Deadline(seconds), stdin)
    if done.exit_code != 0:
        raise DeviceError(device, f"setup failed there: {done.words}")
    return done.stdout


def _answer(device: str, said: bytes) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(said.splitlines()[-1])
        return fields
    except (ValueError, IndexError) as exc:
        raise DeviceError(device, f"its Python says {said[:80]!r} where an answer was wanted") from exc


def _reach_computer(spec: DeviceSpec) -> Transport:
    """A board where it has an address, else this machine."""
    if spec.ssh is None:
        return LocalTransport(spec.name)
    from devices.transport.ssh import SshTransport  # brings paramiko, which this machine does without

    return SshTransport(spec.name, spec.ssh)


# How a device of each kind is reached for its setup.
_REACH: Mapping[str, Callable[[DeviceSpec], Transport]] = dict.fromkeys(("local", "ssh", "edgetpu"), _reach_computer)
