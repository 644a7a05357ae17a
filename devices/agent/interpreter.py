"""The Python interpreter of LiteRT, and of tflite-runtime before it.

For models that LiteRT's compiled model refuses, and for versions whose C API this agent does not know. Slower to start
than the C API (it brings numpy) and without per-op in LiteRT, but the same from tflite-runtime on.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

from . import feeding, signatures
from .litert import LiteRtError
from .old_interpreter import OldInterpreter
from .swallowed import delegation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


REFUSALS = (ValueError, RuntimeError, TypeError, NotImplementedError)  # what the interpreter raises, by its source
_DESCRIBE_ARGUMENTS = 3  # the interpreter, the tensor, the graph
_LIBEDGETPU = "libedgetpu"
_EDGETPU_OP = "edgetpu-custom-op"  # what the compiler leaves of the operators that it took
RESOLVERS = {None: "AUTO", "xnnpack": "BUILTIN", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}


class InterpreterRuntime:
    """Opens models in `module`, an interpreter of TensorFlow Lite's Python face, of the runtime called `name`.

    package is where the runtime was found; path is where it may import from. ops_refused says why there is no per-op;
    None where `attach` puts a profiler on an interpreter before its tensors are allocated. What attach answers has
    start(), and stop(), which gives (tag, type, first, second, elapsed_us) of each event. Raises LiteRtError where the
    module cannot be imported or is too old, or where the import leads to another package: its times would carry the
    wrong name.
    """

    api = "interpreter"

    def __init__(
        self,
        package: str,
        path: list[str],
        ops_refused: str | None,
        module: str = "ai_edge_litert.interpreter",
        name: str = "LiteRT",
        attach: Callable[[Any], Any] | None = None,
    ) -> None:
        self.ops_refused = ops_refused
        self._name = name
        self._attach = attach
        before = "" if ops_refused is None else ops_refused + "; and "
        sys.path.extend(entry for entry in [os.path.dirname(package), *path] if entry not in sys.path)
        try:
            self._module = importlib.import_module(module)
        except (ImportError, OSError) as problem:
            raise LiteRtError("{}its Python interpreter cannot be loaded: {}".format(before, problem)) from problem
        if os.path.realpath(os.path.dirname(str(self._module.__file__))) != os.path.realpath(package):
            raise LiteRtError("{}it has no Python interpreter".format(before))
        self._lacking = lacking(self._module)
        if not hasattr(getattr(self._module, "Interpreter", None), "_get_tensor_details"):
            words = "{}the Python interpreter of {} is not one that this agent knows: it tells of no tensors"
            raise LiteRtError(words.format(before, name))

    def open(self, order: dict[str, object], profiling: bool = False) -> InterpreterSession:
        """The order's model, compiled. Raises LiteRtError in the interpreter's words."""
        unit: Any = order["unit"]
        backend = unit["backend"]
        on_edgetpu = unit["kind"] == "edgetpu" and backend in (None, _LIBEDGETPU)
        if not on_edgetpu and (unit["kind"] != "cpu" or backend not in RESOLVERS):
            asked = "{kind}/{backend}".format(**unit) if backend else unit["kind"]
            raise LiteRtError("{} is no unit of {}'s Python interpreter".format(asked, self._name))
        if self._lacking and backend in ("xnnpack", "builtin"):
            words = "{} has its own choice of kernels alone, take {kind}: it lacks {}"
            raise LiteRtError(words.format(self._name, ", ".join(self._lacking), **unit))
        if self._lacking:
            return InterpreterSession(self._module, order, None, unit["threads"], None)
        # On an Edge TPU, XNNPACK takes what the compiler left to the processor, as by default elsewhere.
        resolver = getattr(self._module.OpResolverType, RESOLVERS[None if on_edgetpu else backend])
        attach = self._attach if profiling else None
        return InterpreterSession(self._module, order, resolver, unit["threads"], attach)


def lacking(module: Any) -> list[str]:  # noqa: ANN401 (untyped)
    """What an interpreter's module has not that is needed here. Older versions knew neither resolvers nor graphs."""
    resolvers = getattr(module, "OpResolverType", None)
    missing = ["OpResolverType." + name for name in RESOLVERS.values() if not hasattr(resolvers, name)]
    describe = getattr(getattr(module, "Interpreter", None), "_get_tensor_details", None)
    takes = getattr(getattr(describe, "__code__", None), "co_argcount", 0)
    return missing if takes >= _DESCRIBE_ARGUMENTS else [*missing, "tensors of other graphs than the first"]


class InterpreterSession:
    """A compiled model, with the same face as session.Session. resolver None: the module knows none (old_interpreter).

    There is no environment to make, so it takes no time; for an Edge TPU it is the opening of the accelerator. adapter
    is then the library that has it.
    """

    environment_ns = 0
    adapter: str | None = None

    def __init__(
        self,
        module: Any,  # noqa: ANN401 (untyped)
        order: dict[str, object],
        resolver: object,
        threads: object,
        attach: Callable[[Any], Any] | None,
    ) -> None:
        path, key = str(order["variant"]), order["signature"]
        self._module = module
        try:
            self._delegates = self._open_accelerator(order)
            begun = time.perf_counter_ns()
            how: dict[str, object] = {"num_threads": threads, "experimental_delegates": self._delegates}
            if resolver is None:
                self._interpreter = OldInterpreter(module.Interpreter(model_path=path, **how))
            else:
                self._interpreter = module.Interpreter(model_path=path, experimental_op_resolver_type=resolver, **how)
            self._recorder = None if attach is None else attach(self._interpreter)
            self._interpreter.allocate_tensors()
            self.compile_ns = time.perf_counter_ns() - begun
            self._signature = signatures.choose(path, None if key is None else str(key))  # of ours, so not timed
            self.compile_ns += self._allocate(self._signature.graph)
        except REFUSALS as problem:
            raise LiteRtError("Interpreter: {}".format(problem)) from problem

    def _open_accelerator(self, order: dict[str, Any]) -> list[Any] | None:
        """The delegate of an Edge TPU, None on the processor."""
        if order["unit"]["kind"] != "edgetpu":
            return None
        if order["delegate"] is None:
            raise LiteRtError("edgetpu needs its delegate's library: measure it as a device of kind edgetpu")
        from . import edgetpu  # brings subprocess, which no launch on a processor needs

        begun = time.perf_counter_ns()
        try:
            delegate = edgetpu.load(self._module, order["delegate"])
        except (OSError, ValueError) as problem:
            raise LiteRtError(str(problem)) from problem
        self.environment_ns = time.perf_counter_ns() - begun
        self.adapter = edgetpu.describe_loaded(str(order["delegate"]["library"]))
        return [delegate]

    def _allocate(self, graph: int) -> int:
        """Allocate the tensors of a graph, in nanoseconds; those of the first one are."""
        if graph == 0:
            return 0
        begun = time.perf_counter_ns()
        self._interpreter._interpreter.AllocateTensors(graph)
        return time.perf_counter_ns() - begun

    @property
    def delegation(self) -> dict[str, object] | None:
        """What the default delegate or the Edge TPU's took, by the interpreter's own list of operators.

        None where it has no such list.
        """
        tell = getattr(self._interpreter, "_get_ops_details", None)
        if tell is None or self._signature.graph != 0:  # the list is that of the first graph
            return None
        outputs = [int(output["index"]) for output in self._interpreter.get_output_details()]
        if self._delegates is not None:
            return delegation(tell(), outputs, delegate="edgetpu", claims=_EDGETPU_OP)
        return delegation(tell(), outputs)

    def feed(self, files: list[str], seed: int) -> None:
        """Fill the inputs from raw files in order, or from the seed where there are none."""
        try:
            feeding.feed(self._module, self._interpreter, self._signature, files, seed)
        except REFUSALS as problem:
            raise LiteRtError("Interpreter: {}".format(problem)) from problem

    def inference(self) -> Invoke:
        """One inference as a callable. It returns with the outputs ready."""
        return Invoke(self._interpreter, self._signature.graph)

    def start_profiler(self) -> None:
        """Begin a recording. It forgets the one before."""
        if self._recorder is not None:
            self._recorder.start()

    def stop_profiler(self) -> list[tuple[str, int, int, int, int]]:
        """End it and answer (tag, type, first, second, elapsed_us) of each event in order."""
        return [] if self._recorder is None else self._recorder.stop()


class Invoke:
    """Runs a graph of the interpreter; its refusals are LiteRtErrors.

    The wrapped interpreter is called at once: its public face can run no graph but the first, and a signature runner
    would copy inputs and outputs in the timed span.
    """

    def __init__(self, interpreter: Any, graph: int) -> None:  # noqa: ANN401 (untyped)
        self._invoke = interpreter._interpreter.Invoke
        self._graph = graph

    def __call__(self) -> None:
        try:
            self._invoke(self._graph)
        except REFUSALS as problem:
            raise LiteRtError("Interpreter.invoke: {}".format(problem)) from problem
