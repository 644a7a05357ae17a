"""Runs builds side by side, each in a process of its own: a crash, an endless loop or a lack of memory costs one
variant. Processes come from a fork server that has the slow imports behind it, where the system has one."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from harness.core.deadline import Deadline
from harness.core.interruption import Check
from harness.core.variant import BuildFailed, BuildOutcome
from harness.variants.child import run_job
from harness.variants.job import BuildJob, BuildOne

_PRELOADED = {
    "tflite": ["ai_edge_litert.interpreter", "harness.variants.tflite.build"],
    "mlpackage": ["onnxruntime", "harness.variants.coreml.preload"],
}
_ENDINGS = (signal.SIGINT, signal.SIGTERM)
_MOMENT_S = 0.2
_EXIT_S = 5.0  # for a process that has answered, or was killed, to be gone
_TAIL_LINES, _TAIL_CHARACTERS = 3, 600


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Running:
    job: BuildJob
    process: BaseProcess
    answer: "connection.Connection[None, BuildOutcome]"
    deadline: Deadline


def run_jobs(
    jobs: Sequence[BuildJob], build: BuildOne, *, at_once: int, check: Check
) -> Generator[tuple[BuildJob, BuildOutcome], None, None]:
    """Start jobs in order, at_once at a time; yield each with its outcome as it ends.

    Closing the iterator, or an exception in it (Ctrl-C), ends every process that is left. check is called several times
    a second and may raise.
    """
    preload(jobs)
    waiting = list(reversed(jobs))
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                with _undisturbed():
                    running.append(_start(waiting.pop(), build))
            check()
            for ended in _wait(running):
                outcome = _collect(ended)
                running.remove(ended)
                yield ended.job, outcome
    finally:
        for left in running:
            _end(left)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back until a process is on the list of those to be ended.

    A mask alone does not: a signal is taken by any thread, a library's too. What is started here inherits the mask: the
    fork server and the builds leave Ctrl-C to us, who end them all.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():  # Windows: never run there
        yield
        return
    asked: list[int] = []
    before = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in _ENDINGS}
    resource_tracker.ensure_running()  # its own start lets Ctrl-C through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    for ending in asked[:1]:
        signal.raise_signal(ending)


def _start(job: BuildJob, build: BuildOne) -> _Running:
    context = _context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_job, args=(job, build, sender), daemon=True)
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    return _Running(job=job, process=process, answer=receiver, deadline=Deadline(job.timeout_s))


def _context() -> ForkServerContext | SpawnContext:
    """Where new processes come from. Windows has no fork server; this has never run there."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def preload(jobs: Sequence[BuildJob]) -> None:
    """Have the fork server import what these builds need, before it starts; one that runs already stays as it is."""
    context = _context()
    if isinstance(context, ForkServerContext):
        formats = sorted({job.model.format for job in jobs})
        modules = [module for format in formats for module in _PRELOADED.get(format, [])]
        context.set_forkserver_preload(["numpy", "harness.variants.worker", *modules])


def _wait(running: Sequence[_Running]) -> list[_Running]:
    """Those that have answered, died or used up their time; after a moment, none."""
    nearest = min(_MOMENT_S, *(build.deadline.remaining for build in running))
    ready = connection.wait([build.answer for build in running], timeout=nearest)
    return [build for build in running if build.answer in ready or build.deadline.expired]


def _collect(ended: _Running) -> BuildOutcome:
    """The answer, or how the process died without one. Nothing of it is left afterwards."""
    try:
        if not ended.answer.poll():
            return _failed(ended, f"did not end within {ended.deadline.seconds:g} s and was ended")
        outcome: BuildOutcome = ended.answer.recv()
        ended.process.join(_EXIT_S)
        return outcome
    except (EOFError, OSError):
        ended.process.join(_EXIT_S)
        return _failed(ended, _death(ended.process.exitcode))
    finally:
        _end(ended)


def _end(build: _Running) -> None:
    """Kill the process and what it started."""
    pid = build.process.pid
    if pid is not None and os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):  # before it leads its group, or after it is gone
            os.killpg(pid, signal.SIGKILL)
    if build.process.is_alive():
        build.process.kill()
    build.process.join(_EXIT_S)
    build.answer.close()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"the build process was killed by {name} (exit code {128 - exit_code}){hint}"
    return f"the build process ended without an answer (exit code {exit_code})"


def _failed(ended: _Running, reason: str) -> BuildFailed:
    said = _tail(ended.job.output)
    model, spec = ended.job.model, ended.job.spec
    error = f"{reason}; it said last: {said}" if said else reason
    return BuildFailed(model=model.name, name=spec.name, recipe=spec.recipe, error=error)


def _tail(path: Path) -> str:
    """The last lines a process printed, on one line; empty where it printed nothing."""
    try:
        lines = path.read_bytes()[-8192:].decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    # LiteRT's notices of what it loaded stand before every end, good or bad.
    telling = [line.strip() for line in lines if line.strip() and not line.startswith("INFO: ")]
    return " / ".join(telling[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
