"""benchmark_model, TensorFlow Lite's own program, for operators where the runtime has no profiler.

It is another program than the runtime that is measured, and tells nobody of which version it is: what it says never
goes for the runtime's own. The real one was never run on a board yet. Source of its flags and files:
tflite/tools/benchmark/README.md, tflite/profiling/profile_summary_formatter.cc, model_runtime_info.cc.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import profile, signatures
from .litert import LiteRtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO, Any

NAME = "benchmark_model"
MISSING = "benchmark_model would do: docs/boards.md"
_SHARE = 0.4  # of the launch's deadline, at most; the rest is the runtime's
_MOST_EVENTS = 1 << 16  # of the tool's buffer; past it events are dropped
_MOST_SAID = 4 << 20
_MOST_WRITTEN = 4 << 20  # of each file: both are one line with room to spare
_CHUNK = 1 << 16
_TAIL = 1 << 14
_LONGEST_WORDS = 300
_BACKENDS = (None, "xnnpack", "builtin")
_ERROR = re.compile(r"^(?:ERROR: |[EF] tflite\s*: )(?P<words>.+)$", re.MULTILINE)
_FDS = "/proc/self/fd/" if sys.platform.startswith("linux") else "/dev/fd/"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


class ToolFailed(Exception):
    """In words."""


def own_path() -> str:
    """Where `setup --benchmark-model` puts it."""
    return os.path.join(os.path.expanduser("~"), ".weighbridge", "tools", NAME)


def find(packages: Iterable[str]) -> str | None:
    """The one in the agent's own folder, beside a runtime, or on PATH. None: there is none."""
    for path in (own_path(), *(os.path.join(package, NAME) for package in packages)):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return shutil.which(NAME)


def details(packages: Iterable[str]) -> dict[str, str]:
    """What facts say of it."""
    path = find(packages)
    if path is None:
        return {}
    try:
        return {NAME: "{}, sha256:{}".format(path, _sha256(path))}
    except OSError as problem:
        return {NAME: "{} cannot be read: {}".format(path, problem.strerror)}


def can_measure(unit: Mapping[str, object]) -> bool:
    """Whether it runs on a unit as the runtimes do. Its GPU delegate is another one than LiteRT's accelerator."""
    return unit["kind"] == "edgetpu" or (unit["kind"] == "cpu" and unit["backend"] in _BACKENDS)


def measure(order: Mapping[str, Any], refused: str, path: str) -> dict[str, object]:
    """The `profile` message: what the tool at that path wrote, or why it did not. refused is the runtime's reason.

    Nothing that the tool does fails a launch.
    """
    told = profile.unavailable(refused)
    try:
        sha256 = _sha256(path)
        written = _profile(order, path)
    except (ToolFailed, LiteRtError, OSError) as problem:
        return dict(told, unavailable="{}; {} does not tell either: {}".format(refused, path, problem))
    return dict(told, tool=dict(written, path=path, sha256=sha256))


def argv_of(order: Mapping[str, Any], path: str, ops: str, runtime_info: str) -> tuple[str, ...]:
    """The whole call. Raises ToolFailed for what cannot be said in its flags."""
    settings = order["settings"]
    return (
        path,
        "--graph={}".format(order["variant"]),
        *_unit_flags(order),
        "--num_runs={}".format(settings["inferences"]),
        "--min_secs=0",
        "--max_secs={:g}".format(min(settings["max_launch_s"], order["deadline_s"] * _SHARE / 3)),
        "--warmup_runs={}".format(settings["warmup_inferences"]),
        "--warmup_min_secs={:g}".format(settings["warmup_s"]),
        "--enable_op_profiling=true",
        "--op_profiling_output_mode=proto",
        "--op_profiling_output_file={}".format(ops),
        "--max_profiling_buffer_entries={}".format(_MOST_EVENTS),
        "--export_model_runtime_info=true",
        "--model_runtime_info_output_file={}".format(runtime_info),
        *(["--signature_to_run_for={}".format(order["signature"])] if order["signature"] else []),
    )


def _unit_flags(order: Mapping[str, Any]) -> list[str]:
    unit = order["unit"]
    if unit["kind"] != "edgetpu":
        on = "false" if unit["backend"] == "builtin" else "true"
        return ["--num_threads={}".format(unit["threads"] or 1), "--use_xnnpack={}".format(on)]
    if order["delegate"] is None:
        raise ToolFailed("the order has no delegate")
    library, options = order["delegate"]["library"], order["delegate"]["options"]
    if any(mark in text for pair in options.items() for text in pair for mark in ";:"):
        raise ToolFailed("its flags have no way to say a delegate's option with `;` or `:` in it")
    words = ";".join("{}:{}".format(key, value) for key, value in sorted(options.items()))
    flags = ["--external_delegate_path={}".format(library), "--use_xnnpack=true"]
    return [*flags, "--external_delegate_options={}".format(words)] if words else flags


def _profile(order: Mapping[str, Any], path: str) -> dict[str, str]:
    """What the tool wrote, in base64.

    Into files that have no name, and so are gone with the launch, however it ends.
    """
    if signatures.choose(str(order["variant"]), order["signature"]).graph != 0:
        raise ToolFailed("its profile is of the file's first graph, the signature is of another")
    with tempfile.TemporaryFile() as ops, tempfile.TemporaryFile() as info:
        numbers = ops.fileno(), info.fileno()
        argv = argv_of(order, path, *(_FDS + str(number) for number in numbers))
        _run(argv, float(order["deadline_s"]) * _SHARE, numbers)
        return {
            "profile": _content(ops, "no profile; it may be too old for --op_profiling_output_mode=proto"),
            "runtime_info": _content(info, "no runtime info; it may be too old for --export_model_runtime_info"),
        }


def _content(stream: IO[bytes], empty: str) -> str:
    stream.seek(0)
    content = stream.read(_MOST_WRITTEN + 1)
    if not content:
        raise ToolFailed("it wrote " + empty)
    if len(content) > _MOST_WRITTEN:
        raise ToolFailed("it wrote a file of more than {} MiB".format(_MOST_WRITTEN >> 20))
    return base64.b64encode(content).decode("ascii")


def _run(argv: tuple[str, ...], seconds: float, keep: tuple[int, ...]) -> None:
    """In the launch's own group, so that whatever ends that ends the tool. Raises ToolFailed, OSError."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        pass_fds=keep,
        preexec_fn=_die_with_launch if _LIBC is not None else None,
    )
    try:
        said = _read(process.stdout.fileno(), seconds)  # type: ignore[union-attr]
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise ToolFailed("it stopped talking and did not end in {:g} s".format(seconds)) from None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    if code != 0:
        raise ToolFailed(_words(code, said.decode("utf-8", "replace")))


def _read(descriptor: int, seconds: float) -> bytes:
    """The tail of what it says until it ends."""
    end, said, total = time.monotonic() + seconds, b"", 0
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise ToolFailed("it did not end in {:g} s".format(seconds))
        if not select.select([descriptor], [], [], left)[0]:
            continue
        piece = os.read(descriptor, _CHUNK)
        if not piece:
            return said
        total += len(piece)
        if total > _MOST_SAID:
            raise ToolFailed("it said more than {} MiB".format(_MOST_SAID >> 20))
        said = (said + piece)[-_TAIL:]


def _words(code: int, said: str) -> str:
    """Its own errors, else its last words, after how it ended."""
    end = "it died by signal {}".format(-code) if code < 0 else "it ended with exit code {}".format(code)
    errors = [found.group("words").strip() for found in _ERROR.finditer(said)]
    last = errors or [line.strip() for line in said.splitlines() if line.strip()][-1:]
    return ": ".join([end, *filter(None, ["; ".join(dict.fromkeys(last))[:_LONGEST_WORDS]])])


def _sha256(path: str) -> str:
    content = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(_CHUNK), b""):
            content.update(piece)
    return content.hexdigest()


_LAUNCH = os.getpid()


def _die_with_launch() -> None:
    """In the child, before exec: a supervisor that is killed outright takes the launch alone with it (prctl(2))."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # type: ignore[union-attr]
    if os.getppid() != _LAUNCH:
        os._exit(1)
