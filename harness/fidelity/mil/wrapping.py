"""Integers of a program wrap around where its types end; those of the graph are 64 bits wide."""

from harness.fidelity.mil.emitter import Declared, Emitter, Operation

_COMPUTE = """
    abs add cumsum einsum exp2 floor_div linear matmul mul pow real_div reduce_l1_norm reduce_prod reduce_sum
    reduce_sum_square scatter scatter_along_axis scatter_nd square sub
"""
_WIDENS = frozenset(_COMPUTE.split())
"""Operators whose results may be beyond the type of what they read."""


def wrap(emitter: Emitter, operation: Operation, declared: Declared, value: str) -> str:
    """An integer result as the declared type holds it."""
    from onnx import TensorProto

    kinds = {name: int(getattr(TensorProto, name.upper())) for name in ("int8", "uint8", "int16", "uint16", "int32")}
    if operation.type not in _WIDENS or declared.dtype not in kinds:
        return value
    return emitter.cast(emitter.node("Cast", [value], to=kinds[declared.dtype]), "int64")
