"""How much of a graph the interpreter's delegates took, by its list of operators.

A delegate adds one operator of its own, named DELEGATE, for each partition, and leaves what it replaced in the list.
Its inputs and outputs are all tensors that cross the partition's border, and no others.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Operator = dict[str, Any]

_DELEGATE = "DELEGATE"


def delegation(
    operators: list[Operator], outputs: list[int], delegate: str = "xnnpack", claims: str | None = None
) -> dict[str, object]:
    """`loaded.delegation` of docs/agent-protocol.md from `_get_ops_details()` and the graph's output tensors.

    XNNPACK is the only default delegate. Another one beside it is told apart by the operator that it alone can run:
    with claims the partitions that have that one are delegate's, and no others count.
    taken is None where it is not certain: an operator that nobody reads may lie
    in a partition without crossing its border.
    """
    own = [operator for operator in operators if operator["op_name"] != _DELEGATE]
    partitions = [operator for operator in operators if operator["op_name"] == _DELEGATE]
    taken: set[int] = set()
    theirs = []
    for partition in partitions:
        inside = _behind(own, partition["inputs"], partition["outputs"])
        inside = _with_dead_ends(own, inside, partition["outputs"])
        if claims is None or any(own[place]["op_name"] == claims for place in inside):
            theirs.append(partition)
            taken |= inside
    partitions = theirs
    if claims is not None:
        return _told(delegate, own, taken, partitions)
    certain = not partitions or not _unread(own, taken, outputs)
    return _told(delegate, own, taken if certain else None, partitions)


def _told(delegate: str, own: list[Operator], taken: set[int] | None, partitions: list[Operator]) -> dict[str, object]:
    return {
        "delegate": delegate if partitions else None,
        "full": None if taken is None else bool(own) and len(taken) == len(own),
        "taken": None if taken is None else len(taken),
        "total": len(own),
        "partitions": len(partitions),
    }


def _behind(own: list[Operator], given: Iterable[int], made: Iterable[int]) -> set[int]:
    """The operators on the way back from the tensors made to those given."""
    producers = {int(tensor): place for place, operator in enumerate(own) for tensor in operator["outputs"]}
    seen = {int(tensor) for tensor in given}
    waiting = [int(tensor) for tensor in made]
    places = set()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen or tensor not in producers:
            continue
        seen.add(tensor)
        places.add(producers[tensor])
        waiting.extend(int(each) for each in own[producers[tensor]]["inputs"])
    return places


def _with_dead_ends(own: list[Operator], inside: set[int], made: Iterable[int]) -> set[int]:
    """Those operators, and whatever reads what does not leave the partition: the writing of a variable, for one."""
    crossing = {int(tensor) for tensor in made}
    grown = set(inside)
    while True:
        hidden = {int(tensor) for place in grown for tensor in own[place]["outputs"]} - crossing
        more = {place for place, operator in enumerate(own) if hidden.intersection(map(int, operator["inputs"]))}
        if more <= grown:
            return grown
        grown |= more


def _unread(own: list[Operator], taken: set[int], outputs: list[int]) -> set[int]:
    """Operators outside of all partitions whose outputs lead nowhere; not CALL_ONCE, which has no tensors at all."""
    left = {place for place, operator in enumerate(own) if len(operator["inputs"]) or len(operator["outputs"])} - taken
    read = {int(tensor) for tensor in outputs}
    while True:
        useful = {place for place in left if read.intersection(map(int, own[place]["outputs"]))}
        wanted = {int(tensor) for place in useful | taken for tensor in own[place]["inputs"]}
        if wanted <= read:
            return left - useful
        read |= wanted
