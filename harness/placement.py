"""How much of a graph a delegate took: what the runtime says, completed by where its operators were seen to run."""

from harness.core.launch import Delegation, OpTable

BUILTIN = "builtin"


def complete_delegation(told: Delegation | None, table: OpTable | None) -> Delegation | None:
    """The delegation with counts where the operator table has them; the runtime's own counts stand.

    Counts operators that ran as kernels of their own; those folded into another are in neither number.
    """
    if table is None or (told is not None and told.taken is not None):
        return told
    places = [op.placed_on for op in table.ops if op.index >= 0 and op.kernels]
    if not places or None in places:
        return told
    elsewhere = [place for place in places if place is not None and not place.endswith(f"/{BUILTIN}")]
    return Delegation(
        delegate=told.delegate if told and told.delegate else _name(elsewhere),
        full=told.full if told and told.full is not None else len(elsewhere) == len(places),
        taken=len(elsewhere),
        total=len(places),
        partitions=table.partitions,
    )


def _name(places: list[str]) -> str | None:
    names = {place.rpartition("/")[2] for place in places}
    return names.pop() if len(names) == 1 else None
