"""Which operators a delegate took, in the order it runs them.

Replays TFLite's PartitionGraphIntoIndependentNodeSubsets (tflite/graph_info.cc, greedy, as the interpreter calls it):
the graph is cut into epochs of ready nodes that are all delegated or all not.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from devices.runtimes.events import OPERATOR, ProfileEvent
from harness.core.model import Graph, OpNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Nodes that run together, in their order: one partition of the delegate, or operators of the runtime itself."""

    delegated: bool
    nodes: tuple[OpNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition with its kernels: positions, in the list of events, of the events it ran as."""

    nodes: tuple[OpNode, ...]
    events: tuple[int, ...]


def replay(graph: Graph, delegated: AbstractSet[int]) -> tuple[Subset, ...] | None:
    """Cut a graph into subsets in the order they run. delegated holds node indexes.

    None where nodes wait for each other, which no file has that the runtime loads.
    """
    produced = {tensor for node in graph.nodes for tensor in node.outputs}
    waiting = list(graph.nodes)
    subsets = []
    while waiting:
        subset, waiting = _epoch(waiting, delegated, produced)
        if not subset.nodes:
            return None
        subsets.append(subset)
    return tuple(subsets)


def _epoch(waiting: list[OpNode], delegated: AbstractSet[int], unready: set[int]) -> tuple[Subset, list[OpNode]]:
    """The next subset and the nodes left over; the subset's outputs are taken out of unready.

    The first ready node decides the kind. Passes over the nodes repeat until one adds nothing, as in the original.
    """
    kind: bool | None = None
    taken: list[OpNode] = []
    while True:
        left = []
        for node in waiting:
            mine = node.index in delegated
            if (kind is None or mine == kind) and unready.isdisjoint(node.inputs):
                kind = mine
                taken.append(node)
                unready.difference_update(node.outputs)
            else:
                left.append(node)
        if len(left) == len(waiting):
            return Subset(delegated=bool(kind), nodes=tuple(taken)), left
        waiting = left


def pair(subsets: Sequence[Subset], events: Sequence[ProfileEvent]) -> tuple[Partition, ...] | None:
    """Give each delegated subset the events between the runtime's own operators around it.

    A subset whose operators were all folded away has no events. events are operator events in order.
    None where the events do not follow the subsets: the runtime cut the graph differently.
    """
    at = 0
    partitions = []
    for subset in subsets:
        if subset.delegated:
            end = _end_of_run(events, at)
            partitions.append(Partition(nodes=subset.nodes, events=tuple(range(at, end))))
        else:
            end = at + len(subset.nodes)
            ran = [event.first for event in events[at:end] if event.type == OPERATOR]
            if ran != [node.index for node in subset.nodes]:
                return None
        at = end
    return tuple(partitions) if at == len(events) else None


def _end_of_run(events: Sequence[ProfileEvent], start: int) -> int:
    """Where the kernels of a partition end: at an operator of the runtime, or where their numbering restarts."""
    end = start
    while end < len(events) and events[end].type != OPERATOR and (end == start or events[end].first != 0):
        end += 1
    return end


def runs_of_kernels(events: Sequence[ProfileEvent]) -> Iterator[tuple[int, ...]]:
    """The partitions that the events alone show, as positions in the list of events."""
    at = 0
    while at < len(events):
        end = _end_of_run(events, at)
        if end > at:
            yield tuple(range(at, end))
        at = max(end, at + 1)
