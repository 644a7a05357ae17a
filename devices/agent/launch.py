"""One launch: one pass of one cell in a process of its own, and its end."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import time

from . import affinity, protocol
from .litert import LiteRtError, version_unknown
from .passes import PASSES
from .runtimes import TFLITE_RUNTIME, full_name
from .session import NativeRuntime
from .timing import Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .interpreter import InterpreterRuntime
    from .passes import Runtime, Say


def main() -> int:
    """Read the order from stdin, do it, say what came of it on stdout. Never returns: the process ends at once."""
    watch = Stopwatch()
    writer = protocol.claim_stdout()
    try:
        task = protocol.check_task(protocol.parse(_read_line()))
    except protocol.ProtocolError as problem:
        raise SystemExit("a launch is started by its supervisor: {}".format(problem)) from problem
    _thread.start_new_thread(_die_when_alone, ())
    identity = task["id"]

    def say(kind: str, **fields: object) -> None:
        writer.say(kind, id=identity, **fields)

    status = _run(task, watch, say)
    sys.stderr.flush()
    # Without unloading: a runtime that crashes while it is taken down must not cost a finished measurement.
    os._exit(status)


def _run(task: dict[str, object], watch: Stopwatch, say: Say) -> int:
    gc.disable()
    order: dict[str, object] = task["order"]  # type: ignore[assignment]
    runtime: dict[str, object] = task["runtime"]  # type: ignore[assignment]
    asked = task["cores"]
    try:
        if asked is not None:
            affinity.bind(asked)  # type: ignore[arg-type]
        started_at = time.time()
        opener, fallback = _load(runtime, order, _texts(task["path"]), task["proof"])  # type: ignore[arg-type]
        say("begun", started_at=started_at, runtime=full_name(runtime), api=opener.api, fallback=fallback)
        more = {"caches": task["caches"], "package": runtime["package"]}
        PASSES[str(order["pass"])](opener, dict(order, **more), watch, say)
        if asked is not None:
            say("bound", asked=asked, cores=affinity.read_back())
    except MemoryError as problem:
        say("error", error="out of memory" + (": {}".format(problem) if str(problem) else ""))
        return 1
    except (LiteRtError, OSError) as problem:
        say("error", error=str(problem) or type(problem).__name__)
        return 1
    say("done")
    return 0


def _load(
    runtime: dict[str, object], order: dict[str, object], path: list[str], proof: str | None
) -> tuple[Runtime, str | None]:
    """The face that the order names, and no other.

    Without a name: the C API where it is the known one, else the Python interpreter, which has stayed the same longer;
    and why it is not the C API.
    """
    if runtime["name"] == TFLITE_RUNTIME:
        return _load_tflite_runtime(runtime, order, path, proof), None
    version = None if runtime["version"] is None else str(runtime["version"])
    on_edgetpu = order["unit"]["kind"] == "edgetpu"  # type: ignore[index]
    if order["api"] == "interpreter" or on_edgetpu:  # external delegates are a thing of the interpreter
        return _load_interpreter(runtime, path, version_unknown(version) or "the Interpreter API has no profiler"), None
    try:
        return NativeRuntime(str(runtime["library"]), version), None
    except LiteRtError as problem:
        if order["api"] is not None:
            raise
        return _load_interpreter(runtime, path, str(problem)), str(problem)


def _load_interpreter(runtime: dict[str, object], path: list[str], why: str) -> InterpreterRuntime:
    from .interpreter import InterpreterRuntime

    return InterpreterRuntime(str(runtime["package"]), path, "per-op unavailable: " + why, name=full_name(runtime))


def _load_tflite_runtime(
    runtime: dict[str, object], order: dict[str, object], path: list[str], proof: str | None
) -> InterpreterRuntime:
    from . import tflite_runtime

    if order["api"] not in (None, "interpreter"):
        raise LiteRtError("{} has the Interpreter API alone".format(TFLITE_RUNTIME))
    return tflite_runtime.load(runtime, path, proof)


def _texts(given: object) -> list[str]:
    return [str(each) for each in given] if isinstance(given, list) else []


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < protocol.MAX_REQUEST:
        piece = os.read(0, protocol.MAX_REQUEST)
        if not piece:
            break
        line += piece
    return line


def _die_when_alone() -> None:
    """Stdin ends with the supervisor. A launch that nobody listens to must not go on."""
    while os.read(0, 1):
        pass
    if os.getpgrp() == os.getpid():  # what it started goes with it
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
