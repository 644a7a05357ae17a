"""What is known of the inside of an Edge TPU's program: its compiler's list of operators, beside the program's one row.

The list says what it is made of and nothing of how its time divides.
"""

from dataclasses import replace

from harness.core.launch import OpRecord, OpTable
from harness.core.outcome import Invalid, Measured, Measurement, Outcome, measurement_of
from harness.core.variant import BuildFailed, EdgeTpuCompilation, Variant

_PROGRAM = "CUSTOM:edgetpu-custom-op"


def with_inside(outcome: Outcome, build: Variant | BuildFailed | None) -> Outcome:
    """The outcome with the compiler's operators as the kernels of the program that they became.

    With several programs nobody says which operator is in which, so the rows stay as they are.
    """
    compiled = build.compiled if isinstance(build, Variant) else None
    measured = measurement_of(outcome)
    if compiled is None or not compiled.inside or measured is None or measured.ops is None:
        return outcome
    if sum(op.type == _PROGRAM for op in measured.ops.ops) != 1:
        return outcome
    told = replace(measured, ops=_named(measured.ops, compiled))
    return _over(outcome, told)


def _named(table: OpTable, compiled: EdgeTpuCompilation) -> OpTable:
    return replace(table, ops=tuple(_row(op, compiled) for op in table.ops))


def _row(op: OpRecord, compiled: EdgeTpuCompilation) -> OpRecord:
    if op.type != _PROGRAM:
        return op
    return replace(op, kernels=tuple(f"{each.count} x {each.type}" for each in compiled.inside))


def _over(outcome: Outcome, measurement: Measurement) -> Outcome:
    if isinstance(outcome, Measured | Invalid):
        return replace(outcome, measurement=measurement)
    return outcome
