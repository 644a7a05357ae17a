"""What the device is, by its own files: system, processor, memory, runtimes, signs of accelerators."""

from __future__ import annotations

import glob
import os
import platform
import re
import sys

from . import board, edgetpu, native_tool, vulkan
from .conditions import kilobytes, run, text_of
from .runtimes import LITERT, find
from .targets import GPU_LIBRARIES, gpu_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Where an accelerator would show itself. Patterns below root; `usb` entries are vendor:product.
_SIGNS = {
    "gpu": (
        "dev/dri/renderD*",
        "dev/nvidia[0-9]*",
        "dev/mali[0-9]*",
        "dev/kgsl-3d0",
    ),
    "npu": ("dev/accel/accel[0-9]*", "dev/rknpu*", "dev/apusys*", "dev/ethosu[0-9]*", "dev/hailo[0-9]*"),
    "edgetpu": (
        "dev/apex_[0-9]*",
        "usr/lib/*/libedgetpu.so.1",
        "usr/lib/libedgetpu.so.1",
        "usr/local/lib/libedgetpu.so.1",
        "usb 1a6e:089a",
        "usb 18d1:9302",
    ),
}
_MAC_SIGNS = {"gpu": "Metal", "npu": "Neural Engine"}


def read(search: list[str], root: str = "/", system: str = sys.platform) -> dict[str, object]:
    """The `facts` of docs/agent-protocol.md."""
    mac = system == "darwin"
    found = find(search)
    units = _mac_accelerators(platform.machine()) if mac else _linux_accelerators(root)
    return {
        "system": system,
        "os": _mac_os() if mac else _linux_os(root),
        "arch": platform.machine() or None,
        "processor": _line(run(("sysctl", "-n", "machdep.cpu.brand_string"))) if mac else _linux_processor(root),
        "cores": _cores(),
        "memory_bytes": _mac_memory() if mac else kilobytes(text_of(os.path.join(root, "proc/meminfo")), "MemTotal"),
        "runtimes": found,
        "accelerators": [_with_library(each, found, mac) if each["unit"] == "gpu" else each for each in units],
        "serial": None if mac else board.serial(root),
        "clusters": [] if mac else board.clusters(root),
        "details": dict(
            {} if mac else dict(board.details(root), **edgetpu.details(root)),
            **native_tool.details(str(runtime["package"]) for runtime in found),
        ),
    }


def _linux_os(root: str) -> str | None:
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)', text_of(os.path.join(root, "etc/os-release")) or "", re.MULTILINE)
    kernel = text_of(os.path.join(root, "proc/sys/kernel/osrelease"))
    parts = [match.group(1) if match else None, "Linux " + kernel if kernel else None]
    return ", ".join(part for part in parts if part) or None


def _linux_processor(root: str) -> str | None:
    text = text_of(os.path.join(root, "proc/cpuinfo")) or ""
    for key in ("model name", "Model", "Hardware"):
        match = re.search(r"^{}\s*:\s*(.+)$".format(key), text, re.MULTILINE)
        if match:
            return match.group(1).strip()
    return (text_of(os.path.join(root, "proc/device-tree/model")) or "").strip("\0 ") or None


def _cores() -> int | None:
    """Cores that a process may use here, which may be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count()


def _linux_accelerators(root: str) -> list[dict[str, object]]:
    units: list[dict[str, object]] = [
        {
            "unit": unit,
            "found": [hit for sign in signs for hit in _hits(root, sign)],
            "looked_for": _shown(signs),
            "adapters": [],
        }
        for unit, signs in _SIGNS.items()
    ]
    return [_with_adapters(each, root) if each["unit"] == "gpu" else each for each in units]


def _with_adapters(gpu: dict[str, Any], root: str) -> dict[str, object]:
    seen = vulkan.survey(root)
    loaders = list(dict.fromkeys(seen.loaders))
    signs = [*_shown(vulkan.MANIFESTS), vulkan.LOADER]
    return dict(
        gpu,
        found=[*gpu["found"], *seen.manifests, *loaders],
        looked_for=[*gpu["looked_for"], *signs],
        adapters=seen.adapters,
    )


def _with_library(gpu: dict[str, Any], found: list[dict[str, object]], mac: bool) -> dict[str, object]:
    """The GPU, with the accelerator that LiteRT needs to use it."""
    packages = (str(runtime["package"]) for runtime in found if runtime["name"] == LITERT)
    libraries = [path for path in map(gpu_library, packages) if path]
    sought = [name for name in GPU_LIBRARIES if name.endswith(".dylib") == mac]
    return dict(gpu, found=[*gpu["found"], *libraries], looked_for=[*gpu["looked_for"], *sought])


def _hits(root: str, sign: str) -> list[str]:
    if not sign.startswith("usb "):
        return ["/" + os.path.relpath(path, root) for path in sorted(glob.glob(os.path.join(root, sign)))]
    wanted = sign[len("usb ") :]
    devices = glob.glob(os.path.join(root, "sys/bus/usb/devices/*"))
    names = (":".join(text_of(os.path.join(d, part)) or "" for part in ("idVendor", "idProduct")) for d in devices)
    return [sign] if wanted in names else []


def _shown(signs: Iterable[str]) -> list[str]:
    return [sign if sign.startswith("usb ") else "/" + sign for sign in signs]


def _mac_accelerators(machine: str) -> list[dict[str, object]]:
    """Every Mac with Apple silicon has both. Never run on a Mac yet."""
    here = machine == "arm64"
    metal: list[vulkan.Adapter] = [{"name": "Metal", "software": False, "driver": None}] if here else []
    units: list[dict[str, object]] = [
        {
            "unit": unit,
            "found": [sign] if here else [],
            "looked_for": [sign],
            "adapters": metal if unit == "gpu" else [],
        }
        for unit, sign in _MAC_SIGNS.items()
    ]
    return [*units, {"unit": "edgetpu", "found": [], "looked_for": [], "adapters": []}]


def _mac_os() -> str | None:
    version = platform.mac_ver()[0]
    return "macOS " + version if version else None


def _mac_memory() -> int | None:
    text = _line(run(("sysctl", "-n", "hw.memsize")))
    return int(text) if text and text.isdigit() else None


def _line(text: str | None) -> str | None:
    return (text or "").strip() or None
