"""The profiler made by hand: on which tflite-runtime it is used, and what it makes of the calls of C++."""

import _ctypes
import ctypes
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_uint32, c_uint64, c_void_p

import pytest

from devices.agent.vtable_profiler import VtableProfiler, refusal

HERE = "linux x86_64"
BEGIN, END_WITH, END, ADD = 2, 3, 4, 5  # places in the table, after the two destructors


class Caller:
    """Calls a profiler as compiled C++ does: through the first word of the object, by place."""

    def __init__(self, profiler: VtableProfiler) -> None:
        self._this = ctypes.addressof(profiler._object)
        table = c_void_p.from_address(self._this).value
        assert table is not None
        self._table = (c_void_p * 7).from_address(table)

    def begin(self, tag: bytes, kind: int, first: int, second: int) -> int:
        call = CFUNCTYPE(c_uint32, c_void_p, c_char_p, c_int, c_int64, c_int64)
        return int(call(self._table[BEGIN] or 0)(self._this, tag, kind, first, second))

    def end(self, handle: int) -> None:
        CFUNCTYPE(None, c_void_p, c_uint32)(self._table[END] or 0)(self._this, handle)

    def end_with(self, handle: int, first: int, second: int) -> None:
        call = CFUNCTYPE(None, c_void_p, c_uint32, c_int64, c_int64)
        call(self._table[END_WITH] or 0)(self._this, handle, first, second)

    def add(self, tag: bytes, kind: int, metric: int, first: int, second: int) -> None:
        call = CFUNCTYPE(None, c_void_p, c_char_p, c_int, c_uint64, c_int64, c_int64)
        call(self._table[ADD] or 0)(self._this, tag, kind, metric, first, second)


@pytest.fixture
def profiler() -> VtableProfiler:
    return VtableProfiler()


@pytest.mark.parametrize(
    ("version", "machine", "words"),
    [
        ("2.13.0", HERE, "tflite-runtime 2.13.0 is unknown, known 2.14.0"),
        (None, HERE, "tflite-runtime of an unnamed version is unknown, known 2.14.0"),
        ("2.14.0", "linux armv7l", "tflite-runtime's was proven on linux x86_64, this is linux armv7l"),
        ("2.14.0", "darwin arm64", "tflite-runtime's was proven on linux x86_64, this is darwin arm64"),
    ],
)
def test_another_version_or_machine_is_refused(version: str | None, machine: str, words: str) -> None:
    assert refusal(version, _ctypes.__file__, machine) == f"per-op unavailable: {words}"


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (None, "tflite-runtime's is not proven on this machine: no proof was tried"),
        ("the proof died by signal 11", "tflite-runtime's is not proven on this machine: the proof died by signal 11"),
        ("proven", "this tflite-runtime lacks Interpreter::SetProfiler"),
    ],
)
def test_where_it_can_be_proven_it_must_be(proof: str | None, words: str) -> None:
    assert refusal("2.14.0", _ctypes.__file__, "linux aarch64", proof) == f"per-op unavailable: {words}"


@pytest.mark.parametrize("library", [_ctypes.__file__, __file__, "/no/such/file", None])
def test_a_library_without_the_call_is_refused_and_nothing_crashes(library: str | None) -> None:
    words = "per-op unavailable: this tflite-runtime lacks Interpreter::SetProfiler"
    assert refusal("2.14.0", library, HERE) == words


def test_events_stand_in_the_order_of_their_beginning(profiler: VtableProfiler) -> None:
    caller = Caller(profiler)
    profiler.start()
    whole = caller.begin(b"Invoke", 1, 0, 0)
    caller.end(caller.begin(b"CONV_2D", 2, 7, 0))
    caller.add(b"Add (ND, F32)", 8, 42, 3, 0)
    caller.end(whole)
    assert [event[:4] for event in profiler.stop()] == [
        ("Invoke", 1, 0, 0),
        ("CONV_2D", 2, 7, 0),
        ("Add (ND, F32)", 8, 3, 0),
    ]


def test_a_time_that_the_runtime_took_is_kept_as_it_is(profiler: VtableProfiler) -> None:
    profiler.start()
    Caller(profiler).add(b"Add", 8, 42, 3, 0)
    assert profiler.stop() == [("Add", 8, 3, 0, 42)]


def test_a_time_taken_here_is_in_whole_microseconds() -> None:
    times = iter([1_000, 3_999])
    profiler = VtableProfiler(lambda: next(times))
    caller = Caller(profiler)
    profiler.start()
    caller.end(caller.begin(b"CONV_2D", 2, 7, 0))
    assert profiler.stop() == [("CONV_2D", 2, 7, 0, 2)]


def test_an_end_with_numbers_replaces_those_of_the_beginning(profiler: VtableProfiler) -> None:
    caller = Caller(profiler)
    profiler.start()
    caller.end_with(caller.begin(b"WHILE", 2, 7, 0), -1, 1 << 40)
    ((_, _, first, second, _),) = profiler.stop()
    assert (first, second) == (-1, 1 << 40)


def test_what_happens_between_recordings_is_not_recorded(profiler: VtableProfiler) -> None:
    caller = Caller(profiler)
    assert caller.begin(b"Invoke", 1, 0, 0) == 0
    caller.add(b"Add", 8, 42, 3, 0)
    profiler.start()
    caller.end(0)
    assert profiler.stop() == []


def test_a_recording_forgets_the_one_before(profiler: VtableProfiler) -> None:
    caller = Caller(profiler)
    for tag in (b"first", b"second"):
        profiler.start()
        caller.add(tag, 8, 1, 0, 0)
    assert [event[0] for event in profiler.stop()] == ["second"]


def test_an_event_that_never_ended_is_left_out(profiler: VtableProfiler) -> None:
    profiler.start()
    Caller(profiler).begin(b"Invoke", 1, 0, 0)
    assert profiler.stop() == []


def test_a_tag_that_is_no_text_is_still_a_tag(profiler: VtableProfiler) -> None:
    profiler.start()
    Caller(profiler).add(b"\xff\xfe", 8, 1, 0, 0)
    assert profiler.stop()[0][0] == "\ufffd\ufffd"
