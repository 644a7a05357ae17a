"""The programs that a phone is measured with: where they lie on this machine, and whether they are what they should be.

They are not in the bench: the user fetches them once. LiteRT's documentation links nightly builds of benchmark_model
for Android ("Native benchmark binary" on its page about measuring performance), each for one ABI.
"""

import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import digest
from harness.core.device import PhoneTools
from harness.core.errors import DeviceError

BENCHMARK = "benchmark_model"
LITERT = "benchmark_litert_model"
SUMS = "SHA256SUMS"
_DISPATCH = "libLiteRtDispatch_*.so"
_ELF = b"\x7fELF"
_EXECUTABLE = (2, 3)  # ET_EXEC, ET_DYN
# e_machine and 64-bit or not, by Android's names of ABIs.
_MACHINES: Mapping[str, tuple[int, bool]] = {
    "arm64-v8a": (183, True),
    "armeabi-v7a": (40, False),
    "armeabi": (40, False),
    "x86_64": (62, True),
    "x86": (3, False),
}
_SUM = re.compile(r"^(?P<sum>[0-9a-f]{64}) [ *](?P<name>.+)$")
_WHERE = (
    "LiteRT's page on measuring performance links nightly builds of it for Android; put it there, as {name}, "
    "with its SHA256SUMS beside it if you want it pinned"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One file of this machine that goes to the phone."""

    path: Path
    sum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTools:
    """What was found for one ABI. litert and dispatch None and empty: not there."""

    abi: str
    benchmark: Tool
    litert: Tool | None = None
    dispatch: tuple[Tool, ...] = ()
    delegate: Tool | None = None
    libraries: tuple[Tool, ...] = ()  # beside the delegate: what it loads itself (QNN's back ends, their skeletons)

    @property
    def details(self) -> dict[str, str]:
        """For the facts: each file with the beginning of its digest."""
        named = {BENCHMARK: self.benchmark, LITERT: self.litert, "delegate": self.delegate}
        told = {name: f"sha256 {tool.sum[:16]} ({self.abi})" for name, tool in named.items() if tool is not None}
        if self.dispatch:
            told["dispatch library"] = ", ".join(f"{each.path.name} sha256 {each.sum[:16]}" for each in self.dispatch)
        return told


def tools_folder() -> Path:
    """The bench's own, which the user fills once; one folder an ABI below it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weighbridge" / "android"


def find_tools(device: str, wanted: PhoneTools, abis: Sequence[str]) -> HostTools:
    """The tools for the best of a phone's ABIs. Raises DeviceError that says what is missing and where to get it."""
    folder = wanted.folder or tools_folder()
    for abi, place in _places(folder, abis):
        if (place / BENCHMARK).is_file() and _abi_of(place / BENCHMARK) in (abi, None):
            return _found(device, abi, place, wanted)
    if not abis:
        raise DeviceError(device, "it does not say which ABIs it runs, so no benchmark_model can be chosen for it")
    other = folder / BENCHMARK
    if other.is_file():
        built = _abi_of(other)
        raise DeviceError(
            device, f"{other} is built for {built}, the phone runs {', '.join(abis)}; take that build of it"
        )
    place = folder / abis[0] / BENCHMARK
    raise DeviceError(device, f"{place} is missing: {_WHERE.format(name=BENCHMARK)}")


def _places(folder: Path, abis: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for abi in abis:
        yield abi, folder / abi
    for abi in abis:
        yield abi, folder


def _found(device: str, abi: str, folder: Path, wanted: PhoneTools) -> HostTools:
    sums = _sums_of(device, folder)
    litert = folder / LITERT
    return HostTools(
        abi=abi,
        benchmark=_checked(device, folder / BENCHMARK, abi, sums),
        litert=_checked(device, litert, abi, sums) if litert.is_file() else None,
        dispatch=tuple(_checked(device, path, abi, sums) for path in sorted(folder.glob(_DISPATCH))),
        delegate=_checked(device, wanted.delegate, abi, {}) if wanted.delegate else None,
        libraries=_beside(device, wanted.delegate) if wanted.delegate else (),
    )


def _sums_of(device: str, folder: Path) -> dict[str, str]:
    try:
        text = (folder / SUMS).read_text()
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise DeviceError(device, f"{folder / SUMS} cannot be read: {exc.strerror}") from exc
    found = [_SUM.match(line) for line in text.splitlines() if line.strip()]
    if None in found:
        raise DeviceError(device, f"{folder / SUMS} is not as sha256sum writes it; make it anew: sha256sum * > {SUMS}")
    return {each["name"].removeprefix("./"): each["sum"] for each in found if each}


def _checked(device: str, path: Path, abi: str, sums: Mapping[str, str]) -> Tool:
    """ELF for the phone's ABI, and as its pinned digest has it. Raises DeviceError."""
    try:
        built, found = _abi_of(path), digest.of_file(path)
    except OSError as exc:
        raise DeviceError(device, f"{path} cannot be read: {exc.strerror}") from exc
    if built is not None and built != abi:
        raise DeviceError(device, f"{path} is built for {built}, the phone runs {abi}; take that build of it")
    if built is None and not _is_script(path):
        raise DeviceError(device, f"{path} is no program of Android's (no ELF file); fetch it again")
    if path.name in sums and sums[path.name] != found:
        raise DeviceError(
            device, f"{path} has digest {found[:16]}..., {SUMS} says {sums[path.name][:16]}...; fetch it again"
        )
    return Tool(path=path, sum=found)


def _beside(device: str, delegate: Path) -> tuple[Tool, ...]:
    """The other libraries in a delegate's folder, of whatever processor: a DSP has its own."""
    try:
        others = [
            path for path in sorted(delegate.parent.glob("*.so")) if path.name != delegate.name and path.is_file()
        ]
        return tuple(Tool(path=path, sum=digest.of_file(path)) for path in others)
    except OSError as exc:
        raise DeviceError(device, f"{delegate.parent} cannot be read: {exc.strerror}") from exc


def _is_script(path: Path) -> bool:
    """A wrapper that the phone's own shell runs."""
    with path.open("rb") as stream:
        return stream.read(2) == b"#!"


def _abi_of(path: Path) -> str | None:
    """Which ABI an ELF file is built for; None where it is none. Raises OSError."""
    with path.open("rb") as stream:
        head = stream.read(20)
    if len(head) < 20 or head[:4] != _ELF:
        return None
    kind, machine = struct.unpack_from("<HH", head, 16)
    if kind not in _EXECUTABLE:
        return None
    found = (machine, head[4] == 2)
    return next((abi for abi, built in _MACHINES.items() if built == found), f"machine {machine}")
