"""Small graphs and profiles for tests of the mapping."""

from collections.abc import Sequence

from devices.runtimes.events import DEFAULT, DELEGATED, OPERATOR, ProfileEvent
from harness.core.model import Graph, OpNode


def a_node(index: int, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> OpNode:
    return OpNode(
        index=index,
        type=kind,
        name=f"{kind.lower()}_{index}",
        shape=(1, 4),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        macs=None,
        weight_bytes=3,
        activation_bytes=16,
    )


def a_chain(*kinds: str) -> Graph:
    """Operators one after the other; tensor 0 is the input, tensor i + 1 the output of operator i."""
    return Graph(nodes=tuple(a_node(i, kind, (i,), (i + 1,)) for i, kind in enumerate(kinds)), inputs=(0,))


def own(index: int, *times: int, subgraph: int = 0) -> ProfileEvent:
    """An operator that the runtime ran itself."""
    return ProfileEvent(tag="OWN", type=OPERATOR, first=index, second=subgraph, elapsed_us=times or (1,))


def kernel(place: int, tag: str, *times: int, subgraph: int = 0) -> ProfileEvent:
    """A kernel of a delegate; place counts from 0 in each partition."""
    return ProfileEvent(tag=tag, type=DELEGATED, first=place, second=subgraph, elapsed_us=times or (1,))


def invoke(*times: int, subgraph: int = 0) -> ProfileEvent:
    """The whole inference."""
    return ProfileEvent(tag="Invoke", type=DEFAULT, first=0, second=subgraph, elapsed_us=times)
