"""A stand-in for benchmark_model that really runs LiteRT on this machine, prints the real tool's lines, and writes the
real protobufs: entries of one name fall together, and a delegate's kernels come first, as in profile_summarizer.cc.

A double: what it cannot do it says in the tool's own words (no GPU, no NNAPI: "will not be executed by the delegate").
A file `benchmark` in the phone's `state` folder makes it misbehave: hang, segfault, killed, garbage, endless, old,
error, or take a GPU (`gpu`: the whole graph, timed as one node).
"""

import argparse
import contextlib
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ai_edge_litert import model_runtime_info_pb2, profiling_info_pb2

from devices.agent import runtimes
from devices.agent.session import NativeRuntime, Session
from devices.runtimes.events import OPERATOR
from devices.runtimes.litert_partitions import replay
from harness.core.model import Graph
from harness.sources.tflite import read_graph

Event = tuple[str, int, int, int, int]
_MB = 1024 * 1024
_COMPLETELY = "the model graph will be completely executed by the delegate."
_NOT = "the model graph will not be executed by the delegate."


def main() -> int:
    given = _parse(sys.argv[1:])
    mood = _mood()
    print("INFO: STARTING!", flush=True)
    print(f"INFO: Graph: [{given.graph}]", flush=True)
    if mood in _MOODS:
        return _MOODS[mood]()
    if not Path(given.graph).is_file():
        print(f"ERROR: Could not open '{given.graph}'.", file=sys.stderr)
        print("ERROR: Failed to load model", file=sys.stderr)
        return 1
    return _Run(given, mood).run()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Flags as the tool takes them: --key=value. One that it does not know ends it, as the tool does."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--graph", required=True)
    for name, default in (
        ("num_runs", 50),
        ("num_threads", 1),
        ("warmup_runs", 1),
        ("max_profiling_buffer_entries", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, number in (("min_secs", 1.0), ("max_secs", 150.0), ("warmup_min_secs", 0.5)):
        parser.add_argument(f"--{name}", type=float, default=number)
    for name in (
        "use_xnnpack",
        "use_gpu",
        "use_nnapi",
        "disable_nnapi_cpu",
        "enable_op_profiling",
        "export_model_runtime_info",
        "report_peak_memory_footprint",
    ):
        parser.add_argument(f"--{name}", choices=("true", "false"), default="false")
    for name in (
        "op_profiling_output_mode",
        "op_profiling_output_file",
        "model_runtime_info_output_file",
        "xnnpack_weight_cache_file_path",
        "external_delegate_path",
        "external_delegate_options",
        "signature_to_run_for",
    ):
        parser.add_argument(f"--{name}", default="")
    return parser.parse_args(argv)


def _mood() -> str:
    place = Path(os.environ.get("ANDROID_ROOT", "/nowhere")) / "state/benchmark"
    return place.read_text().strip() if place.is_file() else ""


def _hang() -> int:
    while True:
        time.sleep(1)


def _die(number: signal.Signals) -> int:
    os.kill(os.getpid(), number)
    return 1


def _rave(forever: bool) -> int:
    print("INFO: count=many first=what", flush=True)
    while forever:
        print("VERBOSE: " + "x" * 4000, flush=True)
    return 0


def _err() -> int:
    print("ERROR: Didn't find op for builtin opcode 'CONV_2D' version '9'", file=sys.stderr)
    return 1


_MOODS: dict[str, Callable[[], int]] = {
    "hang": _hang,
    "segfault": lambda: _die(signal.SIGSEGV),
    "killed": lambda: _die(signal.SIGKILL),
    "garbage": lambda: _rave(False),
    "endless": lambda: _rave(True),
    "error": _err,
}


class _Run:
    def __init__(self, given: argparse.Namespace, mood: str) -> None:
        self._given = given
        self._mood = mood
        self._is_profiling = given.enable_op_profiling == "true"
        self._graph = read_graph(Path(given.graph))
        self._events: list[list[Event]] = []
        self._asked = [
            name for name, flag in (("GPU", "use_gpu"), ("NNAPI", "use_nnapi")) if getattr(given, flag) == "true"
        ]
        if given.external_delegate_path:
            self._asked.append("EXTERNAL")
        self._is_boxed = mood == "gpu" and bool(self._asked)

    def run(self) -> int:
        resident = _resident()
        begun = time.perf_counter_ns()
        session = self._open()
        init_us = (time.perf_counter_ns() - begun) // 1000
        loaded = _resident()
        self._say_delegates()
        print(f"INFO: The input model file size (MB): {Path(self._given.graph).stat().st_size / 1e6:g}")
        print(f"INFO: Initialized session in {init_us / 1000:g}ms.")
        session.feed([], 0)
        infer = session.inference()
        given = self._given
        warm = self._time(session, infer, given.warmup_runs, given.warmup_min_secs, 150.0, keep=False)
        timed = self._time(session, infer, given.num_runs, given.min_secs, given.max_secs, keep=True)
        print(
            f"INFO: Inference timings in us: Init: {init_us}, First inference: {warm[0]}, "
            f"Warmup (avg): {statistics.fmean(warm):g}, Inference (avg): {statistics.fmean(timed):g}"
        )
        print("INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE")
        deltas = (loaded - resident) / _MB, (_resident() - resident) / _MB
        print(f"INFO: Memory footprint delta from the start of the tool (MB): init={deltas[0]:g} overall={deltas[1]:g}")
        if given.report_peak_memory_footprint == "true":
            print(f"INFO: Overall peak memory footprint (MB) via periodic monitoring: {_resident() / _MB:g}")
            print("INFO: Memory status at the end of exeution: ")
            print(f"INFO: - VmRSS              : {_resident() // _MB} MB")
        if self._is_profiling:
            self._write()
        if given.xnnpack_weight_cache_file_path:
            Path(given.xnnpack_weight_cache_file_path).write_bytes(b"packed")
        sys.stdout.flush()
        os._exit(0)

    def _open(self) -> Session:
        found = runtimes.find_runtime("LiteRT", [path for path in sys.path if path])
        assert found is not None, "the double needs ai-edge-litert"
        backend = None if self._given.use_xnnpack == "true" or self._asked else "builtin"
        order: dict[str, object] = {
            "variant": self._given.graph,
            "unit": {"kind": "cpu", "backend": backend, "threads": self._given.num_threads, "cluster": None},
            "signature": self._given.signature_to_run_for or None,
            "dispatch": None,
            "delegate": None,
        }
        runtime = NativeRuntime(str(found["library"]), str(found["version"]))
        return runtime.open(order, profiling=self._is_profiling)

    def _say_delegates(self) -> None:
        total = len(self._graph.nodes)
        if self._is_boxed:
            print(
                f"VERBOSE: Replacing {total} out of {total} node(s) with delegate (TfLiteGpuDelegateV2) node, "
                "yielding 1 partitions for subgraph 0."
            )
            print(f"INFO: Explicitly applied GPU delegate, and {_COMPLETELY}")
            return
        for name in self._asked:
            print(f"INFO: Though {name} delegate is explicitly applied, {_NOT}")
        if self._given.use_xnnpack == "true":
            print(
                f"VERBOSE: Replacing {total} out of {total} node(s) with delegate (TfLiteXNNPackDelegate) node, "
                "yielding 1 partitions for subgraph 0."
            )
            print(f"INFO: Explicitly applied XNNPACK delegate, and {_COMPLETELY}")

    def _time(
        self, session: Session, infer: Callable[[], None], least: int, least_s: float, most_s: float, *, keep: bool
    ) -> list[int]:
        print(
            f"INFO: Running benchmark for at least {least} iterations and at least {least_s:g} seconds "
            f"but terminate if exceeding {most_s:g} seconds."
        )
        times: list[int] = []
        begun = time.perf_counter()
        while len(times) < least or time.perf_counter() - begun < least_s:
            if time.perf_counter() - begun > most_s:
                break
            if self._is_profiling:
                session.start_profiler()
            start = time.perf_counter_ns()
            infer()
            times.append((time.perf_counter_ns() - start) // 1000)
            if self._is_profiling:
                events = session.stop_profiler()
                if keep:
                    self._events.append(events)
        print(f"INFO: {self._count_line(times)}\n")
        return times

    def _count_line(self, times: list[int]) -> str:
        ordered = sorted(times)
        tail = "" if self._mood == "old" else f" p5={_at(ordered, 5)} median={_at(ordered, 50)} p95={_at(ordered, 95)}"
        if len(times) == 1:
            return f"count=1 curr={times[0]}{tail}"
        if ordered[0] == ordered[-1]:
            return f"count={len(times)} curr={times[-1]}(all same){tail}"
        spread = int(statistics.pstdev(times))
        return (
            f"count={len(times)} first={times[0]} curr={times[-1]} min={ordered[0]} max={ordered[-1]} "
            f"avg={statistics.fmean(times):g} std={spread}{tail}"
        )

    def _write(self) -> None:
        delegated = self._delegated()
        profile = profiling_info_pb2.BenchmarkProfilingData(model_name=self._given.graph)
        graph = profile.runtime_profile.subgraph_profiles.add(subgraph_name="Primary graph", subgraph_index=0)
        for order, (name, (kind, times, calls)) in enumerate(self._entries().items()):
            told = graph.per_op_profiles.add(node_type=kind, name=name, times_called=calls, run_order=order)
            stat = told.inference_microseconds
            stat.first, stat.last, stat.sum, stat.count = times[0], times[-1], sum(times), len(times)
            stat.avg, stat.min, stat.max = sum(times) // len(times), min(times), max(times)
        _stream(self._given.op_profiling_output_file, profile.SerializeToString())
        if self._given.export_model_runtime_info == "true":
            content = runtime_info(
                self._graph, delegated, "TfLiteGpuDelegateV2" if self._is_boxed else "TfLiteXNNPackDelegate"
            )
            _stream(self._given.model_runtime_info_output_file, content)

    def _delegated(self) -> set[int]:
        if self._is_boxed:
            return {node.index for node in self._graph.nodes}
        own = {
            first for events in self._events for _, kind, first, second, _ in events if kind == OPERATOR and not second
        }
        return {node.index for node in self._graph.nodes} - own

    def _entries(self) -> dict[str, tuple[str, list[int], int]]:
        """By name, as StatsCalculator keeps them: the kernels of a delegate first, for their start is 0."""
        if self._is_boxed:
            whole = [
                next(took for tag, kind, _, _, took in run if tag == "Invoke" and kind == 1) for run in self._events
            ]
            return {f"[output]:{len(self._graph.nodes)}": ("TfLiteGpuDelegateV2", whole, 1)}
        return collapse(self._events, {node.index: node.name for node in self._graph.nodes})


def collapse(runs: Sequence[Sequence[Event]], names: dict[int, str]) -> dict[str, tuple[str, list[int], int]]:
    """Entries by name: (type, the time of each call in each run, calls in a run)."""
    entries: dict[str, tuple[str, list[int]]] = {}
    for run in runs:
        events = sorted(
            (event for event in run if event[1] in (2, 8) and event[3] == 0), key=lambda event: event[1] != 8
        )
        for tag, kind, first, _, took in events:
            name = f"[{names.get(first, 'Unknown')}]:{first}" if kind == OPERATOR else f"Delegate/{tag}:{first}"
            entries.setdefault(name, (tag, []))[1].append(took)
    return {name: (tag, times, max(1, len(times) // len(runs))) for name, (tag, times) in entries.items()}


def runtime_info(graph: Graph, delegated: set[int], delegate: str) -> bytes:
    """ModelRuntimeDetails as GenerateModelRuntimeInfo writes it, for a delegate that took these nodes."""
    info = model_runtime_info_pb2.ModelRuntimeDetails()
    main_graph = info.subgraphs.add(subgraph_id=0, subgraph_type=1, name="main")
    for node in graph.nodes:
        main_graph.nodes.add(id=node.index, name=node.type, type=node.type)
    for subset in replay(graph, delegated) or ():
        if not subset.delegated:
            main_graph.execution_plan.extend(node.index for node in subset.nodes)
            continue
        node = main_graph.nodes.add(id=len(main_graph.nodes), name=delegate, type=delegate)
        node.delegate_node_details.delegate_name = delegate
        node.delegate_node_details.tflite_node_ids_replaced.extend(each.index for each in subset.nodes)
        main_graph.execution_plan.append(node.id)
        for each in subset.nodes:
            main_graph.nodes[each.index].delegated_to_node_id = node.id
    return bytes(info.SerializeToString())


def _stream(place: str, content: bytes) -> None:
    """As the tool writes it, by a std::ofstream that nobody asks how it went."""
    with contextlib.suppress(OSError):
        Path(place).write_bytes(content)


def _at(ordered: list[int], percent: int) -> int:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _resident() -> int:
    words = Path("/proc/self/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
