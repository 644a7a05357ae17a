"""Profiles of real runs kept as data: a model's graph, its events, and what each operator ran as outside it.

`python -m tests.support.recorded` records them anew, on the machine it runs on.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from devices.runtimes.events import ProfileEvent
from harness.core.model import Graph, OpNode
from tests.support.one_op import Observed, observe

FOLDER = Path(__file__).parents[1] / "data" / "events"
_INFERENCES = 5
_HOW = (
    "LiteRT {version} on {machine}, one thread, {backend}: {runs} inferences profiled after as many of warm-up, by the "
    "agent's own session. alone, together: kernels of operators cut out and run by themselves, and with the neighbours "
    "that they were merged with. python -m tests.support.recorded"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """observed: what the model's operators ran as outside it, on the same machine."""

    how: str
    graph: Graph
    events: tuple[ProfileEvent, ...]
    observed: Observed


def read(name: str) -> Recording:
    """A recording of tests/data/events by its name."""
    stored = json.loads((FOLDER / f"{name}.json").read_text())
    return Recording(
        how=stored["how"],
        graph=Graph(nodes=tuple(_node(node) for node in stored["nodes"]), inputs=tuple(stored["inputs"])),
        events=tuple(_event(event) for event in stored["events"]),
        observed=Observed(
            alone={index: _kernels(found) for index, found in stored["alone"]},
            together={tuple(group): _kernels(found) for group, found in stored["together"]},
        ),
    )


def _kernels(found: list[str] | str) -> tuple[str, ...] | str:
    return found if isinstance(found, str) else tuple(found)


def _event(stored: list[Any]) -> ProfileEvent:
    tag, kind, first, second, times = stored
    return ProfileEvent(tag=tag, type=kind, first=first, second=second, elapsed_us=tuple(times))


def _node(stored: dict[str, Any]) -> OpNode:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    return OpNode(**fields)


def record(content: bytes, backend: str | None, path: Path) -> None:
    """Run a model here and keep what its profiler says."""
    import platform

    from devices.runtimes.litert_ops import op_table
    from harness.sources.tflite import read_graph

    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model.tflite"
        model.write_bytes(content)
        graph = read_graph(model)
        version, events = _profile(model, backend)
        observed = observe(content, op_table(graph, [_event(event) for event in events]), Path(scratch), backend)
    machine = f"{platform.system()} {platform.machine()}"
    stored = {
        "how": _HOW.format(version=version, machine=machine, backend=backend or "XNNPACK", runs=_INFERENCES),
        "inputs": graph.inputs,
        "nodes": [asdict(node) for node in graph.nodes],
        "events": events,
        "alone": list(observed.alone.items()),
        "together": list(observed.together.items()),
    }
    path.write_text(_one_line_each(stored))


def _profile(model: Path, backend: str | None) -> tuple[str, list[list[Any]]]:
    from devices.agent.litert import Library
    from devices.agent.profile import Profile
    from devices.agent.runtimes import LITERT, find_runtime
    from devices.agent.session import Session

    runtime = find_runtime(LITERT, sys.path)
    if runtime is None:
        raise SystemExit("ai-edge-litert is not installed")
    library = Library(str(runtime["library"]), str(runtime["version"]))
    unit = {"kind": "cpu", "backend": backend, "threads": 1}
    session = Session(library, {"variant": str(model), "unit": unit, "signature": None}, profiling=True)
    session.feed([], 0)
    infer, profile = session.inference(), Profile()
    for _ in range(_INFERENCES):
        infer()
    for _ in range(_INFERENCES):
        session.start_profiler()
        infer()
        profile.add(session.stop_profiler())
    message: dict[str, Any] = profile.message()
    return str(runtime["version"]), [list(event.values()) for event in message["events"]]


def _one_line_each(stored: Mapping[str, Any]) -> str:
    """JSON with a line for each node and event, so that a new recording reads well as a difference."""
    parts = []
    for key, value in stored.items():
        lines = [json.dumps(item) for item in value] if isinstance(value, list) else [json.dumps(value)]
        text = "[\n" + ",\n".join(lines) + "\n]" if isinstance(value, list) else lines[0]
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _main() -> None:
    from tests.support import zoo, zoo_networks

    def of_the_zoo(network: str, recipe: str) -> bytes:
        with tempfile.TemporaryDirectory() as scratch:
            return zoo.write(zoo.Entry(network=network, recipe=recipe), Path(scratch)).read_bytes()

    wanted: dict[str, tuple[Callable[[], bytes], str | None]] = {
        "mobilenet_v2-float32": (partial(of_the_zoo, "mobilenet_v2", "float32"), None),
        "mobilenet_v2-float32-builtin": (partial(of_the_zoo, "mobilenet_v2", "float32"), "builtin"),
        "mobilenet_v2-float16": (partial(of_the_zoo, "mobilenet_v2", "float16"), None),
        "mobilenet_v2-dynamic-int8": (partial(of_the_zoo, "mobilenet_v2", "dynamic-int8"), None),
        "mobilenet_v2-int8": (partial(of_the_zoo, "mobilenet_v2", "int8"), None),
        "residual_cnn-float32": (partial(of_the_zoo, "residual_cnn", "float32"), None),
        "transformer-float32": (partial(of_the_zoo, "transformer", "float32"), None),
        "segmentation-int8": (partial(of_the_zoo, "segmentation", "int8"), None),
        "keyword_spotting-int8": (partial(of_the_zoo, "keyword_spotting", "int8"), None),
        "partitioned-float32": (partial(of_the_zoo, "partitioned", "float32"), None),
        "partitioned-float16": (partial(of_the_zoo, "partitioned", "float16"), None),
        "gated_cnn-int8": (partial(of_the_zoo, "gated_cnn", "int8"), None),
        "loop": (zoo_networks.loop, None),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (build, backend) in wanted.items():
        record(build(), backend, FOLDER / f"{name}.json")


if __name__ == "__main__":
    _main()
