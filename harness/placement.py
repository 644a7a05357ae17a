"""Where a graph ran: what the runtime says, completed by where its operators were seen to run, and in a sentence."""

from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.delegates import name_delegate
from harness.core.launch import Delegation, OpTable
from harness.core.outcome import Measurement

BUILTIN = "builtin"


def is_another_unit(observed: ComputeUnit, asked: ComputeUnit) -> bool:
    """Whether what ran is of another kind, on other cores, or a stand-in which was not asked for by name.

    Cores that the runtime does not show are not other ones: is_cluster_unknown.
    """
    on_others = None not in (observed.cluster, asked.cluster) and observed.cluster != asked.cluster
    return observed.kind != asked.kind or on_others or (observed.by_name_only and not asked.by_name_only)


def is_cluster_unknown(observed: ComputeUnit, asked: ComputeUnit) -> bool:
    """Whether cores of a kind were asked for, and it was not seen which ones the work was bound to."""
    return asked.cluster is not None and observed.kind == asked.kind and observed.cluster is None


def is_profiled(table: OpTable) -> bool:
    """Whether the profiler saw the operators; rows that were estimated prove nothing of where they ran."""
    return all(op.label == "measured" for op in table.ops)


def complete_delegation(told: Delegation | None, table: OpTable | None) -> Delegation | None:
    """The delegation with counts where the operator table has them; the runtime's own counts stand.

    Taken is every operator that did not run as a kernel of the runtime's own, those folded away among them, as in
    devices/runtimes/evidence.py. A table that another program measured tells nothing of the runtime.
    """
    if (
        table is None
        or table.measured_by is not None
        or not is_profiled(table)
        or (told is not None and told.taken is not None)
    ):
        return told
    ops = [op for op in table.ops if op.index >= 0]
    places = [op.placed_on for op in ops if op.kernels]
    if not places or None in places:
        return told
    elsewhere = {place for place in places if place is not None and not place.endswith(f"/{BUILTIN}")}
    # Without any delegate nothing was taken, folded or not.
    taken = len(ops) - sum((op.placed_on or "").endswith(f"/{BUILTIN}") for op in ops) if elsewhere else 0
    return Delegation(
        delegate=told.delegate if told and told.delegate else _name(elsewhere),
        full=told.full if told and told.full is not None else taken == len(ops),
        taken=taken,
        total=len(ops),
        partitions=table.partitions,
    )


def _name(places: set[str]) -> str | None:
    names = {place.rpartition("/")[2] for place in places}
    return names.pop() if len(names) == 1 else None


def describe_placement(cell: Cell, measured: Measurement, source: Measurement | None) -> str | None:
    """How many operators a delegate took, without a full stop; None where nothing is known of it."""
    here, there = measured.delegation, source.delegation if source else None
    if here is None or (here.full is None and here.taken is None):
        return None
    if here.taken == 0 or (cell.unit.backend == BUILTIN and here.taken is None and not here.full):
        return _undelegated(cell, measured, here, there)
    words = _extent(here)
    if there is None or there.taken is None:
        return words
    if (here.full, here.delegate) == (True, there.delegate) and there.full:
        return f"{words}, as in the source"
    return words if _counts(here) == _counts(there) else f"{words} (source: {_counts(there)})"


def _extent(state: Delegation) -> str:
    delegate = name_delegate(state.delegate)
    partitions = f", in {count_of(state.partitions, 'partition')}" if state.partitions else ""
    if state.taken is None or state.total is None:
        unknown = f"Not the whole graph runs in {delegate}; how much of it does is not known"
        return f"The whole graph runs in {delegate}" if state.full else unknown
    if state.taken == state.total:
        return f"{_all_operators(state.total)} in {delegate}{partitions}"
    verb = "runs" if state.taken == 1 else "run"
    return f"{state.taken} of {state.total} operators {verb} in {delegate}{partitions}"


def _all_operators(total: int) -> str:
    return "The only operator runs" if total == 1 else f"All {total} operators run"


def _undelegated(cell: Cell, measured: Measurement, here: Delegation, there: Delegation | None) -> str:
    own = own_kernels(measured)
    if cell.unit.backend == BUILTIN:
        whole = _all_operators(here.total) if here.total is not None else "The whole graph runs"
        words = f"{whole} in {own}, as was asked for"
    else:
        name = name_delegate(there.delegate if there else None)
        source = f" (source: {_counts(there)})" if there and there.taken else ""
        none = "The only operator does not run" if here.total == 1 else f"None of the {here.total} operators runs"
        words = f"{none} in {name}{source}: {own} do the work"
    reference = any(step.startswith("int16") for step in cell.recipe.split("+"))
    return f"{words}; for 16-bit activations these are reference kernels" if reference else words


def _counts(state: Delegation) -> str:
    every = state.taken == state.total and state.total != 1
    share = f"all {state.total}" if every else f"{state.taken} of {state.total}"
    return f"{share} in {count_of(state.partitions, 'partition')}" if state.partitions else share


def own_kernels(measured: Measurement) -> str:
    """What does the work that no delegate took."""
    return "LiteRT's own kernels" if "litert" in measured.runtime.lower() else "the runtime's own kernels"


def count_of(count: int, noun: str) -> str:
    """`1 partition`, `2 partitions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
