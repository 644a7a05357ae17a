"""Operations that read a tensor at places that other tensors name."""

from harness.fidelity.mil.emitter import Emitter, Operation, Translate


def _gather(emitter: Emitter, operation: Operation) -> str:
    x, indices = operation["x"], operation["indices"]
    axis, batched = int(operation.constant("axis", 0)) % x.rank, int(operation.constant("batch_dims", 0))
    if batched == 0:
        return emitter.node("Gather", [x, indices], axis=axis)
    return _gather_batched(emitter, operation, axis, batched)


def _gather_batched(emitter: Emitter, operation: Operation, axis: int, batched: int) -> str:
    """GatherND reads the axis after the batch, so the axes between come behind it and go back afterwards."""
    x, indices = operation["x"], operation["indices"]
    between = list(range(batched, axis))
    order = [*range(batched), axis, *between, *range(axis + 1, x.rank)]
    ordered = emitter.node("Transpose", [x], perm=order)
    read = emitter.node("Unsqueeze", [indices, emitter.integers([-1])])
    found = emitter.node("GatherND", [ordered, read], batch_dims=batched)
    chosen = indices.rank - batched  # axes of the result that indices gave, before those that were between
    moved = [batched + chosen + at for at in range(len(between))]
    last = range(batched + chosen + len(between), indices.rank + x.rank - batched - 1)
    return emitter.node("Transpose", [found], perm=[*range(batched), *moved, *range(batched, batched + chosen), *last])


def _gather_along_axis(emitter: Emitter, operation: Operation) -> str:
    axis = int(operation.constant("axis", 0))
    return emitter.node("GatherElements", [operation["x"], operation["indices"]], axis=axis)


def _gather_nd(emitter: Emitter, operation: Operation) -> str:
    batched = int(operation.constant("batch_dims", 0))
    return emitter.node("GatherND", [operation["x"], operation["indices"]], batch_dims=batched)


TRANSLATIONS: dict[str, Translate] = {
    "gather": _gather,
    "gather_along_axis": _gather_along_axis,
    "gather_nd": _gather_nd,
}
