"""Whether XNNPACK can run a sparsely encoded model by its sparse kernels.

It can where a cluster of operators works channels-first: from a 3x3 convolution with stride 2 on 3 channels, through
what `sparse_rules.py` names, to a MEAN or DEPTH_TO_SPACE, and nothing outside reads a value between; and where more
than two thirds of the weights in the cluster's 1x1 convolutions are zero. No setting forces it. It does so on ARM and
on x86 without AVX. This is read off the file and has never been run on ARM.
Source: LiteRT, tflite/delegates/xnnpack/README.md, "Sparse Inference"; XNNPACK, src/subgraph.c,
xnn_subgraph_rewrite_for_nchw; github.com/google/XNNPACK/issues/3170.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.variants.tflite.sparse_graph import Node, read_nodes
from harness.variants.tflite.sparse_rules import Role
from harness.variants.tflite.weights import read_weights

_MUST_END = "a MEAN over height and width or a DEPTH_TO_SPACE must be last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many of a model's 1x1 convolutions may run sparse on ARM. reason says why the rest may not, or None."""

    able: int
    pointwise: int
    reason: str | None

    def __str__(self) -> str:
        if not self.able:
            return f"XNNPACK's sparse kernels cannot apply, so expect the speed of dense weights: {self.reason}"
        rest = f"; the others not: {self.reason}" if self.reason else ""
        return (
            f"XNNPACK's sparse kernels can apply on ARM, by the file (never run there): {self.able} of "
            f"{self.pointwise} 1x1 convolutions{rest}; on x86-64 expect the speed of dense weights"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """Operators that read each other's values channels-first. pointwise are its 1x1 convolutions."""

    pointwise: int
    zeros: int
    weights: int
    obstacle: str | None

    @property
    def reason(self) -> str | None:
        """Why it cannot run sparse, None where it can."""
        if self.obstacle is None and 3 * self.zeros <= 2 * self.weights:
            share = self.zeros / max(self.weights, 1)
            return f"{share:.0%} of the weights in the 1x1 convolutions are zero, more than two thirds must be"
        return self.obstacle


def verdict(content: bytes) -> Verdict:
    """What XNNPACK's sparse kernels can do for a file as it is stored."""
    graphs = read_nodes(content)
    pointwise = [node for nodes in graphs for node in nodes if node.operator.is_pointwise]
    if not pointwise:
        return Verdict(able=0, pointwise=0, reason="it has no 1x1 convolution")
    if not any(weight.sparse_encoded for weight in read_weights(content)):
        return Verdict(able=0, pointwise=len(pointwise), reason="no weight is stored in the sparse encoding")
    clusters = [cluster for nodes in graphs for cluster in _clusters(nodes)]
    able = sum(cluster.pointwise for cluster in clusters if cluster.reason is None)
    refused = [cluster for cluster in clusters if cluster.reason is not None]
    worst = max(refused, key=lambda cluster: cluster.pointwise, default=None)
    outside = next((_why(node) for node in pointwise if not node.is_inside), None)
    return Verdict(able=able, pointwise=len(pointwise), reason=worst.reason if worst is not None else outside)


def _clusters(nodes: Sequence[Node]) -> list[_Cluster]:
    """The clusters of a graph that have 1x1 convolutions, each with the first thing that stands in its way."""
    writer = {tensor: number for number, node in enumerate(nodes) for tensor in node.writes}
    found = (_cluster(nodes, writer, sorted(numbers)) for numbers in _connected(nodes, writer))
    return [cluster for cluster in found if cluster.pointwise]


def _connected(nodes: Sequence[Node], writer: Mapping[int, int]) -> list[set[int]]:
    """Operators that hand each other channels-first values, by number."""
    cluster_of: dict[int, set[int]] = {}
    for number, node in enumerate(nodes):
        if not node.is_inside and node.role is not Role.HEAD:
            continue
        before = {writer[tensor] for tensor in node.reads if tensor in writer} if node.is_inside else set()
        joined = {number}.union(*(cluster_of[w] for w in before if w in cluster_of and _hands_on(nodes[w])))
        cluster_of.update(dict.fromkeys(joined, joined))
    return list({id(cluster): cluster for cluster in cluster_of.values()}.values())


def _cluster(nodes: Sequence[Node], writer: Mapping[int, int], numbers: Sequence[int]) -> _Cluster:
    pointwise = [nodes[number] for number in numbers if nodes[number].operator.is_pointwise]
    obstacles = (_before(nodes, writer, nodes[number]) or _after(nodes, nodes[number]) for number in numbers)
    return _Cluster(
        pointwise=len(pointwise),
        zeros=sum(node.zeros for node in pointwise),
        weights=sum(node.weights for node in pointwise),
        obstacle=next((obstacle for obstacle in obstacles if obstacle is not None), None),
    )


def _before(nodes: Sequence[Node], writer: Mapping[int, int], node: Node) -> str | None:
    """What is wrong with where a member's values come from."""
    if node.role is Role.HEAD:
        return None
    for tensor in node.reads:
        if tensor not in writer:
            return f"{node.operator} reads an input; a 3x3 convolution with stride 2 on 3 channels must be first"
        if not _hands_on(nodes[writer[tensor]]):
            return _why(nodes[writer[tensor]])
    return None


def _after(nodes: Sequence[Node], node: Node) -> str | None:
    """What is wrong with where a member's values go to."""
    readers = [other for other in nodes if set(node.writes) & set(other.reads)]
    stranger = next((other for other in readers if not other.is_inside), None)
    is_read_inside = any(other.is_inside for other in readers)
    if node.is_output and (is_read_inside or not node.may_end):
        return f"{node.operator} is an output; {_MUST_END}"
    if stranger is not None and (is_read_inside or not node.may_end):
        return _why(stranger)
    return None


def _hands_on(node: Node) -> bool:
    """Whether what it writes may be channels-first."""
    return node.role in (Role.HEAD, Role.INSIDE, Role.EITHER)


def _why(node: Node) -> str:
    """Why an operator is in no cluster, or in another."""
    return f"{node.operator} {'belongs to another cluster' if isinstance(node.role, Role) else node.role}"
