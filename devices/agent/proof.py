"""Whether per-op of tflite-runtime tells the truth on this machine, tried before it is used.

A profiler made by hand (vtable_profiler.py) that does not fit crashes or lies. So a model whose operators are known is
profiled with it in a process of its own: the events must be its operators, in kind, order and number, and every one
must have taken time.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib

from . import protocol, vtable_profiler
from .runtimes import TFLITE_RUNTIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .vtable_profiler import Event

_DEADLINE_S = 40.0  # a board imports numpy in up to 10 s
_POLL_S = 0.05
_OPERATOR, _KERNEL = 2, 8  # a kernel of the runtime, a kernel inside XNNPACK
_RUNS = 3
# Operators that take well over a microsecond each on any core, of 32768 floats.
OPERATORS = ("TANH", "LOGISTIC", "FLOOR", "TANH")
# A .tflite of them, made with harness/sources/tflite_writer.py; zlib, base 64.
_MODEL = (
    "eNptUq9Pw1AQ/jrKKF1TKhoyMYFAoQazaIJAoiGFdV2T0SZd+ZUgEAgkQaD4IyaQCASKPwKFIGgsPO5eb1s3+pIv9953d9/du/daAPZ39jo+1t"
    "BCEz48OMRZMGkP4oBbwR3hkfBSAxbIGgST8PWrlCOx24QVwjDMzuIkOuyGveB0kOvYQtfR2pbkmqJzKZZjgLqOqZf8FyjWuObHj1INsudhHPWP"
    "srgbhdrn6yh3chPWcYXn/p65f8Kr6JwEcQLZ3/AsCOtyflBKWdKTUeqF7/6uijt7hFqJN+QM2JP6tmh44jdKOYbEjmduazutOY2Z7YHXopAjMr"
    "nMnv0b1Bt7HNHhu/vEcXweJP1Oqddr0TioyNkljt+gN0jTbOt/zv1cTpNwRdwy2UEaxcM8Pt6sqPVWUeup1F+7IgdY1S8KnWPJBJaILUbjyXx9"
    "PQNz5t/Ma/G5PYkFPuWdefTftHeLvetQpQaK3zH+32z+AMCuWxI="
)


def is_wanted(runtime: dict[str, object], machine: str | None = None) -> bool:
    """Whether a runtime's per-op waits for a proof on this machine."""
    if runtime["name"] != TFLITE_RUNTIME or runtime["version"] != vtable_profiler.PROVEN_VERSION:
        return False
    return (machine or vtable_profiler.this_machine()) in vtable_profiler.PROVABLE_MACHINES


def seek(runtime: dict[str, object], path: list[str], beat: Callable[[], None], deadline_s: float = _DEADLINE_S) -> str:
    """Run the proof in a process of its own: PROVEN, or why not. beat is called while it runs."""
    task = json.dumps({"runtime": runtime, "path": path})
    argv = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "prove", task]
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as problem:
        return "the proof cannot be started: {}".format(problem)
    try:
        deadline = time.monotonic() + deadline_s
        while process.poll() is None:
            if time.monotonic() >= deadline:
                return "the proof did not end in {:g} s".format(deadline_s)
            beat()
            time.sleep(_POLL_S)
        return _answer(process.returncode, process.stdout.read())  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def _answer(code: int, said: bytes) -> str:
    if code < 0:
        return "the proof died by signal {}".format(-code)
    try:
        return str(json.loads(said.decode("utf-8").splitlines()[-1])["proof"])
    except (ValueError, IndexError, KeyError, TypeError):
        return "the proof ended with exit code {} and without a word".format(code)


def main(argv: list[str]) -> int:
    """In the process of its own: say what came of it on stdout, and end at once."""
    writer = protocol.claim_stdout()
    task = json.loads(argv[0])
    try:
        words = run(task["runtime"], task["path"])
    except Exception as problem:  # whatever it is, it is no proof
        words = "{}: {}".format(type(problem).__name__, problem)
    writer.forward(json.dumps({"proof": words}).encode("utf-8"))
    os._exit(0)


def run(runtime: dict[str, object], path: list[str]) -> str:
    """PROVEN, or why not. Raises what the runtime raises."""
    from . import tflite_runtime

    loaded = tflite_runtime.load(runtime, path, vtable_profiler.PROVEN)
    if loaded.ops_refused is not None:
        return loaded.ops_refused
    handle, model = tempfile.mkstemp(suffix=".tflite")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(model_content())
        for backend, kind in (("builtin", _OPERATOR), ("xnnpack", _KERNEL)):
            session = loaded.open(_order(model, backend), profiling=True)
            session.feed([], 1)
            infer = session.inference()
            infer()
            for _ in range(_RUNS):
                session.start_profiler()
                infer()
                wrong = judge(session.stop_profiler(), kind)
                if wrong is not None:
                    return "{}: {}".format(backend, wrong)
    finally:
        os.unlink(model)
    return vtable_profiler.PROVEN


def judge(events: list[Event], kind: int) -> str | None:
    """What is wrong with the events of one inference, None where they are the model's operators."""
    found = [event for event in events if event[1] == kind]
    if len(found) != len(OPERATORS):
        return "{} events of the kind {} for {} operators".format(len(found), kind, len(OPERATORS))
    if kind == _OPERATOR and [event[:3] for event in found] != [(n, kind, i) for i, n in enumerate(OPERATORS)]:
        return "the events {} are not the operators {}".format([event[:3] for event in found], list(OPERATORS))
    if kind == _KERNEL and [_word(event[0]) for event in found] != [_word(name) for name in _KERNELS]:
        return "the kernels {} are not those of {}".format([event[0] for event in found], list(OPERATORS))
    if any(not isinstance(event[4], int) or event[4] < 1 for event in found):
        return "an operator took no time: {}".format([event[4] for event in found])
    return None


# What XNNPACK calls them, by the first word.
_KERNELS = ("Tanh", "Sigmoid", "Floor", "Tanh")


def _word(tag: str) -> str:
    return tag.split(" ")[0]


def _order(model: str, backend: str) -> dict[str, object]:
    unit = {"kind": "cpu", "backend": backend, "threads": 1, "cluster": None}
    return {"variant": model, "signature": None, "unit": unit}


def model_content() -> bytes:
    """The bytes of the model."""
    return zlib.decompress(base64.b64decode("".join(_MODEL)))
