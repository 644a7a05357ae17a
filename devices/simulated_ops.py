"""Per-op times of a simulated device: a share of the inference by static work, labelled as the estimate that it is."""

from harness.core.launch import OpRecord, OpTable
from harness.core.model import Graph, OpNode
from harness.core.units import Nanoseconds


def split_by_work(graph: Graph, invoke_ns: Nanoseconds, coverage: float, placed_on: str, runs: int) -> OpTable:
    """Share `coverage` of one inference out among the operators; one multiply-accumulate weighs as much as one byte."""
    work = [_work(node) for node in graph.nodes]
    whole = sum(work) or 1
    shares = [one / whole for one in work]
    return OpTable(
        ops=tuple(
            _record(node, share, share * coverage * invoke_ns, placed_on)
            for node, share in zip(graph.nodes, shares, strict=True)
        ),
        coverage=coverage,
        mapping_cost=0.0,
        approximate=False,
        partitions=1,
        runs=runs,
    )


def _work(node: OpNode) -> int:
    return (node.macs or 0) + node.weight_bytes + node.activation_bytes


def _record(node: OpNode, share: float, latency_ns: Nanoseconds, placed_on: str) -> OpRecord:
    return OpRecord(
        index=node.index,
        name=node.name,
        type=node.type,
        shape=node.shape,
        kernels=(f"simulated {node.type}",),
        placed_on=placed_on,
        latency_ns=latency_ns,
        label="estimated",
        share=share,
        macs=node.macs,
        bytes=node.weight_bytes + node.activation_bytes,
    )
