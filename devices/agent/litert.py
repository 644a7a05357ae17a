"""LiteRT's C API through ctypes: the library, its calls and its structures.

Written for ai-edge-litert 2.3 (litert/c/*.h); `ops_refused` says when per-op is not to be had.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KNOWN = "2.3"
_MAX_RANK = 8
_RANK_BITS = 0x7F

STATUS = {
    1: "invalid argument",
    2: "out of memory",
    3: "runtime failure",
    4: "missing input tensor",
    5: "unsupported",
    6: "not found",
    7: "timeout",
    8: "wrong version",
    9: "unknown error",
    10: "already exists",
    100: "cancelled",
    500: "file cannot be read",
    501: "not a valid flatbuffer",
    502: "a library cannot be loaded",
    503: "serialization failed",
    504: "compilation failed, as where the unit cannot take every operator",
    1000: "index out of bounds",
    1001: "invalid tensor type",
    1002: "invalid graph",
    4000: "unsupported runtime version",
}


class LiteRtError(Exception):
    """LiteRT refused. The message has its status in words; its own log is on stderr."""


class Layout(ctypes.Structure):
    """LiteRtLayout: rank in the low 7 bits of the first word."""

    _fields_ = [("rank_and_flags", c_uint32), ("dimensions", c_int32 * _MAX_RANK), ("strides", c_uint32 * _MAX_RANK)]

    @property
    def shape(self) -> list[int]:
        return list(self.dimensions[: self.rank_and_flags & _RANK_BITS])


class RankedTensorType(ctypes.Structure):
    _fields_ = [("element_type", c_int), ("layout", Layout)]


class _Content(ctypes.Union):
    _fields_ = [("integer", ctypes.c_int64), ("real", ctypes.c_double), ("pointer", c_void_p)]


class Value(ctypes.Structure):
    _fields_ = [("type", c_int), ("value", _Content)]


class EnvironmentOption(ctypes.Structure):
    _fields_ = [("tag", c_int), ("value", Value)]


class ProfiledEvent(ctypes.Structure):
    """ProfiledEventData. tag points into the profiler's ring and dies with the next start: copy it at once."""

    _fields_ = [
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory_before", c_size_t * 3),
        ("memory_after", c_size_t * 3),
        ("first", ctypes.c_int64),
        ("second", ctypes.c_int64),
        ("source", c_int),
    ]


SIZES = {Layout: 68, RankedTensorType: 72, Value: 16, EnvironmentOption: 24, ProfiledEvent: 104}

_HANDLE = POINTER(c_void_p)
CALLS: dict[str, list[Any]] = {
    "LiteRtCreateEnvironment": [c_int, c_void_p, _HANDLE],
    "LiteRtCreateModelFromFile": [c_void_p, c_char_p, _HANDLE],
    "LiteRtCreateOptions": [_HANDLE],
    "LiteRtSetOptionsHardwareAccelerators": [c_void_p, c_int],
    "LiteRtCreateOpaqueOptions": [c_char_p, c_void_p, c_void_p, _HANDLE],
    "LiteRtAddOpaqueOptions": [c_void_p, c_void_p],
    "LiteRtCreateCompiledModel": [c_void_p, c_void_p, c_void_p, _HANDLE],
    "LiteRtGetNumModelSignatures": [c_void_p, POINTER(c_size_t)],
    "LiteRtGetModelSignature": [c_void_p, c_size_t, _HANDLE],
    "LiteRtGetSignatureKey": [c_void_p, POINTER(c_char_p)],
    "LiteRtGetNumSignatureInputs": [c_void_p, POINTER(c_size_t)],
    "LiteRtGetNumSignatureOutputs": [c_void_p, POINTER(c_size_t)],
    "LiteRtGetSignatureInputTensorByIndex": [c_void_p, c_size_t, _HANDLE],
    "LiteRtGetSignatureOutputTensorByIndex": [c_void_p, c_size_t, _HANDLE],
    "LiteRtGetRankedTensorType": [c_void_p, POINTER(RankedTensorType)],
    "LiteRtGetCompiledModelInputBufferRequirements": [c_void_p, c_size_t, c_size_t, _HANDLE],
    "LiteRtGetCompiledModelOutputBufferRequirements": [c_void_p, c_size_t, c_size_t, _HANDLE],
    "LiteRtGetCompiledModelInputTensorLayout": [c_void_p, c_size_t, c_size_t, POINTER(Layout)],
    "LiteRtGetCompiledModelOutputTensorLayouts": [c_void_p, c_size_t, c_size_t, POINTER(Layout), c_bool],
    "LiteRtCreateManagedTensorBufferFromRequirements": [c_void_p, POINTER(RankedTensorType), c_void_p, _HANDLE],
    "LiteRtGetTensorBufferPackedSize": [c_void_p, POINTER(c_size_t)],
    "LiteRtLockTensorBuffer": [c_void_p, _HANDLE, c_int],
    "LiteRtUnlockTensorBuffer": [c_void_p],
    "LiteRtRunCompiledModel": [c_void_p, c_size_t, c_size_t, _HANDLE, c_size_t, _HANDLE],
}
OPTIONAL_CALLS: dict[str, list[Any]] = {"LiteRtCompiledModelIsFullyAccelerated": [c_void_p, POINTER(c_bool)]}
PROFILER_CALLS: dict[str, list[Any]] = {
    "LiteRtCompiledModelGetProfiler": [c_void_p, _HANDLE],
    "LiteRtStartProfiler": [c_void_p],
    "LiteRtStopProfiler": [c_void_p],
    "LiteRtGetNumProfilerEvents": [c_void_p, POINTER(c_int)],
    "LiteRtGetProfilerEvents": [c_void_p, c_int, POINTER(ProfiledEvent)],
}


class Library:
    """libLiteRt, loaded, with every call checked.

    Raises LiteRtError where it cannot be loaded or lacks a call that every pass needs. What only the profiler needs
    may be missing: ops_refused then has the reason.
    """

    def __init__(self, path: str, version: str | None) -> None:
        self.path = path
        try:
            self._library = ctypes.CDLL(path)
        except OSError as problem:
            raise LiteRtError("{} cannot be loaded: {}".format(path, problem)) from problem
        missing = self._bind(CALLS)
        if missing:
            raise LiteRtError("{} is no LiteRT this agent can use: it lacks {}".format(path, ", ".join(missing)))
        self._missing = self._bind(OPTIONAL_CALLS)
        self.ops_refused = ops_refused(version, self._bind(PROFILER_CALLS))
        self._libc = ctypes.CDLL(None)
        self._libc.strdup.argtypes, self._libc.strdup.restype = [c_char_p], c_void_p

    def _bind(self, calls: dict[str, list[Any]]) -> list[str]:
        missing = []
        for name, arguments in calls.items():
            try:
                call = getattr(self._library, name)
            except AttributeError:
                missing.append(name)
                continue
            call.argtypes, call.restype = arguments, c_int
        return missing

    def has(self, name: str) -> bool:
        """Whether an optional call is there."""
        return name not in self._missing

    def raw(self, name: str) -> ctypes._NamedFuncPointer:
        """The call itself, unchecked, for the timed path."""
        return getattr(self._library, name)  # type: ignore[no-any-return]

    def call(self, name: str, *arguments: object) -> None:
        """Call it. Raises LiteRtError unless the status is 0."""
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise LiteRtError(in_words(name, status))

    def make(self, name: str, *arguments: object) -> c_void_p:
        """Call it with a place for a handle as the last argument, and answer the handle."""
        handle = c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def count(self, name: str, *arguments: object) -> int:
        """Call it with a place for a size as the last argument, and answer the size."""
        size = c_size_t()
        self.call(name, *arguments, ctypes.byref(size))
        return size.value

    def opaque_options(self, name: str, text: str) -> c_void_p:
        """Options as TOML. The text must be malloc's own: LiteRT frees it, even while the process ends."""
        copy = self._libc.strdup(text.encode())
        return self.make("LiteRtCreateOpaqueOptions", name.encode(), copy, ctypes.cast(self._libc.free, c_void_p))


def in_words(call: str, status: int) -> str:
    """A status with its meaning."""
    return "{}: {} (status {})".format(call, STATUS.get(status, "unknown status"), status)


def ops_refused(version: str | None, missing: list[str]) -> str | None:
    """Why there is no per-op with this LiteRT, or None. An event read by a wrong layout would be a wrong number."""
    unknown = version_unknown(version)
    if unknown is not None:
        return "per-op unavailable: " + unknown
    if missing:
        return "per-op unavailable: this LiteRT lacks {}".format(", ".join(missing))
    wrong = abi_mismatch()
    return None if wrong is None else "per-op unavailable: " + wrong


def version_unknown(version: str | None) -> str | None:
    """Why this version is not one the binding was written for, or None. 2.1 has other arguments, for one."""
    if version is not None and ".".join(version.split(".")[:2]) == KNOWN:
        return None
    return "LiteRT {} is unknown, known {}".format("of an unnamed version" if version is None else version, KNOWN)


def abi_mismatch() -> str | None:
    """Which structure has another size here than in LiteRT's 64-bit builds, or None."""
    for structure, size in SIZES.items():
        if ctypes.sizeof(structure) != size:
            return "{} has {} bytes here, LiteRT's has {}".format(structure.__name__, ctypes.sizeof(structure), size)
    return None
