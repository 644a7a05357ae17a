"""Wheels that a board can use: which ones, by the tags in their names, and where they come from.

Source of the tags: packaging.python.org, "Platform compatibility tags" (PEP 425, PEP 600).
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devices.agent.runtimes import LITERT, TFLITE_RUNTIME
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError

_NAME = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)
_MANYLINUX = re.compile(r"manylinux_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>.+)")
_OLD_NAMES = {"manylinux1": "manylinux_2_5", "manylinux2010": "manylinux_2_12", "manylinux2014": "manylinux_2_17"}
_BASELINES = (35, 34, 31, 28, 27, 26, 24, 17)  # the minor versions of glibc that wheels are built for
_DOWNLOAD_S = 600.0
# Distributions by runtime, the runtime itself first. Both are imported with nothing but numpy (tried with 2.3.0).
_WANTED = {LITERT: ("ai-edge-litert==2.3.0", "numpy>=1.23.2"), TFLITE_RUNTIME: ("tflite-runtime==2.14.0", "numpy<2")}
_MACHINES = {LITERT: ("x86_64", "aarch64"), TFLITE_RUNTIME: ("x86_64", "aarch64", "armv7l")}
_PYTHONS = {LITERT: ((3, 10), (3, 14)), TFLITE_RUNTIME: ((3, 9), (3, 11))}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPython:
    """The Python that runs the agent on a device, as far as wheels depend on it. glibc None: another C library."""

    executable: str
    machine: str
    python: tuple[int, int]
    glibc: tuple[int, int] | None
    home: str
    free_bytes: int
    there: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return f"cp{self.python[0]}{self.python[1]}"

    @property
    def words(self) -> str:
        libc = f"glibc {self.glibc[0]}.{self.glibc[1]}" if self.glibc else "no glibc"
        return f"Python {self.python[0]}.{self.python[1]} on {self.machine} with {libc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a runtime takes on a board: distributions, for which Python. lean: its C library alone, without numpy."""

    distributions: tuple[str, ...]
    python: tuple[int, int]
    lean: bool


def needs_of(device: str, board: BoardPython, runtime: str) -> Needs:
    """What to install. A Python too old for LiteRT's wheels still measures through its C library, which is in each.

    Raises DeviceError where no wheel can fit.
    """
    machines, (oldest, newest) = _MACHINES[runtime], _PYTHONS[runtime]
    if board.glibc is None or board.machine not in machines:
        there = f"it comes for {', '.join(machines)} with glibc"
        raise DeviceError(device, f"there is no {runtime} for {board.words}; {there}")
    if oldest <= board.python <= newest:
        return Needs(distributions=_WANTED[runtime], python=board.python, lean=False)
    if runtime == LITERT:
        return Needs(distributions=_WANTED[runtime][:1], python=min(max(board.python, oldest), newest), lean=True)
    span = f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}"
    raise DeviceError(device, f"{runtime} comes for Python {span}, not for {board.words}")


def download_command(board: BoardPython, needs: Needs, folder: Path) -> tuple[str, ...]:
    """pip's words for these wheels and no others, whatever machine this is."""
    newest = board.glibc[1] if board.glibc else 0
    tags = [f"manylinux_2_{minor}_{board.machine}" for minor in _BASELINES if minor <= newest]
    platforms = [word for tag in (*tags, f"manylinux2014_{board.machine}") for word in ("--platform", tag)]
    version = f"{needs.python[0]}.{needs.python[1]}"
    pip = (sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
    return (*pip, *platforms, "--python-version", version, "--dest", str(folder), *needs.distributions)


def download(device: str, board: BoardPython, needs: Needs, folder: Path) -> None:
    """Fill a folder of this machine with the wheels. Raises DeviceError with pip's last words."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = Deadline(_DOWNLOAD_S)
    argv = download_command(board, needs, folder)
    try:
        done = subprocess.run(argv, capture_output=True, timeout=deadline.remaining, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise DeviceError(device, f"pip did not download the wheels: {exc}; give them with --wheels") from exc
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:] or ["it did not say why"]
        advice = "give a folder of them with --wheels"
        raise DeviceError(device, f"pip could not download the wheels for {board.words}: {errors[-1]}; {advice}")


def choose(device: str, board: BoardPython, needs: Needs, folder: Path) -> tuple[Path, ...]:
    """The wheel of each distribution that fits, the newest of several. Raises DeviceError that says what is missing."""
    return tuple(_choose_one(device, board, needs, folder, each) for each in needs.distributions)


def _choose_one(device: str, board: BoardPython, needs: Needs, folder: Path, distribution: str) -> Path:
    name = re.split(r"[=<>]", distribution)[0].replace("-", "_")
    wheels = sorted(folder.glob(f"{name}-*.whl"))
    fitting = [wheel for wheel in wheels if _misfit(wheel, board, needs) is None]
    if fitting:
        return max(fitting, key=_version)
    fill = " ".join(_quiet(download_command(board, needs, folder)))
    if not wheels:
        raise DeviceError(device, f"{folder}: no wheel of {distribution} in it; fill it with: {fill}")
    why = _misfit(wheels[-1], board, needs)
    raise DeviceError(
        device, f"{folder}: {wheels[-1].name} is {why}, the device has {board.words}; fill it with: {fill}"
    )


def _quiet(argv: Sequence[str]) -> list[str]:
    return ["pip", *argv[3:4], *(f"'{word}'" if re.search(r"[<>]", word) else word for word in argv[5:])]


def _misfit(wheel: Path, board: BoardPython, needs: Needs) -> str | None:
    """Why a wheel does not fit, None where it does."""
    found = _NAME.fullmatch(wheel.name)
    if found is None:
        return "no wheel by its name"
    platforms = found["platform"].split(".")
    if platforms != ["any"] and not any(_is_for(platform, board) for platform in platforms):
        return f"for {found['platform']}"
    tag = f"cp{needs.python[0]}{needs.python[1]}"
    pythons = found["python"].split(".")
    if tag in pythons or "py3" in pythons or found["abi"] == "abi3":
        return None
    return f"for {found['python']}"


def _is_for(platform: str, board: BoardPython) -> bool:
    for old, new in _OLD_NAMES.items():
        platform = platform.replace(f"{old}_", f"{new}_", 1)
    found = _MANYLINUX.fullmatch(platform)
    if found is None or board.glibc is None:
        return False
    return found["machine"] == board.machine and (int(found["major"]), int(found["minor"])) <= board.glibc


def _version(wheel: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", wheel.name.split("-")[1]))
