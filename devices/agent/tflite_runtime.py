"""tflite-runtime, as LiteRT was called before: its Python interpreter, and per-op by a profiler of our own."""

from __future__ import annotations

import sys

from . import vtable_profiler
from .interpreter import InterpreterRuntime
from .litert import LiteRtError
from .runtimes import full_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULE = "tflite_runtime.interpreter"


def load(runtime: dict[str, object], path: list[str], proof: str | None = None) -> InterpreterRuntime:
    """The runtime that was found, imported. proof is what the supervisor found of per-op here.

    Raises LiteRtError where it cannot be imported, or where numpy is too new.
    """
    version, library = _text(runtime["version"]), _text(runtime["library"])

    def attach(interpreter: Any) -> vtable_profiler.VtableProfiler:  # noqa: ANN401 (untyped)
        profiler = vtable_profiler.VtableProfiler()
        profiler.attach(interpreter._native_handle(), str(library))
        return profiler

    refused = vtable_profiler.refusal(version, library, proof=proof)
    loaded = InterpreterRuntime(str(runtime["package"]), path, refused, _MODULE, full_name(runtime), attach)
    wrong = numpy_too_new(str(sys.modules["numpy"].__version__))
    if wrong is not None:
        raise LiteRtError(wrong)
    return loaded


def numpy_too_new(version: str) -> str | None:
    """Why this numpy cannot be used, or None. With numpy 2 every model ends in a SystemError that explains nothing."""
    if version.split(".")[0] in ("0", "1"):
        return None
    words = "tflite-runtime was built for numpy 1 and does not work with numpy {}, which {} has"
    advice = "give it an environment with 'numpy<2' (docs/tflite-runtime.md)"
    return "{}: {}".format(words.format(version, sys.executable), advice)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
