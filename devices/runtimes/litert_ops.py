"""Profiler events of LiteRT turned into a table of the model's own operators.

The runtime's own operators name their node. Kernels inside a delegate do not: the partitions are replayed
(litert_partitions) and the kernels of each aligned with its operators (litert_alignment). docs/per-op.md tells how
this was checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean, median

from devices.runtimes.events import DEFAULT, DELEGATE_OPERATOR, DELEGATED, OPERATOR, ProfileEvent
from devices.runtimes.litert_alignment import align
from devices.runtimes.litert_kernels import kind_of
from devices.runtimes.litert_partitions import Partition, pair, replay, runs_of_kernels
from harness.core.launch import OpRecord, OpTable
from harness.core.model import Graph, OpNode
from harness.core.units import Nanoseconds

_WHOLE = "Invoke"  # the first DEFAULT event of this name is around the whole inference, later ones around its calls
_UNMAPPED = -1
_TENTHS = 10
# The profiler counts whole microseconds (docs/per-op.md).
_RESOLUTION_NS = 1000.0
_NS_PER_US = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    """nodes[k] is the node index of event k, absent where none is known."""

    nodes: Mapping[int, int]
    cost: int
    approximate: bool
    partitions: int


def op_table(graph: Graph, events: Sequence[ProfileEvent]) -> OpTable:
    """Key the events of an ops pass to the operators of the graph that ran.

    events are in the order of one inference, each with its time in every inference. Rows are all operators of the
    graph in file order, then a row with index -1 for each event that belongs to none. An operator that was folded away
    has no kernels and no latency. Raises ValueError where events differ in the number of inferences.
    """
    runs = {len(event.elapsed_us) for event in events}
    if len(runs) > 1:
        raise ValueError(
            f"events with {sorted(runs)} inferences in one profile: each needs a time from every inference"
        )
    whole = next((event for event in events if event.type == DEFAULT and event.tag == _WHOLE), None)
    kernels = _operators_of(whole, events)
    mapping = _map(graph, kernels)
    rows = tuple(_rows(graph, kernels, mapping))
    return OpTable(
        ops=rows,
        coverage=None if whole is None else _coverage(kernels, whole),
        mapping_cost=mapping.cost / _TENTHS,
        approximate=mapping.approximate,
        partitions=mapping.partitions,
        runs=runs.pop() if runs else 0,
        resolution_ns=_RESOLUTION_NS,
    )


def _operators_of(whole: ProfileEvent | None, events: Sequence[ProfileEvent]) -> list[ProfileEvent]:
    """The events of the graph that was called. An event's second number is its subgraph.

    Those of other subgraphs ran inside the control flow operator that called them, and are in its time.
    """
    kinds = (OPERATOR, DELEGATED, DELEGATE_OPERATOR)
    return [event for event in events if event.type in kinds and (whole is None or event.second == whole.second)]


def _map(graph: Graph, kernels: Sequence[ProfileEvent]) -> _Mapping:
    own = {k: event.first for k, event in enumerate(kernels) if event.type == OPERATOR}
    known = {node.index for node in graph.nodes}
    strange = not known.issuperset(own.values())
    delegated = known - set(own.values())
    if len(own) == len(kernels):
        return _Mapping(nodes=own, cost=0, approximate=strange, partitions=0)
    subsets = replay(graph, delegated)
    partitions = None if subsets is None else pair(subsets, kernels)
    if partitions is None:
        partitions = (_one_for_all(graph, delegated, kernels),)
        shown = sum(1 for _ in runs_of_kernels(kernels))
        return _align_all(partitions, kernels, own, approximate=True, count=shown)
    count = sum(1 for partition in partitions if partition.events)
    return _align_all(partitions, kernels, own, approximate=False, count=count)


def _one_for_all(graph: Graph, delegated: set[int], kernels: Sequence[ProfileEvent]) -> Partition:
    """All delegated operators against all delegated kernels, for where the partitions are not known."""
    return Partition(
        nodes=tuple(node for node in graph.nodes if node.index in delegated),
        events=tuple(k for k, event in enumerate(kernels) if event.type != OPERATOR),
    )


def _align_all(
    partitions: Sequence[Partition],
    kernels: Sequence[ProfileEvent],
    own: Mapping[int, int],
    *,
    approximate: bool,
    count: int,
) -> _Mapping:
    nodes, cost = dict(own), 0
    for partition in partitions:
        candidates = [node for node in partition.nodes if not _is_folded_constant(node)]
        if not candidates:
            approximate |= bool(partition.events)
            continue
        tags = [kernels[k].tag for k in partition.events]
        aligned = align([kind_of(node, tags) for node in candidates], tags)
        nodes.update((k, candidates[o].index) for k, o in zip(partition.events, aligned.owners, strict=True))
        cost += aligned.cost
        approximate |= aligned.unexplained > 0
    return _Mapping(nodes=nodes, cost=cost, approximate=approximate, partitions=count)


def _is_folded_constant(node: OpNode) -> bool:
    """XNNPACK unpacks constant weights once, when the model is loaded: float16 weights, sparse weights."""
    return node.type in ("DEQUANTIZE", "DENSIFY") and not node.inputs


def _rows(graph: Graph, kernels: Sequence[ProfileEvent], mapping: _Mapping) -> Iterator[OpRecord]:
    times = [_faster_half(event) for event in kernels]
    total = fsum(times)
    owned: dict[int, list[int]] = {}
    for k in range(len(kernels)):
        owned.setdefault(mapping.nodes.get(k, _UNMAPPED), []).append(k)
    for node in graph.nodes:
        mine = owned.pop(node.index, [])
        yield _row(node, [kernels[k] for k in mine], fsum(times[k] for k in mine), total)
    for k in sorted(k for left in owned.values() for k in left):
        yield _unmapped_row(kernels[k], times[k], total)


def _row(node: OpNode, kernels: Sequence[ProfileEvent], latency: Nanoseconds, total: Nanoseconds) -> OpRecord:
    return OpRecord(
        index=node.index,
        name=node.name,
        type=node.type,
        shape=node.shape,
        kernels=tuple(event.tag for event in kernels),
        placed_on=_placed_on(kernels[0]) if kernels else None,
        latency_ns=latency if kernels else None,
        label="measured",
        share=_share(latency, total) if kernels else None,
        macs=node.macs,
        bytes=node.weight_bytes + node.activation_bytes,
    )


def _unmapped_row(event: ProfileEvent, latency: Nanoseconds, total: Nanoseconds) -> OpRecord:
    return OpRecord(
        index=_UNMAPPED,
        name=event.tag,
        type="",
        shape=(),
        kernels=(event.tag,),
        placed_on=_placed_on(event),
        latency_ns=latency,
        label="measured",
        share=_share(latency, total),
        macs=None,
        bytes=None,
    )


def _placed_on(event: ProfileEvent) -> str:
    return "cpu/builtin" if event.type == OPERATOR else "cpu/xnnpack"


def _share(latency: Nanoseconds, total: Nanoseconds) -> float | None:
    return latency / total if total else None


def _faster_half(event: ProfileEvent) -> Nanoseconds:
    """Mean of the faster half of an event's times: a mean, because the profiler counts whole microseconds."""
    ordered = sorted(event.elapsed_us)
    return fmean(ordered[: (len(ordered) + 1) // 2]) * _NS_PER_US if ordered else 0.0


def _coverage(kernels: Sequence[ProfileEvent], whole: ProfileEvent) -> float | None:
    """Median over inferences of the operators' time over the whole; None where the whole took no time."""
    sums = (sum(event.elapsed_us[run] for event in kernels) for run in range(len(whole.elapsed_us)))
    ratios = [parts / span for parts, span in zip(sums, whole.elapsed_us, strict=True) if span]
    return median(ratios) if ratios else None
