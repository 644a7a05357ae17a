"""What a compute unit means to LiteRT: the accelerators it may use, what it is told, what takes the operators.

One accelerator is allowed at a time. With GPU and CPU together LiteRT calls a model fully accelerated where XNNPACK
took what the GPU did not; with the GPU alone it refuses such a model, with the names of the operators.
See docs/units.md.
"""

from __future__ import annotations

import glob
import os

from .litert import LiteRtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Options = dict[str, dict[str, object]]

CPU, GPU, NPU = 1, 2, 4  # LiteRtHwAccelerators
COMPILER_PLUGIN_LIBRARY_DIR, DISPATCH_LIBRARY_DIR, RUNTIME_LIBRARY_DIR = 0, 1, 22  # LiteRtEnvOptionTag

KERNEL_MODES = {None: None, "xnnpack": "delegate", "builtin": "builtin"}
SOFTWARE = "software"

_NO_PROFILER = {
    "gpu": "per-op unavailable: LiteRT's GPU accelerator has no profiler",
    "npu": "per-op unavailable: to LiteRT an NPU's program is one piece",
}
# What computes in each accelerator's library. The first that is beside LiteRT is the one.
GPU_LIBRARIES = {"libLiteRtWebGpuAccelerator.so": "webgpu", "libLiteRtMetalAccelerator.dylib": "metal"}
DISPATCH_LIBRARY, COMPILER_LIBRARY = "libLiteRtDispatch*.so", "libLiteRtCompilerPlugin*.so"
_KNOWN = "cpu, cpu/xnnpack, cpu/builtin, gpu, gpu/webgpu, gpu/metal, gpu/software, npu, npu/dispatch"


class Target:
    """accelerators: the bit to register and to allow. folders: environment options that are paths, by tag.

    options: opaque options by name. delegate takes the operators, all of them where LiteRT says `fully accelerated`.
    """

    def __init__(self, accelerators: int, folders: dict[int, str], options: Options, delegate: str) -> None:
        self.accelerators = accelerators
        self.folders = folders
        self.options = options
        self.delegate = delegate


def target_of(unit: Mapping[str, object], library: str, dispatch: str | None) -> Target:
    """What the unit means to the LiteRT at `library`. dispatch is the folder of an NPU's dispatch library.

    Raises LiteRtError where it is no unit of this agent, or lacks something on this device.
    """
    kind, backend = unit["kind"], unit["backend"]
    if kind == "cpu" and backend in KERNEL_MODES:
        return _cpu(KERNEL_MODES[backend], unit["threads"])
    if kind == "gpu":
        return _gpu(backend, os.path.dirname(library))
    if kind == "npu" and backend in (None, "dispatch"):
        return _npu(dispatch)
    raise _no_unit(unit)


def _no_unit(unit: Mapping[str, object]) -> LiteRtError:
    asked = "{kind}/{backend}".format(**unit) if unit["backend"] else unit["kind"]
    return LiteRtError("{} is no unit of this agent; it has {}".format(asked, _KNOWN))


def _cpu(mode: str | None, threads: object) -> Target:
    return Target(CPU, {}, {"xnnpack": {"kernel_mode": mode, "num_threads": threads}}, "xnnpack")


def _gpu(backend: object, folder: str) -> Target:
    """Compiled programs are kept nowhere: every launch compiles them. The Metal one has never run."""
    found = gpu_library(folder)
    if found is None:
        raise LiteRtError("no GPU accelerator beside LiteRT: no {} in {}".format(" or ".join(GPU_LIBRARIES), folder))
    delegate = GPU_LIBRARIES[os.path.basename(found)]
    wanted = "webgpu" if backend == SOFTWARE else backend
    if wanted not in (None, delegate):
        raise _no_unit({"kind": "gpu", "backend": backend})
    return Target(GPU, {RUNTIME_LIBRARY_DIR: folder}, {}, delegate)


def _npu(dispatch: str | None) -> Target:
    """Never run on an NPU yet: only with a dispatch library made for the tests, and never with a compiler."""
    if dispatch is None:
        raise LiteRtError("npu needs the folder of its vendor's dispatch library: set `dispatch` of the device")
    if not _below(dispatch, DISPATCH_LIBRARY):
        raise LiteRtError("no {} in {}, the `dispatch` of the device".format(DISPATCH_LIBRARY, dispatch))
    folders = {DISPATCH_LIBRARY_DIR: dispatch}
    if _below(dispatch, COMPILER_LIBRARY):  # else the model has to be compiled for the NPU beforehand
        folders[COMPILER_PLUGIN_LIBRARY_DIR] = dispatch
    return Target(NPU, folders, {}, "dispatch")


def _below(folder: str, pattern: str) -> list[str]:
    """LiteRT looks into folders of the folder too."""
    return glob.glob(os.path.join(glob.escape(folder), "**", pattern), recursive=True)


def ops_refused(unit: Mapping[str, object]) -> str | None:
    """Why there is no per-op on a unit, None where there may be. With a profiler a GPU's inferences fail."""
    return _NO_PROFILER.get(str(unit["kind"]))


def gpu_library(folder: str) -> str | None:
    """The GPU accelerator in LiteRT's folder, None where there is none."""
    paths = (os.path.join(folder, name) for name in GPU_LIBRARIES)
    return next((path for path in paths if os.path.isfile(path)), None)
