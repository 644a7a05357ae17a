"""How callers name the graphs of a .tflite file, their inputs and outputs.

A signature's inputs stand in the subgraph's own order under the signature's names: so does LiteRT 2.3 order its input
buffers, whatever the order in the signature, and for the second signature as for the first. Callers that feed by name
are given the same names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.model import TensorSpec
from harness.sources.tflite_file import GraphRecord, SignatureRecord, TensorRecord, TfliteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How callers name a subgraph. key None: the file has no signature, and the names are the tensors' own.

    open holds the inputs that the source framework left open, by name, -1 for each open dimension.
    """

    key: str | None
    graph: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    open: Mapping[str, tuple[int, ...]]


def signatures(file: TfliteFile) -> tuple[Signature, ...]:
    """All of a file's, in its order; one without a key, over the first graph, where it has none."""
    if not file.signatures:
        return (_signature(file.graphs[0], SignatureRecord(key="", graph=0, inputs={}, outputs={}), None),)
    return tuple(_signature(file.graphs[record.graph], record, record.key) for record in file.signatures)


def _signature(graph: GraphRecord, record: SignatureRecord, key: str | None) -> Signature:
    inputs = _specs(graph, graph.inputs, record.inputs)
    return Signature(
        key=key,
        graph=record.graph,
        inputs=inputs,
        outputs=_specs(graph, graph.outputs, record.outputs),
        open={
            spec.name: shape
            for index, spec in zip(graph.inputs, inputs, strict=True)
            if (shape := _open_shape(graph.tensors[index])) is not None
        },
    )


def _open_shape(tensor: TensorRecord) -> tuple[int, ...] | None:
    shape = tensor.signature_shape or tensor.shape
    return shape if any(size < 0 for size in shape) else None


def _specs(graph: GraphRecord, indexes: Sequence[int], names: Mapping[int, str]) -> tuple[TensorSpec, ...]:
    """Specs in the graph's order, by the signature's names; a name that is taken gets a number."""
    specs: dict[str, TensorSpec] = {}
    for index in indexes:
        tensor = graph.tensors[index]
        name = _free(names.get(index, tensor.name), specs)
        specs[name] = _spec(tensor, name)
    return tuple(specs.values())


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free


def _spec(tensor: TensorRecord, name: str) -> TensorSpec:
    one = len(tensor.scales) == 1
    return TensorSpec(
        name=name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=tensor.scales[0] if one else None,
        zero_point=(tensor.zero_points or (0,))[0] if one else None,
    )
