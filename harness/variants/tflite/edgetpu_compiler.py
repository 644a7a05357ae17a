"""Runs Google's edgetpu_compiler on a built variant. It exists for x86-64 Linux alone: coral.ai/docs/edgetpu/compiler.

The real one has not run here yet: the tests have a stand-in that prints as it does (tests/support).
"""

import functools
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import RecipeError, RecipeRefused
from harness.core.units import Seconds
from harness.core.variant import EdgeTpuCompilation
from harness.variants.tflite.compiled import compiled_for
from harness.variants.tflite.edgetpu_log import NoCompilerLog, failure_in, parse_log
from harness.variants.tflite.edgetpu_notes import notes_of

NAME = "edgetpu_compiler"
COMPILE_S: Seconds = 240.0  # its own limit is 180 s from version 16 on
_VERSION_S: Seconds = 20.0
_BEFOREHAND = (
    "compile the file on an x86-64 Linux (coral.ai/docs/edgetpu/compiler) and give it as "
    "{{path: {stem}_edgetpu.tflite, of: {model}}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFile:
    """path is the file for the Edge TPU, told what the compiler said of it."""

    path: Path
    told: EdgeTpuCompilation
    seconds: Seconds


def find_compiler(named: Path | None) -> Path | None:
    """The one that the configuration names, else the one on PATH; None where there is none that can be started."""
    if named is not None:
        return named if named.is_file() and os.access(named, os.X_OK) else None
    found = shutil.which(NAME)
    return Path(found) if found else None


def why_absent(named: Path | None, model: str) -> str | None:
    """Why nothing can be compiled on this host and what to do, None where there is a compiler."""
    if find_compiler(named) is not None:
        return None
    missing = f"{named} is no program" if named is not None else f"there is no {NAME} on PATH"
    return f"{missing}; {_BEFOREHAND.format(stem=model, model=model)}"


@functools.cache
def version_of(compiler: Path) -> str:
    """What it says of its version, in one line. Raises OSError where it cannot be started or does not answer."""
    try:
        done = subprocess.run(
            (str(compiler), "--version"), capture_output=True, text=True, timeout=_VERSION_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise OSError(0, f"did not answer within {_VERSION_S:g} s", str(compiler)) from exc
    return " ".join(done.stdout.split()) or "no version"


def compile_file(recipe: str, source: Path, scratch: Path, named: Path | None) -> CompiledFile:
    """Compile a fully quantised file. Its group of processes is the build's, which ends what is left of it.

    Raises RecipeRefused where there is no compiler, RecipeError in the compiler's words, or where it put nothing on the
    Edge TPU: that is no success, whatever its exit code.
    """
    compiler = find_compiler(named)
    if compiler is None:
        raise RecipeRefused(recipe, str(why_absent(named, source.stem)))
    folder = scratch / "edgetpu"
    folder.mkdir()
    begun = time.monotonic()
    said = _run(recipe, (str(compiler), "-s", "-o", str(folder), str(source)), scratch)
    made, log = folder / f"{source.stem}_edgetpu.tflite", folder / f"{source.stem}_edgetpu.log"
    if not made.is_file():
        raise RecipeError(recipe, f"{NAME} made nothing: {failure_in(said) or _last_line(said)}")
    told = _told(recipe, said, log)
    if compiled_for(made.read_bytes()) is None:
        why = "; ".join(notes_of(told)) or "it does not say why"
        raise RecipeError(recipe, f"{NAME} put no operator on the Edge TPU: {why}")
    return CompiledFile(path=made, told=told, seconds=time.monotonic() - begun)


def _run(recipe: str, argv: tuple[str, ...], scratch: Path) -> str:
    """What it prints. Into a file: a pipe would be held open by whatever it leaves behind."""
    output = scratch / "edgetpu_compiler.txt"
    try:
        with output.open("wb") as stream:
            subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, timeout=COMPILE_S, check=False
            )
    except subprocess.TimeoutExpired as exc:
        raise RecipeError(recipe, f"{NAME} did not end within {COMPILE_S:g} s and was ended") from exc
    except OSError as exc:
        raise RecipeError(recipe, f"{argv[0]} cannot be started: {exc.strerror}") from exc
    return output.read_text(errors="replace")


def _told(recipe: str, said: str, log: Path) -> EdgeTpuCompilation:
    whole = f"{said}\n{log.read_text(errors='replace')}" if log.is_file() else said
    try:
        return parse_log(whole)[0]
    except NoCompilerLog as exc:
        raise RecipeError(recipe, f"{NAME}: {exc}") from exc


def read_log_beside(path: Path) -> EdgeTpuCompilation | None:
    """What the compiler's log beside a file that was compiled elsewhere says; None where there is none, or another."""
    try:
        return parse_log(log_beside(path).read_text(errors="replace"))[0]
    except (OSError, NoCompilerLog):
        return None


def log_beside(path: Path) -> Path:
    """Where the compiler leaves its log of a file: `x_edgetpu.log` of `x_edgetpu.tflite`."""
    return path.with_suffix(".log")


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
