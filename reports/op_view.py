"""The operators of a cell as scripts read them."""

from harness.core.launch import OpRecord, OpTable

Fields = dict[str, object]
BELOW_RESOLUTION = "below_resolution"
# Under this coverage the profiler missed so much of the run that a share of what it saw is no share of the run.
LEAST_COVERAGE = 0.8


def op_fields(table: OpTable) -> list[Fields]:
    """Operators in the table's order. What the profiler's clock cannot tell from nothing has no latency, never 0."""
    shares_stand = table.coverage is None or table.coverage >= LEAST_COVERAGE
    return [_op(op, told=_is_told(op, table), shares_stand=shares_stand) for op in table.ops]


def mapping_fields(table: OpTable) -> Fields:
    """unmapped_ns is the time of kernels that belong to no operator; None where all of it is below the clock."""
    unmapped = [op for op in table.ops if op.index < 0]
    told = [op.latency_ns or 0.0 for op in unmapped if _is_told(op, table)]
    return {
        "coverage": table.coverage,
        "cost": table.mapping_cost,
        "approximate": table.approximate,
        "partitions": table.partitions,
        "runs": table.runs,
        "resolution_ns": table.resolution_ns,
        "measured_by": table.measured_by,
        "unmapped_ns": None if unmapped and not told else sum(told),
    }


def _is_told(op: OpRecord, table: OpTable) -> bool:
    """Whether the time of an operator that ran is one the clock can tell; a folded one has none to tell."""
    return op.latency_ns is None or op.latency_ns >= max(table.resolution_ns or 0.0, 1.0)


def _op(op: OpRecord, *, told: bool, shares_stand: bool) -> Fields:
    return {
        "index": op.index,
        "name": op.name,
        "type": op.type,
        "shape": list(op.shape),
        "kernels": list(op.kernels),
        "placed_on": op.placed_on,
        "latency_ns": op.latency_ns if told else None,
        "label": op.label if told else BELOW_RESOLUTION,
        "share": op.share if told and shares_stand else None,
        "macs": op.macs,
        "bytes": op.bytes,
    }
