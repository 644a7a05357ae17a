"""How much of a graph the interpreter's delegates took, by its list of operators.

A delegate adds one operator of its own, named DELEGATE, for each partition, and leaves what it replaced in the list.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_DELEGATE = "DELEGATE"


def delegation(operators: list[dict[str, Any]]) -> dict[str, object]:
    """`loaded.delegation` of docs/agent-protocol.md from `_get_ops_details()`. XNNPACK is the only default delegate.

    An operator was taken if it lies between the inputs and the outputs of a delegate's operator. One whose output
    nobody reads lies nowhere, and counts as not taken.
    """
    own = [operator for operator in operators if operator["op_name"] != _DELEGATE]
    partitions = [operator for operator in operators if operator["op_name"] == _DELEGATE]
    producers = {int(tensor): place for place, operator in enumerate(own) for tensor in operator["outputs"]}
    taken: set[int] = set()
    for partition in partitions:
        taken |= _between(own, producers, partition["inputs"], partition["outputs"])
    return {
        "delegate": "xnnpack" if partitions else None,
        "full": bool(own) and len(taken) == len(own),
        "taken": len(taken),
        "total": len(own),
        "partitions": len(partitions),
    }


def _between(
    own: list[dict[str, Any]], producers: dict[int, int], given: Iterable[int], made: Iterable[int]
) -> set[int]:
    """The operators on the way back from the tensors made to those given."""
    seen = {int(tensor) for tensor in given}
    waiting = [int(tensor) for tensor in made]
    places = set()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen or tensor not in producers:
            continue
        seen.add(tensor)
        place = producers[tensor]
        places.add(place)
        waiting.extend(int(each) for each in own[place]["inputs"])
    return places
