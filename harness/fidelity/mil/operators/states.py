"""States: a program's memory between predictions. Each is one more input and one more output of the graph."""

from harness.fidelity.mil.emitter import Operand, Operation, Untranslatable

States = dict[str, Operand]
"""By a state's name, its value at this point of the program."""


def read_state(operation: Operation, states: States) -> str:
    return states[operation["input"].tensor].tensor


def update_state(operation: Operation, states: States, *, nested: bool) -> str:
    """The value is the state from here on, and the operation's own result."""
    if nested:
        raise Untranslatable("a write to a state within a branch or a loop")
    value = operation["value"]
    states[operation["state"].tensor] = value
    return value.tensor


NAMES = frozenset(("read_state", "write_state", "coreml_update_state"))
"""write_state is what the file has; coremltools reads it as coreml_update_state."""
