"""LiteRT through its own Python interpreter: for versions whose C API this agent does not know.

Slower to start than the C API (it brings numpy) and without per-op, but the same from ai-edge-litert 1.4 on.
"""

from __future__ import annotations

import os
import sys
import time

from . import inputs
from .litert import LiteRtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ELEMENT_TYPES = {
    "float16": inputs.FLOAT16,
    "float32": inputs.FLOAT32,
    "float64": inputs.FLOAT64,
    "int8": inputs.INT8,
    "int16": inputs.INT16,
    "int32": inputs.INT32,
    "int64": inputs.INT64,
    "uint8": inputs.UINT8,
    "uint16": inputs.UINT16,
    "uint32": inputs.UINT32,
    "uint64": inputs.UINT64,
    "bool": inputs.BOOL,
    "bool_": inputs.BOOL,
}
_REFUSALS = (ValueError, RuntimeError, TypeError, NotImplementedError)  # what the interpreter raises, by its source
RESOLVERS = {None: "AUTO", "xnnpack": "BUILTIN", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}


class InterpreterRuntime:
    """Opens models in ai_edge_litert.interpreter. ops_refused says why the C API is not used.

    package is where LiteRT was found; path is where it may import from. Raises LiteRtError where it cannot be
    imported, or where the import leads to another LiteRT: its times would carry the wrong name.
    """

    api = "interpreter"

    def __init__(self, package: str, path: list[str], ops_refused: str) -> None:
        self.ops_refused = ops_refused
        sys.path.extend(entry for entry in [os.path.dirname(package), *path] if entry not in sys.path)
        try:
            from ai_edge_litert import interpreter
        except (ImportError, OSError) as problem:
            words = "{}; and its Python interpreter cannot be loaded: {}".format(ops_refused, problem)
            raise LiteRtError(words) from problem
        if os.path.realpath(os.path.dirname(interpreter.__file__)) != os.path.realpath(package):
            raise LiteRtError("{}; and it has no Python interpreter".format(ops_refused))
        self._module = interpreter

    def open(self, path: str, unit: dict[str, object]) -> InterpreterSession:
        """A model, compiled. Raises LiteRtError in the interpreter's words."""
        backend = unit["backend"]
        if unit["kind"] != "cpu" or backend not in RESOLVERS:
            raise LiteRtError("{kind}/{backend} is no unit of LiteRT's Python interpreter".format(**unit))
        resolver = getattr(self._module.OpResolverType, RESOLVERS[backend])
        return InterpreterSession(self._module, path, resolver, unit["threads"])


class InterpreterSession:
    """A compiled model, with the same face as session.Session. There is no environment to make: it takes no time."""

    environment_ns = 0

    def __init__(self, module: Any, path: str, resolver: object, threads: object) -> None:  # noqa: ANN401 (untyped)
        begun = time.perf_counter_ns()
        try:
            self._interpreter = module.Interpreter(
                model_path=path, num_threads=threads, experimental_op_resolver_type=resolver
            )
            self._interpreter.allocate_tensors()
        except _REFUSALS as problem:
            raise LiteRtError("Interpreter: {}".format(problem)) from problem
        self.compile_ns = time.perf_counter_ns() - begun

    @property
    def delegation(self) -> dict[str, object] | None:
        """Not full where no delegate took part; None where one took an unknown part, or it is not told."""
        tell = getattr(self._interpreter, "_get_ops_details", None)
        if tell is None or any(operator["op_name"] == "DELEGATE" for operator in tell()):
            return None
        return {"delegate": None, "full": False, "taken": None, "total": None, "partitions": None}

    def feed(self, files: list[str], seed: int) -> None:
        """Fill the inputs from raw files in order, or from the seed where there are none."""
        details = self._interpreter.get_input_details()
        if files and len(files) != len(details):
            raise LiteRtError("{} input files for a model with {} inputs".format(len(files), len(details)))
        for place, detail in enumerate(details):
            kind = _ELEMENT_TYPES.get(detail["dtype"].__name__)
            if kind is None:
                raise LiteRtError("input {} holds {}, which LiteRT cannot be fed here".format(place, detail["dtype"]))
            # The tensor's own memory; no view of it may be left when the interpreter runs.
            view = memoryview(self._interpreter.tensor(detail["index"])()).cast("B")
            view[:] = inputs.content(files, place, kind, len(view), seed)
            view.release()

    def inference(self) -> Invoke:
        """One inference as a callable. invoke() returns with the outputs ready."""
        return Invoke(self._interpreter)


class Invoke:
    """Runs the interpreter; its refusals are LiteRtErrors."""

    def __init__(self, interpreter: Any) -> None:  # noqa: ANN401 (untyped)
        self._invoke = interpreter.invoke

    def __call__(self) -> None:
        try:
            self._invoke()
        except _REFUSALS as problem:
            raise LiteRtError("Interpreter.invoke: {}".format(problem)) from problem
