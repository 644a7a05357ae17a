"""The oracle of the operator mapping (one_op) through tflite-runtime, run by the Python that has it."""

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.agent.interpreter import InterpreterRuntime

_KERNELS = (2, 4, 8)  # types of events that are operators


def kernels_of(runtime: "InterpreterRuntime", path: str, backend: str | None) -> list[str]:
    """Tags of one inference; the first, which allocates, is left out."""
    unit = {"kind": "cpu", "backend": backend, "threads": 1}
    session = runtime.open({"variant": path, "unit": unit, "signature": None}, profiling=True)
    session.feed([], 0)
    infer = session.inference()
    infer()
    session.start_profiler()
    infer()
    return [tag for tag, kind, *_ in session.stop_profiler() if kind in _KERNELS]


def main() -> None:
    """Run the models named on standard input; the last line of standard output has the kernels of each."""
    from devices.agent.litert import LiteRtError
    from devices.agent.runtimes import find_runtime
    from devices.agent.tflite_runtime import load

    found = find_runtime("tflite-runtime", sys.path)
    if found is None:
        raise SystemExit("tflite-runtime is not installed")
    runtime, order = load(found, []), json.load(sys.stdin)
    answers: list[list[str] | str] = []
    for path in order["models"]:
        try:
            answers.append(kernels_of(runtime, path, order["backend"]))
        except LiteRtError as refusal:
            answers.append(str(refusal))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
