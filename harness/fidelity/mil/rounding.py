"""Rounding to float16, as an ML Program's values are: after which operations, and a proof that it happens.

A graph typed float16 would not do: onnxruntime computes it in float32 and drops the rounding between operators. A Cast
to float16 and one back survive its optimisations in the version that is pinned; older ones removed such pairs
(microsoft/onnxruntime#8787).
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from harness.core.deadline import Deadline
from harness.core.errors import ReferenceUnable
from harness.fidelity.array import Array
from harness.fidelity.mil.emitter import Emitter, Operand, Operation
from harness.fidelity.mil.session import Graph, Port, limited, open_session, versions

_LIMIT_S = 10.0  # for a graph of a dozen values
_KEEP = """
    abs band_part batch_to_space ceil clip concat cond coreml_update_state crop depth_to_space expand_dims fill
    fill_like flatten2d floor gather gather_along_axis gather_nd identity list_gather list_read list_scatter
    list_write make_list max_pool maximum minimum non_maximum_suppression one_hot pad pixel_shuffle pixel_unshuffle
    read_state reduce_max reduce_min relu relu6 reshape reshape_like resize_nearest_neighbor reverse
    reverse_sequence round select sign slice_by_index slice_by_size slice_update sliding_windows space_to_batch
    space_to_depth split squeeze stack threshold thresholded_relu tile topk transpose upsample_nearest_neighbor
    while_loop
"""
KEEPS = frozenset(_KEEP.split())
"""Operators whose results are float16 values where what they read are: they move, choose, or round to integers."""

COMMUTES = frozenset(("relu", "relu6", "clip"))
"""Operators for which f(round(x)) = round(f(x)): they do not fall, and their bounds are float16 values."""


def keeps_float16(operation: Operation) -> bool:
    """Whether float16 results need no rounding, given that every float16 input is rounded."""
    groups = (operation.values(name) for name in operation.inputs)
    floats = [operand for group in groups for operand in group if operand.is_float]
    return operation.type in KEEPS and all(operand.dtype == "fp16" for operand in floats)


def round_to_float16(emitter: Emitter, value: Operand | str) -> str:
    """The value rounded to the nearest float16, ties to even, as float32."""
    from onnx import TensorProto

    return emitter.cast(emitter.node("Cast", [value], to=TensorProto.FLOAT16), "float32")


def _round_in_session(values: Array) -> Array:
    """0.3 times the positive part of the rounded sum of values with themselves, rounded."""
    emitter = Emitter()
    total = round_to_float16(emitter, emitter.node("Add", ["x", "x"]))
    scaled = emitter.node("Mul", [emitter.node("Relu", [total]), emitter.real(0.3)])
    result = round_to_float16(emitter, scaled)
    port = Port(name="x", dtype="float32", shape=(None,))
    graph = Graph(emitter=emitter, inputs=(port,), outputs=(Port(name=result, dtype="float32", shape=None),))
    with limited(Deadline(_LIMIT_S)) as limit:
        return open_session(graph, threads=1).run({"x": values}, limit)[result]


@cache
def prove_rounding(compute: Callable[[Array], Array] = _round_in_session) -> None:
    """Run a graph whose results tell rounding from none. Raises ReferenceUnable, with versions, where it is lost.

    Halves of an ulp, subnormals and what overflows are among the values; sums before and after are what an optimiser
    fuses.
    """
    values = np.array([1 + 2**-12, 1 + 3 * 2**-11, 2**-25 * 1.5, 65519.0, 65520.0, -(1 + 2**-11), 0.1], np.float32)
    with np.errstate(over="ignore"):
        total = (values + values).astype(np.float16).astype(np.float32)
    wanted = (np.maximum(total, 0) * np.float32(0.3)).astype(np.float16).astype(np.float32)
    if not np.array_equal(compute(values), wanted):
        raise ReferenceUnable(
            f"{versions()} does not round to float16 where it is told to, so no result of a float16 program would be"
            " that program's; install the pinned version"
        )
