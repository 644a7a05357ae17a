"""Per-op of a model that was compiled for an Edge TPU: one row for each program, the processor's operators around it.

libedgetpu puts one operator of its own in the place of each custom operator, numbered behind those of the file
(google-coral/libedgetpu, tflite/edgetpu_delegate_for_custom_op.cc). In the profiler's events that number stands for
the program. What a program does inside is not told by anybody: google-coral/edgetpu issue 519.
"""

from collections.abc import Sequence
from dataclasses import replace

from devices.runtimes.events import OPERATOR, ProfileEvent
from devices.runtimes.evidence import LIBEDGETPU
from devices.runtimes.litert_ops import op_table
from harness.core.launch import OpTable
from harness.core.model import Graph

PROGRAM = "CUSTOM:edgetpu-custom-op"
_PLACE = f"edgetpu/{LIBEDGETPU}"


def edgetpu_op_table(graph: Graph, events: Sequence[ProfileEvent]) -> OpTable:
    """The operators of the graph with the program's time in the program's row. Raises ValueError as op_table does."""
    programs = [node.index for node in graph.nodes if node.type == PROGRAM]
    named, moved = _named(programs, graph, events)
    table = op_table(graph, named)
    rows = tuple(replace(op, placed_on=_PLACE) if op.index in moved else op for op in table.ops)
    return replace(table, ops=rows)


def _named(
    programs: Sequence[int], graph: Graph, events: Sequence[ProfileEvent]
) -> tuple[Sequence[ProfileEvent], frozenset[int]]:
    """The events with the programs' under the programs' own numbers, and those; as they are where the counts differ.

    The delegate replaces programs in the file's order, so its numbers rise as theirs do.
    """
    beyond = len(graph.nodes)
    foreign = sorted({event.first for event in events if event.type == OPERATOR and event.first >= beyond})
    if not programs or len(foreign) != len(programs):
        return events, frozenset()
    own = dict(zip(foreign, sorted(programs), strict=True))
    named = [
        replace(event, first=own[event.first]) if event.type == OPERATOR and event.first in own else event
        for event in events
    ]
    return named, frozenset(programs)
