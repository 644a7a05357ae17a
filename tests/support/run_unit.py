"""A model run once on a unit by the agent's own session, in a process of its own: `python -m tests.support.run_unit`.

Takes an order as JSON; says how many threads the process has afterwards and, of the compiled model, what its first
input and output hold, as float32.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devices.agent import runtimes
from devices.agent.interpreter import InterpreterRuntime
from devices.agent.litert import Library
from devices.agent.session import NativeRuntime

_READ = 0


def run_unit(model: Path, unit: Mapping[str, object], *, api: str = "compiled-model", **how: Any) -> dict[str, Any]:  # noqa: ANN401
    """What the process said. how: dispatch, and environment, its own where it is not this one's."""
    whole = {"kind": "cpu", "backend": None, "threads": None, **unit}
    order = {"variant": str(model), "signature": None, "dispatch": how.get("dispatch"), "unit": whole, "api": api}
    done = subprocess.run(
        (sys.executable, "-m", __name__, json.dumps(order)),
        env=how.get("environment"),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # LiteRT prints there too
    return said


def main() -> None:
    order = json.loads(sys.argv[1])
    litert = runtimes.find_runtime(runtimes.LITERT, sys.path)
    assert litert is not None
    if order["api"] == "interpreter":
        runtime: Any = InterpreterRuntime(str(litert["package"]), sys.path, None)
    else:
        runtime = NativeRuntime(str(litert["library"]), str(litert["version"]))
    session = runtime.open(order)
    session.feed([], 0)
    session.inference()()
    held = {} if order["api"] == "interpreter" else _held(session)
    print(json.dumps({"threads": len(os.listdir("/proc/self/task")), **held}), flush=True)
    os._exit(0)


def _held(session: Any) -> dict[str, list[float]]:  # noqa: ANN401 (the agent never reads buffers, so it has no way to)
    return {
        "inputs": _floats(session._library, session._inputs[0][0]),
        "outputs": _floats(session._library, session._outputs[0][0]),
    }


def _floats(library: Library, buffer: ctypes.c_void_p) -> list[float]:
    address, size = ctypes.c_void_p(), library.count("LiteRtGetTensorBufferPackedSize", buffer)
    library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _READ)
    return list((ctypes.c_float * (size // 4)).from_address(address.value or 0))


if __name__ == "__main__":
    main()
