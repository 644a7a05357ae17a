"""Recurrent layers, written out step by step: the recurrent operators of .tflite keep a state from one inference to the
next, and a program starts each time anew."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.sources.mil_tflite.canvas import Canvas, Step, Untranslatable, Value, known, of
from harness.sources.mil_tflite.products import dense
from harness.sources.tflite_writer import Tensor

_MOST_STEPS = 4096
_UNWRITTEN = ("peephole", "peephole_back", "clip")


def lstm(canvas: Canvas, step: Step) -> list[Value]:
    """x (steps, batch, in); gates in the order input, forget, output, cell. Outputs: all or the last, hidden, cell."""
    if given := [name for name in _UNWRITTEN if name in step.inputs]:
        raise Untranslatable(f"lstm with {', '.join(given)}")
    wanted = {"recurrent_activation": "sigmoid", "cell_activation": "tanh", "activation": "tanh"}
    if any(step.scalar(name, kind) != kind for name, kind in wanted.items()):
        raise Untranslatable("lstm with activations other than sigmoid and tanh")
    direction = str(step.scalar("direction", "forward"))
    ways = {"forward": ("",), "reverse": ("",), "bidirectional": ("", "_back")}[direction]
    found = [
        _one_way(canvas, step, number, len(ways), ending, back=direction == "reverse" or ending == "_back")
        for number, ending in enumerate(ways)
    ]
    if len(ways) == 2:
        found[1] = (found[1][0][::-1], *found[1][1:])
    sequences = [sequence for sequence, _, _ in found]
    hidden, cells = [each for _, each, _ in found], [each for _, _, each in found]
    rows = [_beside(canvas, [each[time] for each in sequences]) for time in range(len(sequences[0]))]
    if not step.scalar("output_sequence", False):
        rows = [_beside(canvas, hidden)]
    stacked = canvas.add("CONCATENATION", rows, (len(rows) * rows[0].shape[0], rows[0].shape[1]), _along(0))
    ends = [of(step.shapes[1], _beside(canvas, hidden)), of(step.shapes[2], _beside(canvas, cells))]
    return [of(step.shapes[0], canvas.reshape(stacked, step.shapes[0])), *ends]


def _one_way(
    canvas: Canvas, step: Step, number: int, ways: int, ending: str, *, back: bool
) -> tuple[list[Tensor], Tensor, Tensor]:
    """One direction: hidden states in the order in which they are computed, the last hidden and cell state."""
    steps, batch, width = step["x"].shape
    recurrent = step.content(f"weight_hh{ending}")
    size = recurrent.shape[1]
    bias = step.content(f"bias{ending}") if f"bias{ending}" in step.inputs else None
    flat = canvas.reshape(canvas.plain(step["x"]), (steps * batch, width))
    fed = dense(canvas, flat, step.content(f"weight_ih{ending}"), bias)
    hidden, cell = (_start(canvas, step[name], number, ways) for name in ("initial_h", "initial_c"))
    found: list[Tensor] = []
    for time in reversed(range(steps)) if back else range(steps):
        at_time = canvas.crop(fed, (time * batch, 0), (batch, 4 * size))
        hidden, cell = _cell(canvas, canvas.binary("ADD", at_time, dense(canvas, hidden, recurrent, None)), cell)
        found.append(hidden)
    return found, hidden, cell


def _cell(canvas: Canvas, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """New hidden and cell state from the gates' sums (batch, 4 size)."""
    batch, size = cell.shape
    let_in, kept, shown = (
        canvas.crop(canvas.unary("LOGISTIC", canvas.crop(gates, (0, 0), (batch, 3 * size))), (0, at), (batch, size))
        for at in (0, size, 2 * size)
    )
    new = canvas.unary("TANH", canvas.crop(gates, (0, 3 * size), (batch, size)))
    cell = canvas.binary("ADD", canvas.binary("MUL", kept, cell), canvas.binary("MUL", let_in, new))
    return canvas.binary("MUL", shown, canvas.unary("TANH", cell)), cell


def _start(canvas: Canvas, value: Value, number: int, ways: int) -> Tensor:
    """The state at the start of one direction: both stand beside each other."""
    batch, width = value.shape
    size = width // ways
    if value.constant is not None:
        return canvas.constant(np.ascontiguousarray(value.constant[:, number * size : (number + 1) * size]))
    return canvas.crop(canvas.plain(value), (0, number * size), (batch, size))


def _beside(canvas: Canvas, parts: list[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    return canvas.add("CONCATENATION", parts, (parts[0].shape[0], sum(part.shape[1] for part in parts)), _along(1))


def _along(axis: int) -> Any:  # noqa: ANN401 (generated class)
    from ai_edge_litert import schema_py_generated as schema

    return schema.ConcatenationOptionsT(axis=axis)


def repeat(_canvas: Canvas, step: Step) -> list[Value]:
    """A loop that counts: the toolkit writes a GRU so. Its body is written out once for each count."""
    condition, body = step.blocks
    values = list(step.values("loop_vars"))
    for _ in range(_MOST_STEPS):
        (again,) = step.run(condition, values)
        if again.constant is None:
            raise Untranslatable("while_loop whose count is computed")
        if not again.constant.all():
            return values
        values = step.run(body, values)
    raise Untranslatable(f"while_loop of more than {_MOST_STEPS} steps")


def scatter(canvas: Canvas, step: Step) -> Value:
    """One row of a tensor changed: what a loop writes its results with."""
    x, where, update = step["data"], step["indices"], step["updates"]
    mode = str(step.scalar("mode", "add"))
    single = where.constant is not None and where.constant.size == 1
    if not single or step.scalar("axis", 0) != 0 or mode not in ("add", "update"):
        raise Untranslatable("scatter other than of one row that is known")
    rows = list(rows_of(canvas, x))
    index = int(step.content("indices").item()) % len(rows)
    old = rows[index].constant
    fresh = of((1, *x.shape[1:]), canvas.reshape(canvas.plain(update), (1, *x.shape[1:])))
    if mode == "add" and (old is None or old.any()):
        fresh = of(fresh.shape, canvas.binary("ADD", canvas.plain(rows[index]), canvas.plain(fresh)))
    rows[index] = fresh
    return Value(shape=x.shape, dtype=x.dtype, rows=tuple(rows))


def rows_of(canvas: Canvas, value: Value) -> tuple[Value, ...]:
    """A value taken apart along its first axis, which stays with size 1."""
    if value.rows is not None:
        return value.rows
    if value.constant is not None:
        return tuple(known(row[None]) for row in value.constant)
    whole, shape = canvas.plain(value), (1, *value.shape[1:])
    ahead = [0] * (value.rank - 1)
    return tuple(of(shape, canvas.crop(whole, (row, *ahead), shape)) for row in range(value.shape[0]))


OPERATORS: Mapping[str, Any] = {"lstm": lstm, "while_loop": repeat, "scatter": scatter}
