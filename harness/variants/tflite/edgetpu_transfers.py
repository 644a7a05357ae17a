"""What crosses between the processor and the Edge TPU in one inference, by the graph of a compiled file."""

from math import prod
from typing import Any

import numpy as np

from harness.core.units import Bytes
from harness.core.variant import Transfers
from harness.sources.schema_names import TYPES
from harness.sources.tflite_writer import unpack

_PROGRAM = b"edgetpu-custom-op"


def transfers_in(content: bytes) -> Transfers:
    """Inputs and outputs of every program of a file; constants among them are in the program already.

    A tensor that goes from one program to another crosses twice.
    """
    model = unpack(content)
    there: list[Bytes] = []
    back: list[Bytes] = []
    for graph in model.subgraphs:
        for operator in graph.operators or ():
            if model.operatorCodes[operator.opcodeIndex].customCode == _PROGRAM:
                inputs = [graph.tensors[tensor] for tensor in operator.inputs if tensor >= 0]
                there += [_size(tensor) for tensor in inputs if model.buffers[tensor.buffer].data is None]
                back += [_size(graph.tensors[tensor]) for tensor in operator.outputs]
    return Transfers(to_count=len(there), to_bytes=sum(there), from_count=len(back), from_bytes=sum(back))


def _size(tensor: Any) -> Bytes:  # noqa: ANN401 (generated code)
    shape = () if tensor.shape is None else tensor.shape
    return prod(int(size) for size in shape) * np.dtype(TYPES[tensor.type]).itemsize
