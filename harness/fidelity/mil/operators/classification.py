"""The last operation of a classifier."""

from harness.fidelity.mil.emitter import Emitter, Operation, Translate


def _classify(emitter: Emitter, operation: Operation) -> list[str]:
    """The label is its index among the classes, int64; the dictionary is its values, in the classes' order."""
    probabilities = emitter.node("Reshape", [operation["probabilities"], emitter.integers([-1])])
    return [emitter.node("ArgMax", [probabilities], axis=0, keepdims=0), probabilities]


TRANSLATIONS: dict[str, Translate] = {"classify": _classify}
