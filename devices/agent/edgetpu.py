"""The Edge TPU as the device's own files tell of it: accelerators, their library, and why one cannot be opened.

Never run on a board with an Edge TPU yet: written from the documents of the driver and the library, and tested on
planted trees. Sources: coral.ai/docs/pcie-parameters (apex), google-coral/libedgetpu (tflite/public/edgetpu_c.h,
tflite/edgetpu_delegate_for_custom_op.cc), Linux Documentation/ABI/stable/sysfs-bus-usb.
"""

from __future__ import annotations

import ctypes
import glob
import os
import re
import stat
import sys

from .conditions import number_of, run, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIBRARY = "libedgetpu.so.1"
# The accelerator changes its name when its firmware has been loaded, which its first use does.
USB_IDS = {"1a6e:089a": "not initialised yet", "18d1:9302": "initialised"}
USB_2_MBITS = 480.0
_MILLI = 1000.0
_ASK_VERSION = (
    "import ctypes, sys; f = ctypes.CDLL(sys.argv[1]).edgetpu_version; f.restype = ctypes.c_char_p; print(f().decode())"
)
_FLAVOURS = ("libedgetpu1-std", "libedgetpu1-max")


class Accelerator:
    """One that is attached. name is libedgetpu's (`pci:0`, `usb:1`); path is the node that a program opens.

    state says what is known of it, in words.
    """

    def __init__(self, name: str, path: str, state: str) -> None:
        self.name = name
        self.path = path
        self.state = state


def accelerators(root: str = "/") -> list[Accelerator]:
    """Those on PCIe, then those on USB, numbered in the order of their names, which may not be libedgetpu's."""
    return _on_pcie(root) + _on_usb(root)


def details(root: str = "/") -> dict[str, str]:
    """`edgetpu pci:0` and the like with what is known of each, and `libedgetpu` with its package and version."""
    told = {"edgetpu " + each.name: each.state for each in accelerators(root)}
    for library in _libraries(root):
        asked = run((sys.executable, "-c", _ASK_VERSION, library)) if root == "/" else None
        told["libedgetpu"] = _described(library, (asked or "").strip() or None, root)
        break
    return told


def describe_loaded(library: str) -> str:
    """The library that this process has loaded: package, version as it tells it, path."""
    version = None
    try:
        ask = ctypes.CDLL(library).edgetpu_version
        ask.restype = ctypes.c_char_p
        version = ask().decode("utf-8", "replace")
    except (OSError, AttributeError):
        pass  # no such call: not known
    return _described(library, version, "/")


def why_closed(root: str = "/") -> str:
    """Why no accelerator can be opened, as far as the system shows."""
    found = accelerators(root)
    if not found:
        return "no Edge TPU is attached: no /dev/apex_*, no usb {}".format(", no usb ".join(USB_IDS))
    for each in found:
        path = os.path.join(root, each.path.lstrip("/"))
        if not os.path.exists(path):
            return "{} is not there although {} is: load the driver (modprobe apex)".format(each.path, each.name)
        if not os.access(path, os.R_OK | os.W_OK):
            return _not_permitted(each, path)
        holder = _holder(each, root)
        if holder is not None:
            return "{} is in use by process {}: end it, one process has an Edge TPU".format(each.name, holder)
    shown = ", ".join("{} ({})".format(each.name, each.state) for each in found)
    return "attached: {}; try to unplug it and to plug it in again".format(shown)


def _not_permitted(each: Accelerator, path: str) -> str:
    """Whose group may open it stands in the node; udev's rules of the library's package give it to plugdev or apex."""
    try:
        import grp

        status = os.stat(path)
        group = grp.getgrgid(status.st_gid).gr_name
        shared = bool(status.st_mode & stat.S_IWGRP) and status.st_gid != 0
    except (ImportError, KeyError, OSError):
        group, shared = "", False
    name = group if shared else "apex" if each.name.startswith("pci") else "plugdev"
    rule = "" if shared else " and install the udev rules of libedgetpu1 (or write one for that group)"
    return "no permission for {}: sudo usermod -aG {} $USER{}, then log in again".format(each.path, name, rule)


def _holder(each: Accelerator, root: str) -> str | None:
    """The process that has it open, by what /proc shows to this user; for others' processes by the driver's word."""
    own = str(os.getpid())
    for link in glob.glob(os.path.join(root, "proc/[0-9]*/fd/*")):
        process = link.split(os.sep)[-3]
        try:
            if process != own and os.readlink(link) == each.path:
                return process
        except OSError:
            continue  # ended, or somebody else's
    owned = text_of(os.path.join(root, "sys/class/apex", os.path.basename(each.path), "is_device_owned"))
    return "unknown" if owned == "1" else None


def _on_pcie(root: str) -> list[Accelerator]:
    driver = text_of(os.path.join(root, "sys/module/apex/version"))
    found = []
    for place, folder in enumerate(_apex_folders(root)):
        said = [
            _labelled("status", text_of(os.path.join(folder, "status"))),
            _labelled("driver", driver or text_of(os.path.join(folder, "driver_version"))),
            _trip_points(folder),
        ]
        state = ", ".join(each for each in said if each) or "PCIe"
        name = os.path.basename(folder)
        found.append(Accelerator("pci:{}".format(place), "/dev/" + name, state))
    return found


def _trip_points(folder: str) -> str | None:
    """Where the driver lowers the clock, three steps: `slows down at 85/90/95 °C`."""
    values = [number_of(os.path.join(folder, "trip_point{}_temp".format(step))) for step in range(3)]
    known = ["{:g}".format(value / _MILLI) for value in values if value is not None]
    return "slows down at {} \u00b0C".format("/".join(known)) if known else None


def _on_usb(root: str) -> list[Accelerator]:
    found: list[Accelerator] = []
    for folder in sorted(glob.glob(os.path.join(root, "sys/bus/usb/devices/*"))):
        product = ":".join(text_of(os.path.join(folder, part)) or "" for part in ("idVendor", "idProduct"))
        if product not in USB_IDS:
            continue
        numbers = [number_of(os.path.join(folder, part)) for part in ("busnum", "devnum")]
        path = "/dev/bus/usb/" + "/".join("{:03d}".format(int(number or 0)) for number in numbers)
        state = "{}, {}".format(_speed(number_of(os.path.join(folder, "speed"))), USB_IDS[product])
        found.append(Accelerator("usb:{}".format(len(found)), path, state))
    return found


def _speed(mbits: float | None) -> str:
    if mbits is None:
        return "link speed unknown"
    slow = "; USB 3 is several times faster: another port or cable" if mbits <= USB_2_MBITS else ""
    return "{:g} Mbit/s (USB {}{})".format(mbits, 2 if mbits <= USB_2_MBITS else 3, slow)


def _labelled(label: str, value: str | None) -> str | None:
    return None if value is None else "{} {}".format(label, value)


def _apex_folders(root: str) -> list[str]:
    return sorted(glob.glob(os.path.join(root, "sys/class/apex/apex_[0-9]*")))


def _libraries(root: str) -> list[str]:
    patterns = ("usr/lib/*/" + LIBRARY, "usr/lib/" + LIBRARY, "usr/local/lib/" + LIBRARY)
    return [path for pattern in patterns for path in sorted(glob.glob(os.path.join(root, pattern)))]


def _described(library: str, version: str | None, root: str) -> str:
    """`libedgetpu1-std 16.0, RuntimeVersion(14), /usr/lib/...`: std or max is of the package alone."""
    path = _resolved(library, root)
    package = _package_of(path, root) or _flavour_by_link(path)
    shown = "/" + os.path.relpath(path, root) if os.path.isabs(path) else path
    return ", ".join([package or "std or max unknown", version or "version unknown", shown])


def _resolved(library: str, root: str) -> str:
    """Where a library that was named without its folder lies."""
    found = _libraries(root)
    return library if os.sep in library or library != LIBRARY or not found else found[0]


def _package_of(path: str, root: str) -> str | None:
    """Debian's package that a file is of, with its version."""
    names = {"/" + os.path.relpath(each, root) for each in (path, os.path.realpath(path))}
    for listing in sorted(glob.glob(os.path.join(root, "var/lib/dpkg/info/libedgetpu1-*.list"))):
        if names & set((text_of(listing) or "").splitlines()):
            name = os.path.basename(listing)[: -len(".list")].split(":")[0]
            return " ".join(each for each in (name, _installed(name, root)) if each)
    return None


def _installed(package: str, root: str) -> str | None:
    text = text_of(os.path.join(root, "var/lib/dpkg/status")) or ""
    for block in text.split("\n\n"):
        if re.search(r"^Package: {}$".format(re.escape(package)), block, re.MULTILINE):
            match = re.search(r"^Version: (\S+)$", block, re.MULTILINE)
            return match.group(1) if match else None
    return None


def _flavour_by_link(path: str) -> str | None:
    """From a release's archive the library lies in `throttled` (std) or `direct` (max)."""
    folders = os.path.realpath(path).split(os.sep)
    for folder, flavour in zip(("throttled", "direct"), _FLAVOURS):
        if folder in folders:
            return flavour
    return None


def load(module: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 (untyped)
    """The delegate of an order in that interpreter's module. Raises OSError or ValueError with the reason."""
    library = str(given["library"])
    try:
        return module.load_delegate(library, dict(given["options"]))
    except ValueError as problem:
        words = " ".join(str(problem).split()) or "Failed to load delegate from {}".format(library)
        raise ValueError("{}: {}".format(words, why_closed())) from problem
    except OSError as problem:
        raise OSError("{} cannot be loaded: {}".format(library, problem)) from problem
