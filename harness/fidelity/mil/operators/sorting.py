"""Operations that order elements. Of equal ones the first comes first; MIL promises nothing."""

from harness.fidelity.mil.emitter import Emitter, Operation, Translate
from harness.fidelity.mil.operators.shapes import dimension


def _argsort(emitter: Emitter, operation: Operation) -> str:
    return _top(emitter, operation, -1)[1]


def _topk(emitter: Emitter, operation: Operation) -> list[str]:
    """-1 is all elements. sort=False leaves the order open, so it is as for True."""
    values, indices = _top(emitter, operation, int(operation.constant("k", 1)))
    return [values, indices] if operation.constant("return_indices", True) else [values]


def _top(emitter: Emitter, operation: Operation, count: int) -> list[str]:
    x, axis = operation["x"], int(operation.constant("axis", -1))
    if count == -1:
        whole = dimension(emitter, x, axis)
        wanted = emitter.node("Reshape", [whole, emitter.integers([1])])
    else:
        wanted = emitter.integers([count])
    largest = int(not operation.constant("ascending", False))
    return emitter.split("TopK", [x, wanted], 2, axis=axis, largest=largest, sorted=1)


TRANSLATIONS: dict[str, Translate] = {"argsort": _argsort, "topk": _topk}
