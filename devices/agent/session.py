"""One model compiled in LiteRT for one compute unit, with its buffers."""

from __future__ import annotations

import ctypes
import os
import time
from ctypes import byref, c_bool, c_int, c_void_p

from . import inputs
from .litert import (
    EnvironmentOption,
    Layout,
    Library,
    LiteRtError,
    ProfiledEvent,
    RankedTensorType,
    abi_mismatch,
    in_words,
    version_unknown,
)

_AUTO_REGISTER_ACCELERATORS = 24  # LiteRtEnvOptionTag: a bit mask; CPU alone keeps GPU libraries out of the process
_MIN_LOGGER_SEVERITY = 25
_CPU = 1
_ERRORS_ONLY = 3
_ANY_INTEGER = 2
_REPORT_TO_STDERR = 1  # the buffered reporter is lost with a model that cannot be compiled
_READ, _WRITE = 0, 1
_SIGNATURE = 0

KERNEL_MODES = {None: None, "xnnpack": "delegate", "builtin": "builtin"}


class NativeRuntime:
    """Opens models through LiteRT's C API, its compiled model. ops_refused says why there is no per-op, or is None.

    Raises LiteRtError where this machine, this version or this library is not what the binding was written for.
    """

    api = "compiled-model"

    def __init__(self, path: str, version: str | None) -> None:
        wrong = abi_mismatch() or version_unknown(version)
        if wrong is not None:
            raise LiteRtError(wrong)
        self._library = Library(path, version)
        self.ops_refused = self._library.ops_refused

    def open(self, path: str, unit: dict[str, object], profiling: bool = False) -> Session:
        """A model, compiled. Raises LiteRtError in LiteRT's words."""
        return Session(self._library, path, unit, profiling)


class Session:
    """A compiled model. Times of its making are in nanoseconds. Raises LiteRtError in words.

    It is never closed: the launch that made it ends.
    """

    def __init__(self, library: Library, path: str, unit: dict[str, object], profiling: bool) -> None:
        self._library = library
        begun = time.perf_counter_ns()
        self._environment = self._make_environment()
        environment_made = time.perf_counter_ns()
        self._model = self._open_model(path)
        options = self._make_options(unit, profiling)
        self._compiled = library.make("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._inputs = self._make_buffers("Input")
        self._outputs = self._make_buffers("Output")
        self.environment_ns = environment_made - begun
        self.compile_ns = time.perf_counter_ns() - environment_made
        self._profiler = self._find_profiler() if profiling else None

    def _make_environment(self) -> c_void_p:
        self._environment_options = (EnvironmentOption * 2)()
        wanted = ((_AUTO_REGISTER_ACCELERATORS, _CPU), (_MIN_LOGGER_SEVERITY, _ERRORS_ONLY))
        for option, (tag, value) in zip(self._environment_options, wanted):
            option.tag, option.value.type, option.value.value.integer = tag, _ANY_INTEGER, value
        return self._library.make("LiteRtCreateEnvironment", 2, ctypes.cast(self._environment_options, c_void_p))

    def _open_model(self, path: str) -> c_void_p:
        model = self._library.make("LiteRtCreateModelFromFile", self._environment, os.fsencode(path))
        if self._library.count("LiteRtGetNumModelSignatures", model) == 0:
            raise LiteRtError("the model has no signature and no main graph")
        return model

    def _make_options(self, unit: dict[str, object], profiling: bool) -> c_void_p:
        backend = unit["backend"]
        if unit["kind"] != "cpu" or backend not in KERNEL_MODES:
            known = ", ".join("cpu/" + name for name in KERNEL_MODES if name)
            asked = "{kind}/{backend}".format(**unit) if backend else unit["kind"]
            raise LiteRtError("{} is no unit of this agent; it has cpu, {}".format(asked, known))
        options = self._library.make("LiteRtCreateOptions")
        self._library.call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        self._add(options, "runtime_options_string", enable_profiling=profiling, error_reporter_mode=_REPORT_TO_STDERR)
        mode = KERNEL_MODES[backend]
        self._add(options, "xnnpack", kernel_mode=mode, num_threads=unit["threads"])
        return options

    def _add(self, options: c_void_p, name: str, **values: object) -> None:
        text = "".join("{} = {}\n".format(key, _toml(value)) for key, value in values.items() if value is not None)
        self._library.call("LiteRtAddOpaqueOptions", options, self._library.opaque_options(name, text))

    def _make_buffers(self, side: str) -> list[tuple[c_void_p, int]]:
        """Buffers of one side, each with its element type, in the order of the signature."""
        library = self._library
        signature = library.make("LiteRtGetModelSignature", self._model, _SIGNATURE)
        count = library.count("LiteRtGetNumSignature{}s".format(side), signature)
        return [self._make_buffer(side, signature, place, count) for place in range(count)]

    def _make_buffer(self, side: str, signature: c_void_p, place: int, count: int) -> tuple[c_void_p, int]:
        library = self._library
        tensor = library.make("LiteRtGetSignature{}TensorByIndex".format(side), signature, place)
        kind = RankedTensorType()
        library.call("LiteRtGetRankedTensorType", tensor, byref(kind))
        if kind.element_type == inputs.STRING:
            raise LiteRtError("{} {} holds strings, which LiteRT cannot be fed here".format(side.lower(), place))
        kind.layout = self._layout(side, place, count)  # the compiled model's: a signature may carry -1 for the batch
        if any(length < 1 for length in kind.layout.shape):
            raise LiteRtError(
                "{} {} has the shape {}: fix it when converting".format(side.lower(), place, kind.layout.shape)
            )
        needs = "LiteRtGetCompiledModel{}BufferRequirements".format(side)
        requirements = library.make(needs, self._compiled, _SIGNATURE, place)
        make = "LiteRtCreateManagedTensorBufferFromRequirements"
        return library.make(make, self._environment, byref(kind), requirements), kind.element_type

    def _layout(self, side: str, place: int, count: int) -> Layout:
        if side == "Input":
            layout = Layout()
            call = "LiteRtGetCompiledModelInputTensorLayout"
            self._library.call(call, self._compiled, _SIGNATURE, place, byref(layout))
            return layout
        layouts = (Layout * count)()
        call = "LiteRtGetCompiledModelOutputTensorLayouts"
        self._library.call(call, self._compiled, _SIGNATURE, count, layouts, False)
        return layouts[place]

    def _find_profiler(self) -> c_void_p:
        profiler = self._library.make("LiteRtCompiledModelGetProfiler", self._compiled)
        if not profiler:  # options with a mistake are accepted in silence; this is the only sign
            raise LiteRtError("profiling was asked for and LiteRT has no profiler")
        return profiler

    @property
    def delegation(self) -> dict[str, object] | None:
        """Whether a delegate took every operator; None if this LiteRT does not say."""
        if not self._library.has("LiteRtCompiledModelIsFullyAccelerated"):
            return None
        taken = c_bool()
        self._library.call("LiteRtCompiledModelIsFullyAccelerated", self._compiled, byref(taken))
        delegate = "xnnpack" if taken.value else None
        return {"delegate": delegate, "full": taken.value, "taken": None, "total": None, "partitions": None}

    def feed(self, files: list[str], seed: int) -> None:
        """Fill the inputs from raw files in order, or from the seed where there are none."""
        if files and len(files) != len(self._inputs):
            raise LiteRtError("{} input files for a model with {} inputs".format(len(files), len(self._inputs)))
        for place, (buffer, kind) in enumerate(self._inputs):
            size = self._library.count("LiteRtGetTensorBufferPackedSize", buffer)
            self._write(buffer, inputs.content(files, place, kind, size, seed))

    def _write(self, buffer: c_void_p, content: bytes) -> None:
        address = c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, byref(address), _WRITE)
        ctypes.memmove(address, content, len(content))
        self._library.call("LiteRtUnlockTensorBuffer", buffer)

    def inference(self) -> Inference:
        """One inference as a callable: run, and the outputs ready on the host."""
        return Inference(self._library, self._compiled, [b for b, _ in self._inputs], [b for b, _ in self._outputs])

    def start_profiler(self) -> None:
        """Begin a recording. It forgets the one before."""
        self._library.call("LiteRtStartProfiler", self._profiler)

    def stop_profiler(self) -> list[tuple[str, int, int, int, int]]:
        """End it and answer (tag, type, first, second, elapsed_us) of each event in order."""
        self._library.call("LiteRtStopProfiler", self._profiler)
        count = c_int()
        self._library.call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        if count.value == 0:
            return []  # asking for none is an error
        events = (ProfiledEvent * count.value)()
        self._library.call("LiteRtGetProfilerEvents", self._profiler, count.value, events)
        return [(e.tag.decode("utf-8", "replace"), e.type, e.first, e.second, e.elapsed_us) for e in events]


class Inference:
    """Calls LiteRT with everything prepared, so that as little Python as possible is in the timed span."""

    def __init__(self, library: Library, compiled: c_void_p, given: list[c_void_p], made: list[c_void_p]) -> None:
        self._run = library.raw("LiteRtRunCompiledModel")
        self._lock = library.raw("LiteRtLockTensorBuffer")
        self._unlock = library.raw("LiteRtUnlockTensorBuffer")
        self._outputs = made
        self._address = byref(c_void_p())
        before = (c_void_p * len(given))(*given)
        after = (c_void_p * len(made))(*made)
        self._arguments = (compiled, _SIGNATURE, len(given), before, len(made), after)

    def __call__(self) -> None:
        status = self._run(*self._arguments)
        if status != 0:
            raise LiteRtError(in_words("LiteRtRunCompiledModel", status))
        for output in self._outputs:
            status = self._lock(output, self._address, _READ)
            if status != 0:
                raise LiteRtError(in_words("LiteRtLockTensorBuffer", status))
            self._unlock(output)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"{}"'.format(value) if isinstance(value, str) else str(value)
