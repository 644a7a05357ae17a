"""Brings benchmark_model to a device, where its agent looks for it: the user's own file, for that processor."""

import uuid
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from devices.setup import examine, python_of, reach
from devices.transport.transport import Transport
from harness.core import digest
from harness.core.deadline import Deadline
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError, DeviceFull

_ASK_S, _SEND_S = 60.0, 900.0
_MAGIC = b"\x7fELF"
_MACHINES = {
    (2, 0xB7): ("aarch64",),
    (1, 0x28): ("armv7l", "armv8l"),
    (2, 0x3E): ("x86_64",),
    (1, 0x03): ("i686", "i386"),
}
_SUM = """
import hashlib, os, sys
def sum_of(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()
"""
_LOOK = _SUM + (
    "os.makedirs(os.path.dirname(sys.argv[1]), 0o700, exist_ok=True)\n"
    "print(sum_of(sys.argv[1]) if os.path.isfile(sys.argv[1]) else '')"
)
_KEEP = _SUM + (
    "if sum_of(sys.argv[1]) != sys.argv[3]: sys.exit('it arrived damaged; send it again')\n"
    "os.chmod(sys.argv[1], 0o700)\nos.replace(sys.argv[1], sys.argv[2])"
)
_REMOVE = "import os, sys; os.path.exists(sys.argv[1]) and os.remove(sys.argv[1])"


def send_tool(spec: DeviceSpec, tool: Path) -> str:
    """Put it in place, in one step; what was done, in words. Raises DeviceError."""
    with closing(reach(spec)) as transport:
        return place_tool(transport, spec, tool)


def place_tool(transport: Transport, spec: DeviceSpec, tool: Path) -> str:
    """As send_tool, over a link that is there."""
    board = examine(transport, spec.name, python_of(spec))
    content = tool.read_bytes()
    _check_processor(spec.name, tool, content, board.machine)
    sha256 = digest.of_bytes(content)
    target = f"{board.home}/.weighbridge/tools/benchmark_model"
    python = (board.executable, "-I", "-S", "-c")
    if _run(transport, spec.name, (*python, _LOOK, target)).decode("utf-8", "replace").strip() == sha256:
        return f"{spec.name}: {target} was there, nothing was sent"
    part = f"{target}.{uuid.uuid4().hex}.part"
    try:
        transport.send_file(tool, part, Deadline(_SEND_S))
        _run(transport, spec.name, (*python, _KEEP, part, target, sha256))
    except DeviceError:
        with suppress(DeviceError):  # a link that is gone
            transport.run((*python, _REMOVE, part), Deadline(_ASK_S))
        raise
    return f"{spec.name}: benchmark_model sha256:{sha256[:12]} in {target}, {len(content) / 1e6:.1f} MB sent"


def _check_processor(device: str, tool: Path, content: bytes, machine: str) -> None:
    """Refuse what cannot run there: ELF of another processor, or no ELF at all."""
    if content[:4] != _MAGIC or len(content) < 20:
        raise DeviceError(device, f"{tool} is no program for Linux (no ELF); give benchmark_model for {machine}")
    found = _MACHINES.get((content[4], int.from_bytes(content[18:20], "little")), ("another processor",))
    if machine not in found:
        raise DeviceError(device, f"{tool} is for {found[0]}, the device's Python is for {machine}; give one for that")


def _run(transport: Transport, device: str, argv: Sequence[str]) -> bytes:
    done = transport.run(argv, Deadline(_ASK_S))
    if done.exit_code != 0:
        failure = DeviceFull if "No space left" in done.words else DeviceError
        raise failure(device, f"benchmark_model could not be put in place: {done.words}")
    return done.stdout
