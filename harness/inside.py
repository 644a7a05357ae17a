"""What is known of the inside of an Edge TPU's program: its compiler's list of operators, beside the program's one row.

The list says what it is made of and nothing of how its time divides.
"""

from dataclasses import replace

from harness.core.outcome import Invalid, Measured, Outcome
from harness.core.variant import BuildFailed, Variant

_PROGRAM = "CUSTOM:edgetpu-custom-op"


def with_inside(outcome: Outcome, build: Variant | BuildFailed | None) -> Outcome:
    """The outcome with the compiler's operators as the kernels of the program that they became.

    With several programs nobody says which operator is in which, so the rows stay as they are.
    """
    compiled = build.compiled if isinstance(build, Variant) else None
    if compiled is None or not compiled.inside or not isinstance(outcome, Measured | Invalid):
        return outcome
    table = outcome.measurement.ops
    if table is None or sum(op.type == _PROGRAM for op in table.ops) != 1:
        return outcome
    inside = tuple(f"{each.count} x {each.type}" for each in compiled.inside)
    rows = tuple(replace(op, kernels=inside) if op.type == _PROGRAM else op for op in table.ops)
    return replace(outcome, measurement=replace(outcome.measurement, ops=replace(table, ops=rows)))
