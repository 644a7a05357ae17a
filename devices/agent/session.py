"""One model compiled in LiteRT for one compute unit, with its buffers."""

from __future__ import annotations

import ctypes
import os
import time
from ctypes import byref, c_bool, c_char_p, c_int, c_void_p

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
from .signatures import unknown_key
from .targets import target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_AUTO_REGISTER_ACCELERATORS = 24  # LiteRtEnvOptionTag: a bit mask; one alone keeps the others out of the process
_MIN_LOGGER_SEVERITY = 25
_ERRORS_ONLY = 3
_ANY_INTEGER, _ANY_STRING = 2, 8
_REPORT_TO_STDERR = 1  # the buffered reporter is lost with a model that cannot be compiled
_READ, _WRITE = 0, 1


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

    def open(self, order: dict[str, object], profiling: bool = False, weight_cache: str | None = None) -> Session:
        """The order's model, compiled. weight_cache is the path of XNNPACK's cache, None for none.

        Raises LiteRtError in LiteRT's words.
        """
        return Session(self._library, order, profiling, weight_cache)


class Session:
    """A compiled model. Times of its making are in nanoseconds. Raises LiteRtError in words.

    It is never closed: the launch that made it ends.
    """

    adapter: str | None = None  # LiteRT's accelerators log theirs

    def __init__(
        self, library: Library, order: dict[str, Any], profiling: bool = False, weight_cache: str | None = None
    ) -> None:
        self._library = library
        self._target = target_of(order["unit"], library.path, order["dispatch"])
        begun = time.perf_counter_ns()
        self._environment = self._make_environment()
        environment_made = time.perf_counter_ns()
        self._model = self._open_model(str(order["variant"]))
        self._signature = self._choose(order["signature"])
        options = self._make_options(profiling, weight_cache)
        self._compiled = library.make("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._inputs = self._make_buffers("Input")
        self._outputs = self._make_buffers("Output")
        self.environment_ns = environment_made - begun
        self.compile_ns = time.perf_counter_ns() - environment_made
        self._profiler = self._find_profiler() if profiling else None

    def _make_environment(self) -> c_void_p:
        numbers = {_AUTO_REGISTER_ACCELERATORS: self._target.accelerators, _MIN_LOGGER_SEVERITY: _ERRORS_ONLY}
        texts = {tag: ctypes.create_string_buffer(os.fsencode(path)) for tag, path in self._target.folders.items()}
        options = (EnvironmentOption * (len(numbers) + len(texts)))()
        for option, (tag, number) in zip(options, numbers.items()):
            option.tag, option.value.type, option.value.value.integer = tag, _ANY_INTEGER, number
        for option, (tag, text) in zip(options[len(numbers) :], texts.items()):
            option.tag, option.value.type, option.value.value.pointer = tag, _ANY_STRING, ctypes.addressof(text)
        self._environment_options = options, texts  # alive as long as the environment
        return self._library.make("LiteRtCreateEnvironment", len(options), ctypes.cast(options, c_void_p))

    def _open_model(self, path: str) -> c_void_p:
        model = self._library.make("LiteRtCreateModelFromFile", self._environment, os.fsencode(path))
        if self._library.count("LiteRtGetNumModelSignatures", model) == 0:
            raise LiteRtError("the model has no signature and no main graph")
        return model

    def _choose(self, key: str | None) -> int:
        """The number of the signature of that key, of the file's first without one."""
        if key is None:
            return 0
        count = self._library.count("LiteRtGetNumModelSignatures", self._model)
        keys = [self._key(number) for number in range(count)]
        if key not in keys:
            raise LiteRtError(unknown_key(key, keys))
        return keys.index(key)

    def _key(self, number: int) -> str:
        signature = self._library.make("LiteRtGetModelSignature", self._model, number)
        text = c_char_p()
        self._library.call("LiteRtGetSignatureKey", signature, byref(text))
        return (text.value or b"").decode("utf-8", "replace")

    def _make_options(self, profiling: bool, weight_cache: str | None) -> c_void_p:
        options = self._library.make("LiteRtCreateOptions")
        self._library.call("LiteRtSetOptionsHardwareAccelerators", options, self._target.accelerators)
        self._add(options, "runtime_options_string", enable_profiling=profiling, error_reporter_mode=_REPORT_TO_STDERR)
        for name, values in self._target.options.items():
            self._add(options, name, weight_cache_file_path=weight_cache, **values)
        return options

    def _add(self, options: c_void_p, name: str, **values: object) -> None:
        text = "".join("{} = {}\n".format(key, _toml(value)) for key, value in values.items() if value is not None)
        self._library.call("LiteRtAddOpaqueOptions", options, self._library.opaque_options(name, text))

    def _make_buffers(self, side: str) -> list[tuple[c_void_p, int]]:
        """Buffers of one side, each with its element type, in the order of the signature."""
        library = self._library
        signature = library.make("LiteRtGetModelSignature", self._model, self._signature)
        count = library.count("LiteRtGetNumSignature{}s".format(side), signature)
        return [self._make_buffer(side, signature, place, count) for place in range(count)]

    def _make_buffer(self, side: str, signature: c_void_p, place: int, count: int) -> tuple[c_void_p, int]:
        library = self._library
        tensor = library.make("LiteRtGetSignature{}TensorByIndex".format(side), signature, place)
        kind = RankedTensorType()
        library.call("LiteRtGetRankedTensorType", tensor, byref(kind))
        if kind.element_type == inputs.STRING:
            raise LiteRtError("{} {} holds strings, which LiteRT cannot be fed here".format(side.lower(), place))
        is_open = any(length < 0 for length in kind.layout.shape)
        kind.layout = self._layout(side, place, count)  # the compiled model's: a signature may carry -1 for the batch
        if any(length < 1 for length in kind.layout.shape):
            advice = ": fix it when converting" if is_open else ", in which there is no element"
            raise LiteRtError("{} {} has the shape {}{}".format(side.lower(), place, kind.layout.shape, advice))
        needs = "LiteRtGetCompiledModel{}BufferRequirements".format(side)
        requirements = library.make(needs, self._compiled, self._signature, place)
        make = "LiteRtCreateManagedTensorBufferFromRequirements"
        return library.make(make, self._environment, byref(kind), requirements), kind.element_type

    def _layout(self, side: str, place: int, count: int) -> Layout:
        if side == "Input":
            layout = Layout()
            call = "LiteRtGetCompiledModelInputTensorLayout"
            self._library.call(call, self._compiled, self._signature, place, byref(layout))
            return layout
        layouts = (Layout * count)()
        call = "LiteRtGetCompiledModelOutputTensorLayouts"
        self._library.call(call, self._compiled, self._signature, count, layouts, False)
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
        delegate = self._target.delegate if taken.value else None
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
        given, made = ([buffer for buffer, _ in side] for side in (self._inputs, self._outputs))
        return Inference(self._library, self._compiled, self._signature, given, made)

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

    def __init__(
        self, library: Library, compiled: c_void_p, signature: int, given: list[c_void_p], made: list[c_void_p]
    ) -> None:
        self._run = library.raw("LiteRtRunCompiledModel")
        self._lock = library.raw("LiteRtLockTensorBuffer")
        self._unlock = library.raw("LiteRtUnlockTensorBuffer")
        self._outputs = made
        self._address = byref(c_void_p())
        before = (c_void_p * len(given))(*given)
        after = (c_void_p * len(made))(*made)
        self._arguments = (compiled, signature, len(given), before, len(made), after)

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
    return '"{}"'.format(value) if isinstance(value, str) else str(value)  # LiteRT's reader knows no escapes
