"""lstm, gru and rnn. A reversed sequence gives its outputs in the order of the steps, the last input's first; the
backward half of a bidirectional one at the places of their inputs (coremltools' own tests of them)."""

from collections.abc import Sequence

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate
from harness.fidelity.mil.operators.cells import Step, Walked, activate, project, walk


def _lstm(emitter: Emitter, operation: Operation) -> list[str]:
    direction = operation.constant("direction", "forward")
    hidden, cell = operation["initial_h"].tensor, operation["initial_c"].tensor
    if direction != "bidirectional":
        return _outputs(
            emitter, operation, [_lstm_walk(emitter, operation, "", [hidden, cell], direction == "reverse")]
        )
    halves = zip(*(emitter.split("Split", [each], 2, axis=1, num_outputs=2) for each in (hidden, cell)), strict=True)
    ways = zip(halves, ("", "_back"), (False, True), strict=True)
    return _outputs(
        emitter, operation, [_lstm_walk(emitter, operation, *way) for way in ((b, a, c) for a, b, c in ways)]
    )


def _lstm_walk(emitter: Emitter, operation: Operation, suffix: str, states: Sequence[str], backwards: bool) -> Walked:
    biases = [operation.optional(f"bias{suffix}")]
    given = project(emitter, operation["x"], operation[f"weight_ih{suffix}"], biases)
    step = _lstm_step(operation, operation[f"weight_hh{suffix}"], operation.optional(f"peephole{suffix}"))
    both = operation.constant("direction", "forward") == "bidirectional"
    return walk(emitter, step, given, states, backwards=backwards, in_order=both)


def _lstm_step(operation: Operation, weight: Operand, peephole: Operand | None) -> Step:
    """Gates stand as input, forget, output, cell. The output gate's peephole sees the new cell, which is clipped."""
    recurrent, into, out = (
        operation.constant(name, default)
        for name, default in (("recurrent_activation", "sigmoid"), ("cell_activation", "tanh"), ("activation", "tanh"))
    )
    limit = operation.constant("clip")

    def step(inner: Emitter, now: str, states: Sequence[str]) -> list[str]:
        hidden, cell = states
        gates = inner.node("Add", [now, project(inner, hidden, weight, [])])
        parts = inner.split("Split", [gates], 4, axis=-1, num_outputs=4)
        peeps = inner.split("Split", [peephole], 3, axis=0, num_outputs=3) if peephole is not None else [None] * 3
        enter, forget = (
            activate(inner, recurrent, _peep(inner, part, cell, peep))
            for part, peep in zip(parts[:2], peeps[:2], strict=True)
        )
        kept = inner.node("Mul", [forget, cell])
        fresh = inner.node("Add", [kept, inner.node("Mul", [enter, activate(inner, into, parts[3])])])
        if limit is not None:
            fresh = inner.node("Clip", [fresh, inner.real(-abs(limit)), inner.real(abs(limit))])
        leave = activate(inner, recurrent, _peep(inner, parts[2], fresh, peeps[2]))
        return [inner.node("Mul", [leave, activate(inner, out, fresh)]), fresh]

    return step


def _peep(inner: Emitter, gate: str, cell: str, peephole: str | None) -> str:
    return gate if peephole is None else inner.node("Add", [gate, inner.node("Mul", [cell, peephole])])


def _gru(emitter: Emitter, operation: Operation) -> list[str]:
    """Gates stand as reset, output, update. Reset comes before the product with the hidden state, where bias and
    input_bias are alike; with reset_after it comes after, and bias belongs to the hidden state (PyTorch's form)."""
    after = bool(operation.constant("reset_after", False))
    bias, input_bias = operation.optional("bias"), operation.optional("input_bias")
    outer: list[Operand | str | None] = [input_bias] if after else [bias, input_bias]
    given = project(emitter, operation["x"], operation["weight_ih"], outer)
    step = _gru_step(operation, after, bias if after else None)
    return _outputs(emitter, operation, [_one_way(emitter, operation, step, given)])


def _gru_step(operation: Operation, after: bool, bias: Operand | None) -> Step:
    recurrent = operation.constant("recurrent_activation", "sigmoid")
    activation = operation.constant("activation", "tanh")
    weight = operation["weight_hh"]

    def step(inner: Emitter, now: str, states: Sequence[str]) -> list[str]:
        (hidden,) = states
        seen = inner.split("Split", [now], 3, axis=-1, num_outputs=3)
        from_hidden = inner.split("Split", [project(inner, hidden, weight, [bias])], 3, axis=-1, num_outputs=3)
        reset, update = (
            activate(inner, recurrent, inner.node("Add", [seen[gate], from_hidden[gate]])) for gate in (0, 2)
        )
        if after:
            past = inner.node("Mul", [reset, from_hidden[1]])
        else:
            own = inner.split("Split", [weight], 3, axis=0, num_outputs=3)[1]
            past = project(inner, inner.node("Mul", [reset, hidden]), own, [])
        fresh = activate(inner, activation, inner.node("Add", [seen[1], past]))
        kept = inner.node("Mul", [update, hidden])
        rest = inner.node("Sub", [inner.real(1.0), update])
        return [inner.node("Add", [inner.node("Mul", [rest, fresh]), kept])]

    return step


def _rnn(emitter: Emitter, operation: Operation) -> list[str]:
    given = project(emitter, operation["x"], operation["weight_ih"], [operation.optional("bias")])
    weight, activation = operation["weight_hh"], operation.constant("activation", "tanh")

    def step(inner: Emitter, now: str, states: Sequence[str]) -> list[str]:
        return [activate(inner, activation, inner.node("Add", [now, project(inner, states[0], weight, [])]))]

    return _outputs(emitter, operation, [_one_way(emitter, operation, step, given)])


def _one_way(emitter: Emitter, operation: Operation, step: Step, given: str) -> Walked:
    backwards = operation.constant("direction", "forward") == "reverse"
    return walk(emitter, step, given, [operation["initial_h"].tensor], backwards=backwards, in_order=False)


def _outputs(emitter: Emitter, operation: Operation, ways: Sequence[Walked]) -> list[str]:
    """Every step's output or the last one alone, then the states; both directions side by side."""
    states = [_side_by_side(emitter, each, 1) for each in zip(*(way.states for way in ways), strict=True)]
    if operation.constant("output_sequence", False):
        return [_side_by_side(emitter, [way.sequence for way in ways], 2), *states]
    return [emitter.node("Unsqueeze", [states[0], emitter.integers([0])]), *states]


def _side_by_side(emitter: Emitter, tensors: Sequence[str], axis: int) -> str:
    return tensors[0] if len(tensors) == 1 else emitter.node("Concat", tensors, axis=axis)


TRANSLATIONS: dict[str, Translate] = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}
