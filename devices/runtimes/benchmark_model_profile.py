"""benchmark_model's operator profile (a protobuf) keyed to the model's own operators.

The profile has one entry a name, not one an event: kernels of a delegate are called `Delegate/<kernel>:<index>`, where
the index restarts in every partition, so that kernels of two partitions can fall into one entry; its times_called says
so. Their order among themselves is lost too: XNNPACK gives no start times. What puts them in order again: the index in
the name, and the partitions that the model's runtime info tells. Where entries fell together, the table is marked as
approximate. Source: tflite/profiling/profile_summarizer.cc, profile_summary_formatter.cc, model_runtime_info.cc.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from devices.runtimes.events import DEFAULT, DELEGATED, OPERATOR, ProfileEvent
from devices.runtimes.litert_alignment import align
from devices.runtimes.litert_kernels import kind_of
from devices.runtimes.litert_ops import op_table
from harness.core.launch import OpRecord, OpTable
from harness.core.model import Graph, OpNode

_DELEGATED = re.compile(r"^Delegate/(?P<tag>.*):(?P<index>\d+)$", re.DOTALL)
_OWN = re.compile(r"^\[.*\]:(?P<node>\d+)$", re.DOTALL)
_SPAN = re.compile(r"^(?P<tag>.*)/(?P<subgraph>\d+)$", re.DOTALL)
_XNNPACK = "TfLiteXNNPackDelegate"
# What libedgetpu calls its operators: numbered like any delegate's, and mapped by whoever knows of programs.
_EDGETPU = "EdgeTpuDelegateForCustomOp"
_UNMAPPED = -1
_PLACES = {"TfLiteGpuDelegateV2": "gpu", "TfLiteNnapiDelegate": "npu/nnapi"}


class ProfileUnknown(Exception):
    """The profile is not as the sources above write it. Says what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the profile. mean_us is of one call, calls how many there are in an inference."""

    name: str
    type: str
    mean_us: float
    calls: int
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegateNode:
    """A node that a delegate put in place of others, by the runtime info."""

    index: int
    delegate: str
    replaced: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeInfo:
    """plan is the order in which nodes of the main graph run."""

    plan: tuple[int, ...]
    delegates: Mapping[int, DelegateNode]


def table_from(
    graph: Graph,
    profile: bytes,
    runtime_info: bytes,
    *,
    map_ops: Callable[[Graph, Sequence[ProfileEvent]], OpTable] = op_table,
) -> OpTable:
    """The operators of the graph with their mean times. Raises ProfileUnknown."""
    entries, runs = entries_from(profile)
    info = runtime_info_from(runtime_info)
    kernels = {index: node for index, node in info.delegates.items() if node.delegate == _XNNPACK}
    boxes = {index: node for index, node in info.delegates.items() if node.delegate not in (_XNNPACK, _EDGETPU)}
    events, is_mixed = _Ordering(graph, entries, info, kernels).events()
    boxed = [_Box(node=boxes[event.first], event=event) for event in events if event.first in boxes and _is_own(event)]
    inside = {index for node in boxes.values() for index in node.replaced}
    rest = Graph(nodes=tuple(node for node in graph.nodes if node.index not in inside), inputs=graph.inputs)
    hidden = {id(box.event) for box in boxed}
    table = map_ops(rest, [event for event in events if id(event) not in hidden])
    table = replace(table, runs=runs, approximate=table.approximate or is_mixed)
    return _with_boxes(graph, table, boxed, inside) if boxes else table


def entries_from(content: bytes) -> tuple[list[Entry], int]:
    """The main graph's entries in the order of the profile, and how many inferences it has. Raises ProfileUnknown."""
    message = _parse("profiling_info_pb2", "BenchmarkProfilingData", content)
    mains = [graph for graph in message.runtime_profile.subgraph_profiles if graph.subgraph_index == 0]
    if len(mains) != 1:
        raise ProfileUnknown(f"the profile has {len(mains)} main graphs")
    entries = [_entry(told) for told in mains[0].per_op_profiles]
    if not entries:
        raise ProfileUnknown("the profile has no operator")
    counts = [told.inference_microseconds.count // max(1, told.times_called) for told in mains[0].per_op_profiles]
    return entries, max(counts)


def _entry(told: Any) -> Entry:  # noqa: ANN401 (a generated class)
    times = told.inference_microseconds
    if times.count < 1 or told.times_called < 1:
        raise ProfileUnknown(f"{told.name!r} has a count of {times.count} and {told.times_called} calls")
    if not any(shape.match(told.name) for shape in (_DELEGATED, _OWN, _SPAN)):
        raise ProfileUnknown(f"{told.name!r} of type {told.node_type!r} is neither operator, kernel nor span")
    return Entry(
        name=told.name,
        type=told.node_type,
        mean_us=times.sum / times.count,  # its own avg is a whole number
        calls=told.times_called,
        order=told.run_order,
    )


def runtime_info_from(content: bytes) -> RuntimeInfo:
    """The main graph's plan and its delegates' nodes. Raises ProfileUnknown."""
    message = _parse("model_runtime_info_pb2", "ModelRuntimeDetails", content)
    mains = [graph for graph in message.subgraphs if graph.subgraph_id == 0]
    if len(mains) != 1:
        raise ProfileUnknown(f"the runtime info has {len(mains)} main graphs")
    found = {
        node.id: DelegateNode(
            index=node.id,
            delegate=node.delegate_node_details.delegate_name,
            replaced=tuple(node.delegate_node_details.tflite_node_ids_replaced),
        )
        for node in mains[0].nodes
        if node.HasField("delegate_node_details")
    }
    return RuntimeInfo(plan=tuple(mains[0].execution_plan), delegates=found)


def _parse(module: str, name: str, content: bytes) -> Any:  # noqa: ANN401 (a generated class)
    import importlib

    from google.protobuf.message import DecodeError

    message = getattr(importlib.import_module(f"ai_edge_litert.{module}"), name)()
    try:
        message.ParseFromString(content)
    except DecodeError as exc:
        raise ProfileUnknown(f"it is no {name}: {exc}") from exc
    return message


def _is_own(event: ProfileEvent) -> bool:
    return event.type == OPERATOR


@dataclass(slots=True)
class _Ordering:
    """Brings entries into the order in which the plan runs them."""

    graph: Graph
    entries: Sequence[Entry]
    info: RuntimeInfo
    kernels: Mapping[int, DelegateNode]

    def events(self) -> tuple[list[ProfileEvent], bool]:
        """The events of one inference, and whether entries of several partitions could not be told apart."""
        own = {int(found["node"]): entry for entry in self.entries if (found := _OWN.match(entry.name))}
        pool = _Pool(self.entries)
        runs = self._runs(pool)
        events: list[ProfileEvent] = [_span(entry) for entry in self.entries if _is_invoke(entry)]
        for node in self.info.plan:
            if node in runs:
                events.extend(_kernel(place, entry) for place, entry in enumerate(runs[node]))
            elif node in own:
                events.append(_operator(node, own.pop(node)))
        events.extend(_operator(node, entry) for node, entry in own.items())  # not in the plan: shown as unmapped
        left = pool.left()
        events.extend(_kernel(place + 1, entry) for place, entry in enumerate(left))
        return events, pool.is_mixed or bool(left)

    def _runs(self, pool: "_Pool") -> dict[int, list[Entry]]:
        """The kernels of each XNNPACK node. Partitions with more operators are given more kernels."""
        nodes = {node.index: node for node in self.graph.nodes}
        planned = [self.kernels[index] for index in self.info.plan if index in self.kernels]
        by_size = sorted(planned, key=lambda node: -len(node.replaced))
        lengths = dict(zip((node.index for node in by_size), pool.lengths(len(planned)), strict=True))
        return {
            node.index: pool.take([nodes[each] for each in node.replaced if each in nodes], lengths[node.index])
            for node in planned
        }


class _Pool:
    """The delegate's kernels by their index in a partition, to be given out to partitions."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._at: dict[int, list[Entry]] = {}
        for entry in entries:
            if found := _DELEGATED.match(entry.name):
                self._at.setdefault(int(found["index"]), []).extend([entry] * entry.calls)
        self.is_mixed = any(entry.calls > 1 for entries in self._at.values() for entry in entries)

    def lengths(self, count: int) -> list[int]:
        """How many kernels each of so many partitions has, longest first: an index is in all that reach it."""
        reached = [len(self._at.get(index, ())) for index in range(max(self._at, default=-1) + 1)]
        return [sum(1 for there in reached if there > rank) for rank in range(count)]

    def take(self, nodes: Sequence[OpNode], length: int) -> list[Entry]:
        """The next partition's kernels: at each index the one that fits its operators best in order."""
        taken: list[Entry] = []
        for index in range(length):
            choice = self._at.get(index, [])
            if not choice:
                break
            kinds = {entry.name for entry in choice}
            if len(kinds) > 1:
                self.is_mixed = True
            best = choice[0] if len(kinds) == 1 else min(choice, key=lambda entry: _misfit(nodes, [*taken, entry]))
            choice.remove(best)
            taken.append(best)
        return taken

    def left(self) -> list[Entry]:
        return [entry for index in sorted(self._at) for entry in self._at[index]]


def _misfit(nodes: Sequence[OpNode], entries: Sequence[Entry]) -> int:
    """What the alignment of the first kernels with as many operators costs."""
    if not nodes:
        return 0
    tags = [_tag(entry) for entry in entries]
    return align([kind_of(node, tags) for node in nodes[: len(tags)]], tags).cost


def _tag(entry: Entry) -> str:
    found = _DELEGATED.match(entry.name)
    return found["tag"] if found else entry.name


def _is_invoke(entry: Entry) -> bool:
    found = _SPAN.match(entry.name)
    return found is not None and not _DELEGATED.match(entry.name) and found["tag"] == "Invoke" == entry.type


def _span(entry: Entry) -> ProfileEvent:
    return ProfileEvent(tag=entry.type, type=DEFAULT, first=0, second=0, elapsed_us=(entry.mean_us,))


def _kernel(place: int, entry: Entry) -> ProfileEvent:
    return ProfileEvent(tag=_tag(entry), type=DELEGATED, first=place, second=0, elapsed_us=(entry.mean_us,))


def _operator(node: int, entry: Entry) -> ProfileEvent:
    total = entry.mean_us * entry.calls
    return ProfileEvent(tag=entry.type, type=OPERATOR, first=node, second=0, elapsed_us=(total,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """A delegate that tells nothing of its inside."""

    node: DelegateNode
    event: ProfileEvent

    @property
    def place(self) -> str:
        return _PLACES.get(self.node.delegate, "npu")


def _with_boxes(graph: Graph, table: OpTable, boxes: Sequence[_Box], inside: set[int]) -> OpTable:
    """One row for each black box, without a number, beside the operators in it, which have no time of their own."""
    nodes = {node.index: node for node in graph.nodes}
    places = {index: box.place for box in boxes for index in box.node.replaced}
    hidden = [_hidden(nodes[index], places.get(index)) for index in sorted(inside) if index in nodes]
    rows = [_box_row(box) for box in boxes]
    own = [op for op in table.ops if op.index >= 0]
    loose = [op for op in table.ops if op.index < 0]
    ops = [*sorted([*own, *hidden], key=lambda op: op.index), *rows, *loose]
    total = sum(op.latency_ns or 0.0 for op in ops)
    shared = [replace(op, share=None if op.latency_ns is None or not total else op.latency_ns / total) for op in ops]
    return replace(table, ops=tuple(shared), partitions=table.partitions + len(boxes))


def _hidden(node: OpNode, place: str | None) -> OpRecord:
    return OpRecord(
        index=node.index,
        name=node.name,
        type=node.type,
        shape=node.shape,
        kernels=(),
        placed_on=place,
        latency_ns=None,
        label="measured",
        share=None,
        macs=node.macs,
        bytes=node.weight_bytes + node.activation_bytes,
    )


def _box_row(box: _Box) -> OpRecord:
    return OpRecord(
        index=_UNMAPPED,
        name=f"{box.node.delegate} ({len(box.node.replaced)} operators)",
        type="",
        shape=(),
        kernels=(box.event.tag,),
        placed_on=box.place,
        latency_ns=box.event.elapsed_us[0] * 1000.0,
        label="measured",
        share=None,
        macs=None,
        bytes=None,
    )
