"""What a Linux board is, by its own files: serial, model, kinds of cores. What is not told is None or left out."""

from __future__ import annotations

import glob
import hashlib
import os
import re

from .conditions import number_of, text_of
from .cpu_parts import clusters_of, core_list, parts_of

_TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
_CPUS = "sys/devices/system/cpu"
# What makers of boards leave in place of a number.
_NO_SERIALS = re.compile(r"(?i)to be filled.*|default.*|none|not specified|not applicable|system serial.*|[0 .x-]*")
_HYBRID = {"atom": "sys/devices/cpu_atom/cpus", "core": "sys/devices/cpu_core/cpus"}


def serial(root: str) -> str | None:
    """The board's own number; without one a name made from its installation, which never is the machine-id itself.

    machine-id(5) asks not to show that to others.
    """
    own = _of_tree(root, "serial-number") or text_of(os.path.join(root, "sys/class/dmi/id/product_serial"))
    if own and not _NO_SERIALS.fullmatch(own):
        return own
    installation = text_of(os.path.join(root, "etc/machine-id"))
    if installation is None:
        return None
    return "installation-" + hashlib.sha256(b"weighbridge " + installation.encode()).hexdigest()[:16]


def details(root: str) -> dict[str, str]:
    """Further facts by name, in words."""
    compatible = [name for name in (_of_tree(root, "compatible") or "").split("\0") if name]
    found = {
        "model": _of_tree(root, "model") or _dmi_model(root),
        "soc": _soc(root) or (compatible[-1] if compatible else None),
        "compatible": ", ".join(compatible) or None,
        "kernel": text_of(os.path.join(root, "proc/sys/kernel/osrelease")),
        "cores": _counted(core_parts(root)),
        "governors": " ".join(_governors(root)) or None,
    }
    return {name: words for name, words in found.items() if words}


def core_parts(root: str) -> dict[int, str]:
    """The name of each core by its number."""
    return parts_of(text_of(os.path.join(root, "proc/cpuinfo")) or "")


def clusters(root: str) -> list[dict[str, object]]:
    """The `clusters` of docs/agent-protocol.md."""
    parts: dict[int, str | None] = dict.fromkeys(_online(root))
    parts.update(core_parts(root))
    if not parts:
        return []
    max_mhz = {core: _scaled(_core_file(root, core, "cpufreq/cpuinfo_max_freq")) for core in parts}
    strength = dict(max_mhz)
    if None in strength.values():
        strength = {core: number_of(_core_file(root, core, "cpu_capacity")) for core in parts}
    if _is_x86(root):
        # Cores of one kind differ in their highest clocks there, the best may turbo further; the kernel names kinds.
        strength, parts = _x86_strength(root, parts), dict.fromkeys(parts, _common(parts))
    return clusters_of(parts, strength, max_mhz)


def _x86_strength(root: str, parts: dict[int, str | None]) -> dict[int, float | None]:
    small = set(core_list(text_of(os.path.join(root, _HYBRID["atom"])) or ""))
    return {core: 1.0 if core in small else 2.0 for core in parts}


def _common(parts: dict[int, str | None]) -> str | None:
    names = {part for part in parts.values() if part}
    return names.pop() if len(names) == 1 else None


def _is_x86(root: str) -> bool:
    return bool(
        re.search(r"^(vendor_id|cpu family)\s*:", text_of(os.path.join(root, "proc/cpuinfo")) or "", re.MULTILINE)
    )


def _online(root: str) -> list[int]:
    return core_list(text_of(os.path.join(root, _CPUS, "online")) or "")


def _core_file(root: str, core: int, name: str) -> str:
    return os.path.join(root, _CPUS, "cpu{}".format(core), name)


def _scaled(path: str) -> float | None:
    kilohertz = number_of(path)
    return None if kilohertz is None else kilohertz / 1000.0


def _of_tree(root: str, name: str) -> str | None:
    """A property of the device tree, whose texts end with a zero byte."""
    for tree in _TREES:
        text = (text_of(os.path.join(root, tree, name)) or "").strip("\0 \n")
        if text:
            return text
    return None


def _dmi_model(root: str) -> str | None:
    words = [text_of(os.path.join(root, "sys/class/dmi/id", name)) for name in ("sys_vendor", "product_name")]
    return " ".join(word for word in words if word and not _NO_SERIALS.fullmatch(word)) or None


def _soc(root: str) -> str | None:
    words = [text_of(os.path.join(root, "sys/devices/soc0", name)) for name in ("family", "soc_id")]
    return " ".join(word for word in words if word) or None


def _counted(parts: dict[int, str]) -> str | None:
    counts: dict[str, int] = {}
    for part in parts.values():
        counts[part] = counts.get(part, 0) + 1
    return ", ".join("{} x {}".format(count, part) for part, count in sorted(counts.items())) or None


def _governors(root: str) -> list[str]:
    paths = glob.glob(os.path.join(glob.escape(root), _CPUS, "cpu*/cpufreq/scaling_available_governors"))
    paths += glob.glob(os.path.join(glob.escape(root), _CPUS, "cpufreq/policy*/scaling_available_governors"))
    return sorted({name for path in paths for name in (text_of(path) or "").split()})
