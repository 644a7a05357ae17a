"""The signatures of a .tflite file, read from the file itself.

The Python interpreter sorts signatures by their keys and hides the order of a graph's inputs; the file has both.
Source: tflite/schema/schema.fbs; the layout is FlatBuffers' own (internals.html).
"""

from __future__ import annotations

import mmap
import struct

from .litert import LiteRtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SUBGRAPHS, _SIGNATURES = 2, 7  # fields of Model
_GRAPH_INPUTS = 1  # of SubGraph
_KEY, _GRAPH = 2, 4  # of SignatureDef
_OFFSET = 4  # bytes of an offset, of a count, of a tensor's number


class Signature:
    """A way to call a model: its key, None where the file names none, its graph, and that graph's inputs in order."""

    def __init__(self, key: str | None, graph: int, inputs: list[int]) -> None:
        self.key = key
        self.graph = graph
        self.inputs = inputs


def choose(path: str, key: str | None) -> Signature:
    """The signature of that key, the file's first without one. Raises LiteRtError with the keys there are, OSError."""
    signatures = read(path)
    if key is None:
        return signatures[0]
    for signature in signatures:
        if signature.key == key:
            return signature
    raise LiteRtError(unknown_key(key, [signature.key for signature in signatures if signature.key is not None]))


def unknown_key(key: str, keys: list[str]) -> str:
    """The words for a signature that is not there."""
    return "the model has no signature {}; it has {}".format(key, ", ".join(keys) or "none")


def read(path: str) -> list[Signature]:
    """All of them in the file's order; one of the first graph where there is none. Raises LiteRtError, OSError."""
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _read(content)
    except (struct.error, IndexError, ValueError) as problem:
        raise LiteRtError("{} is no .tflite file, or it is damaged: {}".format(path, problem)) from problem


def _read(content: mmap.mmap) -> list[Signature]:
    model = _follow(content, 0)
    graphs = [_numbers(content, graph, _GRAPH_INPUTS) for graph in _tables(content, model, _SUBGRAPHS)]
    signatures = []
    for table in _tables(content, model, _SIGNATURES):
        place = _field(content, table, _GRAPH)
        graph = 0 if place is None else _word(content, place)
        signatures.append(Signature(_text(content, table, _KEY), graph, graphs[graph]))
    return signatures or [Signature(None, 0, graphs[0])]


def _word(content: mmap.mmap, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0])


def _follow(content: mmap.mmap, place: int) -> int:
    return place + _word(content, place)


def _field(content: mmap.mmap, table: int, number: int) -> int | None:
    """Where a table has that field, by its vtable; None where it is left out."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", content, vtable)[0]:
        return None
    offset = int(struct.unpack_from("<H", content, vtable + slot)[0])
    return table + offset if offset else None


def _vector(content: mmap.mmap, table: int, number: int, element: Callable[[mmap.mmap, int], int]) -> list[int]:
    field = _field(content, table, number)
    if field is None:
        return []
    vector = _follow(content, field)
    count = _word(content, vector)
    if count * _OFFSET > len(content):
        raise ValueError("a list of {} is longer than the file".format(count))
    return [element(content, vector + _OFFSET * (place + 1)) for place in range(count)]


def _tables(content: mmap.mmap, table: int, number: int) -> list[int]:
    return _vector(content, table, number, _follow)


def _numbers(content: mmap.mmap, table: int, number: int) -> list[int]:
    return _vector(content, table, number, _word)


def _text(content: mmap.mmap, table: int, number: int) -> str | None:
    field = _field(content, table, number)
    if field is None:
        return None
    start = _follow(content, field)
    return content[start + _OFFSET : start + _OFFSET + _word(content, start)].decode("utf-8", "replace")
