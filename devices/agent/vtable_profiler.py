"""Per-op of tflite-runtime, which has no call for it: a profiler of our own, handed to its C++ interpreter.

tflite::Interpreter::SetProfiler takes a tflite::Profiler*. Here that object is made by hand: a pointer to a table of
function pointers, as the Itanium C++ ABI lays out a class with virtual functions (Linux, 64 bits). A table in another
order would crash or lie, so it is used for the one version and machine that it was proven on, or is proven on before.
Source: tensorflow 2.14.0, lite/core/api/profiler.h; lite/profiling/buffered_profiler.h for what the calls mean.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import time
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_uint32, c_uint64, c_void_p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Event = tuple[str, int, int, int, int]

PROVEN_VERSION = "2.14.0"
PROVEN_MACHINES = ("linux x86_64",)
PROVABLE_MACHINES = ("linux aarch64",)  # the same ABI, so it is tried there before it is used (proof.py)
PROVEN = "proven"
_SET_PROFILER = "_ZN6tflite4impl11Interpreter11SetProfilerEPNS_8ProfilerE"
_POINTER_BYTES = 8
_NS_PER_US = 1000

_Destroy = CFUNCTYPE(None, c_void_p)
_Begin = CFUNCTYPE(c_uint32, c_void_p, c_char_p, c_int, c_int64, c_int64)
_EndWith = CFUNCTYPE(None, c_void_p, c_uint32, c_int64, c_int64)
_End = CFUNCTYPE(None, c_void_p, c_uint32)
_Add = CFUNCTYPE(None, c_void_p, c_char_p, c_int, c_uint64, c_int64, c_int64)
_AddContent = CFUNCTYPE(None, c_void_p, c_char_p, c_int, c_void_p)


def refusal(
    version: str | None, library: str | None, machine: str | None = None, proof: str | None = None
) -> str | None:
    """Why there is no per-op through this library, or None. Loads it, which the import of the package does too.

    proof is what proof.py found on this very machine: PROVEN, why not, or None where nothing was tried.
    """
    here = machine or this_machine()
    if version != PROVEN_VERSION:
        named = version or "of an unnamed version"
        reason = "tflite-runtime {} is unknown, known {}".format(named, PROVEN_VERSION)
    elif here in PROVABLE_MACHINES and proof != PROVEN:
        reason = "tflite-runtime's is not proven on this machine: {}".format(proof or "no proof was tried")
    elif here not in (*PROVEN_MACHINES, *PROVABLE_MACHINES) or ctypes.sizeof(c_void_p) != _POINTER_BYTES:
        reason = "tflite-runtime's was proven on {}, this is {}".format(", ".join(PROVEN_MACHINES), here)
    elif library is None or not _has_symbol(library):
        reason = "this tflite-runtime lacks Interpreter::SetProfiler"
    else:
        return None
    return "per-op unavailable: " + reason


def this_machine() -> str:
    """System and processor."""
    return "{} {}".format(sys.platform, platform.machine())


def _has_symbol(library: str) -> bool:
    try:
        return hasattr(ctypes.CDLL(library), _SET_PROFILER)  # dlsym: nothing is called
    except OSError:
        return False


class VtableProfiler:
    """A tflite::Profiler that keeps the events of one inference at a time.

    Attach it before tensors are allocated: XNNPACK asks for a profiler when it builds its graph. It must live as long
    as the interpreter. Times of XNNPACK's kernels are XNNPACK's own; the runtime's operators are timed here, and each
    has a part of this class in its time (docs/tflite-runtime.md says how much).
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._events: list[list[object]] = []
        self._begun: list[int] = []  # nanoseconds, by place in _events
        self._recording = False
        functions = (
            _Destroy(_ignore),  # the two destructors of the ABI; the interpreter does not own us
            _Destroy(_ignore),
            _Begin(self._begin),
            _EndWith(self._end_with),
            _End(self._end),
            _Add(self._add),
            _AddContent(_ignore_content),
        )
        self._functions = functions  # ctypes frees them with their last reference
        addresses = [ctypes.cast(function, c_void_p).value for function in functions]
        # Two words stand before the first function: the offset to the top, and the type's information.
        self._table = (c_void_p * (2 + len(addresses)))(None, None, *addresses)
        self._object = (c_void_p * 1)(ctypes.addressof(self._table) + 2 * _POINTER_BYTES)

    def attach(self, interpreter: int, library: str) -> None:
        """Hand it to the C++ interpreter at that address."""
        set_profiler = getattr(ctypes.CDLL(library), _SET_PROFILER)
        set_profiler.argtypes, set_profiler.restype = [c_void_p, c_void_p], None
        set_profiler(interpreter, ctypes.addressof(self._object))

    def start(self) -> None:
        """Begin a recording. It forgets the one before."""
        self._events, self._begun = [], []
        self._recording = True

    def stop(self) -> list[Event]:
        """End it and answer (tag, type, first, second, elapsed_us) of each event in order of its beginning.

        Whole microseconds, rounded down, as LiteRT's profiler counts.
        """
        self._recording = False
        return [_read(event) for event in self._events if event[4] is not None]

    def _begin(self, _: int, tag: bytes, kind: int, first: int, second: int) -> int:
        if not self._recording:
            return 0
        self._events.append([tag, kind, first, second, None])
        self._begun.append(self._clock())
        return len(self._events)

    def _end(self, _: int, handle: int) -> None:
        now = self._clock()
        if self._recording and handle:
            self._events[handle - 1][4] = (now - self._begun[handle - 1]) // _NS_PER_US

    def _end_with(self, this: int, handle: int, first: int, second: int) -> None:
        self._end(this, handle)
        if self._recording and handle:
            self._events[handle - 1][2:4] = [first, second]

    def _add(self, _: int, tag: bytes, kind: int, metric: int, first: int, second: int) -> None:
        if self._recording:
            self._events.append([tag, kind, first, second, metric])
            self._begun.append(0)


def _read(event: list[object]) -> Event:
    tag, kind, first, second, elapsed = event
    words = tag.decode("utf-8", "replace") if isinstance(tag, bytes) else ""
    return words, kind, first, second, elapsed  # type: ignore[return-value]


def _ignore(_: int) -> None:
    pass


def _ignore_content(_: int, tag: bytes, kind: int, content: int) -> None:
    pass
