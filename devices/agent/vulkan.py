"""The GPU adapters that Vulkan's drivers give, each driver asked in a process of its own.

A driver is foreign code that may crash or hang, so that it must not be loaded where anything else would be lost.
Where drivers are: https://github.com/KhronosGroup/Vulkan-Loader, docs/LoaderDriverInterface.md.
"""

from __future__ import annotations

import ctypes
import glob
import json
import os
import signal
import struct
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Adapter = dict[str, object]

LOADER = "libvulkan.so.1"
MANIFESTS = (
    "etc/vulkan/icd.d/*.json",
    "usr/local/etc/vulkan/icd.d/*.json",
    "usr/local/share/vulkan/icd.d/*.json",
    "usr/share/vulkan/icd.d/*.json",
)
# Browsers bring SwiftShader, a driver in software, with a loader beside it.
_BROWSERS = ("usr/lib/chromium/vk_swiftshader_icd.json", "opt/google/chrome/vk_swiftshader_icd.json")
_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")  # the newer loader's name first, which it prefers
_PATIENCE_S = 5.0  # a driver that is there answers within a second

_INSTANCE_CREATE_INFO = 1  # VkStructureType
_CPU = 4  # VkPhysicalDeviceType
_PROPERTIES_SIZE = 4096  # VkPhysicalDeviceProperties has 824 bytes
_TYPE_AND_NAME = struct.Struct("<16xi256s")
_MOST = 16


class VulkanError(Exception):
    """A driver that gives no adapters, in words."""


class _InstanceCreateInfo(ctypes.Structure):
    """VkInstanceCreateInfo, with no layers and no extensions."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    ]


class Survey:
    """What was found: the drivers' manifests, whether any loader could be loaded, the adapters of each driver."""

    def __init__(self, manifests: list[str], answers: Mapping[str, Mapping[str, object]]) -> None:
        self.manifests = manifests
        self.loaders = [str(answer["loader"]) for answer in answers.values() if answer.get("loader")]
        self.adapters: list[Adapter] = []
        self._folders = {}
        for manifest, answer in answers.items():
            self.adapters.extend(dict(each, driver=manifest) for each in answer["adapters"])  # type: ignore[attr-defined]
            self._folders[manifest] = os.path.dirname(str(answer["loader"] or ""))

    def environment(self, software: bool, given: Mapping[str, str]) -> dict[str, str] | None:
        """The environment of a process that shall see these adapters alone; None where there are none.

        given is the environment otherwise.
        """
        drivers = list(dict.fromkeys(str(each["driver"]) for each in self.adapters if each["software"] is software))
        if not drivers:
            return None
        paths = [self._folders[driver] for driver in drivers] + given.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        chosen = dict(given, **dict.fromkeys(_VARIABLES, os.pathsep.join(drivers)))
        chosen["LD_LIBRARY_PATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
        return chosen


def survey(root: str = "/", given: Mapping[str, str] = os.environ, patience_s: float = _PATIENCE_S) -> Survey:
    """Ask every driver below root, or those that the environment names, all at the same time."""
    manifests = find_manifests(root, given)
    asked = {manifest: _ask(manifest, given) for manifest in manifests}
    deadline = time.monotonic() + patience_s
    return Survey(manifests, {manifest: _answer(process, deadline) for manifest, process in asked.items()})


def find_manifests(root: str, given: Mapping[str, str]) -> list[str]:
    """The drivers' manifests: what a variable names goes before the system's own, as in the loader itself."""
    for variable in _VARIABLES:
        if given.get(variable):
            return [path for entry in given[variable].split(os.pathsep) if entry for path in _manifests_at(entry)]
    patterns = (os.path.join(root, pattern) for pattern in (*MANIFESTS, *_BROWSERS))
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))]


def _manifests_at(path: str) -> list[str]:
    return sorted(glob.glob(os.path.join(path, "*.json"))) if os.path.isdir(path) else [path]


def _ask(manifest: str, given: Mapping[str, str]) -> subprocess.Popen[bytes]:
    home, package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))), __name__
    for _ in range(package.count(".") - 1):
        home = os.path.dirname(home)
    program = "import sys; sys.path[:0] = [{!r}]; from {} import tell; tell({!r})".format(home, package, manifest)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(given, **dict.fromkeys(_VARIABLES, manifest)),
        start_new_session=True,
    )


def _answer(process: subprocess.Popen[bytes], deadline: float) -> dict[str, object]:
    """What the process said last; nothing where it died or had to be killed."""
    try:
        said, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        answer: dict[str, object] = json.loads(said.splitlines()[-1].decode("utf-8"))
        return answer
    except subprocess.TimeoutExpired:
        _end(process)
    except (ValueError, IndexError):
        pass
    return {"loader": None, "adapters": []}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Without reading on: what it started may hold the pipe open."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()  # type: ignore[union-attr]


def tell(manifest: str) -> None:
    """In a process that sees this driver alone: say which loader there is and what adapters it gives.

    Ends the process without unloading, since a driver may crash there.
    """
    own = os.dup(1)
    os.dup2(2, 1)  # whatever a driver prints is not an answer
    loader: str | None = None
    adapters: list[Adapter] = []
    try:
        loader, library = load((LOADER, os.path.join(os.path.dirname(manifest), LOADER)))
        adapters = list_adapters(library)
    except VulkanError:
        pass
    os.write(own, json.dumps({"loader": loader, "adapters": adapters}).encode() + b"\n")
    os._exit(0)


def load(paths: Iterable[str]) -> tuple[str, ctypes.CDLL]:
    """The first loader that can be loaded: the system's, or else the one that came with the driver."""
    for path in paths:
        try:
            return path, ctypes.CDLL(path)
        except OSError:
            continue
    raise VulkanError("no " + LOADER)


def list_adapters(library: ctypes.CDLL) -> list[Adapter]:
    """Name and kind of every adapter that the loader gives in this process. Raises VulkanError."""
    request, instance = _InstanceCreateInfo(type=_INSTANCE_CREATE_INFO), ctypes.c_void_p()
    _check("vkCreateInstance", library.vkCreateInstance(ctypes.byref(request), None, ctypes.byref(instance)))
    count, found = ctypes.c_uint32(_MOST), (ctypes.c_void_p * _MOST)()
    _check("vkEnumeratePhysicalDevices", library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), found))
    return [_describe(library, ctypes.c_void_p(device)) for device in found[: count.value]]


def _describe(library: ctypes.CDLL, device: ctypes.c_void_p) -> Adapter:
    properties = ctypes.create_string_buffer(_PROPERTIES_SIZE)
    library.vkGetPhysicalDeviceProperties(device, properties)
    kind, name = _TYPE_AND_NAME.unpack_from(properties.raw)
    return {"name": name.split(b"\0")[0].decode("utf-8", "replace"), "software": kind == _CPU}


def _check(call: str, status: int) -> None:
    if status < 0:  # VkResult: an error is negative, VK_INCOMPLETE is not one
        raise VulkanError("{} failed with VkResult {}".format(call, status))
