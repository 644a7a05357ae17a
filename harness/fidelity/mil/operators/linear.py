"""Matrix products."""

from harness.fidelity.mil.emitter import Emitter, Operand, Operation, Translate


def _linear(emitter: Emitter, operation: Operation) -> str:
    x, weight, bias = operation["x"], operation["weight"], operation.optional("bias")
    if x.rank == 2 and x.is_float:
        return emitter.node("Gemm", [x, weight, *([bias] if bias else [])], transB=1)
    # onnxruntime transposes a constant once, at load.
    product = emitter.node("MatMul", [x, emitter.node("Transpose", [weight], perm=[1, 0])])
    return emitter.node("Add", [product, bias]) if bias else product


def _matmul(emitter: Emitter, operation: Operation) -> str:
    x, y = (_side(emitter, operation, name) for name in ("x", "y"))
    return emitter.node("MatMul", [x, y])


def _side(emitter: Emitter, operation: Operation, name: str) -> Operand | str:
    side = operation[name]
    if side.rank < 2 or not operation.constant(f"transpose_{name}", False):
        return side
    return _swap(emitter, side, side.rank, -1, -2)


def _einsum(emitter: Emitter, operation: Operation) -> str:
    """MIL has `nchw,nwhu->nchu` and `chw,whr->chr` alone, whose n and h are broadcast: a product of matrices over the
    last and the third dimension from the end. It refuses every other equation when a program is read."""
    x, y = operation.values("values")
    product = emitter.node("MatMul", [_swap(emitter, side, side.rank, -2, -3) for side in (x, y)])
    return _swap(emitter, product, x.rank, -2, -3)


def _swap(emitter: Emitter, value: Operand | str, rank: int, one: int, other: int) -> str:
    order = list(range(rank))
    order[one], order[other] = order[other], order[one]
    return emitter.node("Transpose", [value], perm=order)


TRANSLATIONS: dict[str, Translate] = {"einsum": _einsum, "linear": _linear, "matmul": _matmul}
