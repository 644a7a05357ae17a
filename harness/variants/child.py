"""The inside of a build process: a session of its own, silence on the terminal, one answer on the pipe."""

import os
import re
import signal
import sys
import threading
from multiprocessing import connection, parent_process
from pathlib import Path

from harness.core.errors import RecipeRefused, WeighbridgeError
from harness.core.variant import BuildFailed, BuildOutcome
from harness.variants.full_disk import explain_unwritten
from harness.variants.job import BuildJob, BuildOne

_LONGEST = 2000  # characters of an error


def run_job(job: BuildJob, build: BuildOne, answer: "connection.Connection[BuildOutcome, None]") -> None:
    """Entry of the process: build, send the Variant or the BuildFailed, exit."""
    if os.name == "posix":
        os.setsid()  # the parent ends the whole group; a Ctrl-C in the terminal reaches the parent alone
    try:
        _redirect(job.output)
    except OSError:
        os._exit(1)  # the folder is gone, and with it whoever wanted an answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer.send(_attempt(job, build))
    answer.close()


def _attempt(job: BuildJob, build: BuildOne) -> BuildOutcome:
    try:
        return build(job)
    except WeighbridgeError as exc:
        message = _in_users_words(_without_recipe(str(exc), job.spec.recipe), job)
        return _failed(job, message, refused=isinstance(exc, RecipeRefused))
    except OSError as exc:
        told = explain_unwritten(exc, _cache(job))
        return _failed(job, told or f"{exc.filename or job.scratch}: {exc.strerror or exc}")
    except Exception as exc:  # the tools raise anything; this is the boundary of one build
        return _failed(job, explain_unwritten(exc, _cache(job)) or f"{type(exc).__name__}: {exc}")


def _cache(job: BuildJob) -> Path:
    """The folder that users know; scratch is three below it."""
    return job.scratch.parent.parent.parent


def _failed(job: BuildJob, error: str, *, refused: bool = False) -> BuildFailed:
    """The error on one line: runtimes break theirs where a row of a table cannot."""
    line = " ".join(error.split())[:_LONGEST]
    return BuildFailed(model=job.model.name, name=job.spec.name, recipe=job.spec.recipe, error=line, refused=refused)


def _without_recipe(message: str, recipe: str) -> str:
    """RecipeError begins with the recipe, which BuildFailed carries already."""
    return message.removeprefix(f"{recipe}: ")


def _in_users_words(message: str, job: BuildJob) -> str:
    """Nobody knows a scratch file: it is the file that was given, or what was built of the model."""
    known = str(job.spec.prebuilt) if job.spec.prebuilt else "what was built"
    return re.sub(rf"{re.escape(str(job.scratch))}\S*\.(?:tflite|mlpackage|mlmodel)", lambda _: known, message)


def _redirect(path: Path) -> None:
    """Standard output and error to a file, for Python and for the libraries below it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _end_with_parent() -> None:
    """A build whose parent is gone has nobody to answer."""
    parent = parent_process()
    if parent is None:
        return
    connection.wait([parent.sentinel])
    if os.name == "posix":
        os.killpg(os.getpgrp(), signal.SIGKILL)  # the group is this process's own, by run_job
    os._exit(1)
