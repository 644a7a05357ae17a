"""Reads a .tflite file as a Model and as a Graph, or says in one sentence why it cannot be used.

The main graph is that of the first signature, which is the one LiteRT's compiled model runs by default; without
signatures it is the first subgraph. Its inputs stand in the subgraph's own order under the signature's names: so
does LiteRT 2.3 order its input buffers, whatever the order in the signature. Where a file has several signatures the
others are left alone; `read_signatures` lists them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import Graph, Model, OpNode, TensorSpec
from harness.sources.flatbuffer import FlatbufferDamaged
from harness.sources.macs import macs
from harness.sources.tflite_file import (
    IDENTIFIER,
    GraphRecord,
    OperatorRecord,
    TensorRecord,
    TfliteFile,
    parse,
    shorten,
)

_INPUT_DTYPES = (
    *("float16", "float32", "float64", "complex64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How callers name a subgraph. key None: the file has no signature, and the names are the tensors' own."""

    key: str | None
    graph: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def read_model(
    path: Path,
    *,
    name: str,
    data: Path | None = None,
    metric: str | None = None,
    random_weights: bool = False,
    signature: str | None = None,
) -> Model:
    """Read a source model, to be run by the signature of that key, by its first without one. Raises ModelUnreadable."""
    content = _read(path)
    file = _parse(path, content)
    signatures = _signatures(file)
    chosen = _choose(path, signatures, signature)
    _check_inputs(path, chosen, file.graphs[chosen.graph])
    if not chosen.outputs:
        raise ModelUnreadable(path, "the graph has no outputs, so there is nothing to run it for; export it with some")
    weights = _weights(file)
    return Model(
        name=name,
        format="tflite",
        path=path,
        digest=digest.of_bytes(content),
        size_bytes=len(content),
        inputs=chosen.inputs,
        outputs=chosen.outputs,
        precision=_precision(weights, chosen),
        parameters=sum(tensor.elements or 0 for tensor in weights),
        data=data,
        metric=metric,
        random_weights=random_weights,
        signature=chosen.key,
        signatures=tuple(each.key for each in signatures if each.key is not None),
    )


def read_graph(path: Path, signature: str | None = None) -> Graph:
    """Read the operators of the graph that a signature runs, the first one without. Raises ModelUnreadable."""
    file = _parse(path, _read(path))
    graph = file.graphs[_choose(path, _signatures(file), signature).graph]
    nodes = tuple(_node(i, operator, graph.tensors) for i, operator in enumerate(graph.operators))
    return Graph(nodes=nodes, inputs=graph.inputs)


def read_macs(path: Path, signature: str | None = None) -> int:
    """Multiply-accumulates of one inference, of the operators that have a formula. Raises ModelUnreadable."""
    return sum(node.macs or 0 for node in read_graph(path, signature).nodes)


def read_signatures(path: Path) -> tuple[Signature, ...]:
    """Read all signatures, the main graph's first; one without a key where the file has none.

    Raises ModelUnreadable.
    """
    return _signatures(_parse(path, _read(path)))


def _choose(path: Path, signatures: Sequence[Signature], key: str | None) -> Signature:
    if key is None:
        return signatures[0]
    for signature in signatures:
        if signature.key == key:
            return signature
    keys = ", ".join(shorten(each.key) for each in signatures if each.key is not None) or "none"
    raise ModelUnreadable(path, f"has no signature {shorten(key)}; its signatures: {keys}")


def _read(path: Path) -> bytes:
    """The file's bytes, once it is known to be a .tflite at all."""
    try:
        str(path).encode()
    except UnicodeEncodeError as exc:
        raise ModelUnreadable(ascii(str(path)), "its name is not UTF-8, which LiteRT needs; rename it") from exc
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would be read for ever
            kind = "a directory" if path.is_dir() else "no regular file"
            raise ModelUnreadable(path, f"is {kind}; give a .tflite file")
        content = path.read_bytes()
    except FileNotFoundError as exc:
        raise ModelUnreadable(path, "no such file") from exc
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise ModelUnreadable(path, f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if not content:
        raise ModelUnreadable(path, "the file is empty")
    if content[4:8] != IDENTIFIER:
        raise ModelUnreadable(
            path, f"not a .tflite file: bytes 4 to 7 are {content[4:8]!r} instead of {IDENTIFIER!r}; give a .tflite"
        )
    return content


def _parse(path: Path, content: bytes) -> TfliteFile:
    try:
        file = parse(content)
    except FlatbufferDamaged as exc:
        raise ModelUnreadable(path, f"the file is damaged or cut short: {exc}; export or copy it again") from exc
    if not file.graphs:
        raise ModelUnreadable(path, "the file holds no graph; export it again")
    external = next((t for graph in file.graphs for t in graph.tensors if t.external), None)
    if external is not None:
        raise ModelUnreadable(
            path, f"the weights of {shorten(external.name)} are in another file; export it as one file"
        )
    return file


def _signatures(file: TfliteFile) -> tuple[Signature, ...]:
    if not file.signatures:
        graph = file.graphs[0]
        return (Signature(key=None, graph=0, inputs=_specs(graph, graph.inputs), outputs=_specs(graph, graph.outputs)),)
    return tuple(
        Signature(
            key=record.key,
            graph=record.graph,
            inputs=_specs(file.graphs[record.graph], file.graphs[record.graph].inputs, record.inputs),
            outputs=_specs(file.graphs[record.graph], file.graphs[record.graph].outputs, record.outputs),
        )
        for record in file.signatures
    )


def _specs(
    graph: GraphRecord, indexes: Sequence[int], names: Mapping[int, str] | None = None
) -> tuple[TensorSpec, ...]:
    """Specs in the graph's order, by the signature's names; a name used twice gets a number."""
    seen: Counter[str] = Counter()
    specs = []
    for index in indexes:
        tensor = graph.tensors[index]
        name = (names or {}).get(index, tensor.name)
        seen[name] += 1
        specs.append(_spec(tensor, name if seen[name] == 1 else f"{name}#{seen[name]}"))
    return tuple(specs)


def _spec(tensor: TensorRecord, name: str) -> TensorSpec:
    one = len(tensor.scales) == 1
    return TensorSpec(
        name=name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scale=tensor.scales[0] if one else None,
        zero_point=(tensor.zero_points or (0,))[0] if one else None,
    )


def _check_inputs(path: Path, signature: Signature, graph: GraphRecord) -> None:
    """Refuse what no bench can feed: open shapes and things that are not numbers."""
    for index, spec in zip(graph.inputs, signature.inputs, strict=True):
        if any(size < 1 for size in spec.shape):
            shape = graph.tensors[index].signature_shape or spec.shape
            raise ModelUnreadable(
                path, f"input {shorten(spec.name)} has an open dimension {list(shape)}; export it with a fixed shape"
            )
        if spec.dtype not in _INPUT_DTYPES:
            raise ModelUnreadable(
                path, f"input {shorten(spec.name)} holds {spec.dtype}, and the bench feeds only numbers"
            )


def _weights(file: TfliteFile) -> tuple[TensorRecord, ...]:
    """Constants that were learned: real numbers, or integers with a scale. A shared buffer counts once."""
    weights: dict[int, TensorRecord] = {}
    for graph in file.graphs:
        for tensor in graph.tensors:
            if tensor.buffer is not None and ("float" in tensor.dtype or tensor.scales):
                weights.setdefault(tensor.buffer, tensor)
    return tuple(weights.values())


def _precision(weights: tuple[TensorRecord, ...], signature: Signature) -> str:
    """The dtype that most weight elements have; without weights that of the first output."""
    count: Counter[str] = Counter()
    for tensor in weights:
        count[tensor.dtype] += tensor.elements or 0
    if count:
        return count.most_common(1)[0][0]
    return signature.outputs[0].dtype if signature.outputs else "float32"


def _node(index: int, operator: OperatorRecord, tensors: tuple[TensorRecord, ...]) -> OpNode:
    present = [i for i in operator.inputs if i >= 0]
    computed = tuple(i for i in present if tensors[i].buffer is None)
    first = tensors[operator.outputs[0]] if operator.outputs else None
    return OpNode(
        index=index,
        type=operator.type,
        name=first.name if first else "",
        shape=first.shape if first else (),
        inputs=computed,
        outputs=operator.outputs,
        macs=macs(operator, tensors),
        weight_bytes=sum(tensors[i].buffer_bytes for i in present),
        activation_bytes=sum(tensors[i].size_bytes or 0 for i in (*computed, *operator.outputs)),
    )
