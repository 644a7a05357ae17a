"""Reads a .tflite file as a Model and as a Graph, or says in one sentence why it cannot be used.

The main graph is that of the signature that was chosen, without a choice that of the first, which is the one LiteRT's
compiled model runs by default; without signatures it is the first subgraph (`signatures.py`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import Graph, Model, OpNode
from harness.sources.flatbuffer import FlatbufferDamaged
from harness.sources.macs import macs
from harness.sources.signatures import Signature, signatures
from harness.sources.tflite_file import (
    IDENTIFIER,
    SCHEMA_VERSION,
    OperatorRecord,
    TensorRecord,
    TfliteFile,
    parse,
    shorten,
    size_of,
)

_INPUT_DTYPES = (
    *("float16", "float32", "float64", "complex64", "bool", "string"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
_INPUT_BYTES = 1 << 31  # of one input: several samples of it are held at once
_UNCOUNTED = ("WHILE", "IF")


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
    offered = signatures(file)
    chosen = _choose(path, offered, signature)
    _check_inputs(path, chosen)
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
        signatures=tuple(each.key for each in offered if each.key is not None),
        notes=tuple(_notes(file, chosen)),
    )


def read_graph(path: Path, signature: str | None = None) -> Graph:
    """Read the operators of the graph that a signature runs, the first one without. Raises ModelUnreadable."""
    file = _parse(path, _read(path))
    graph = file.graphs[_choose(path, signatures(file), signature).graph]
    nodes = tuple(_node(i, operator, graph.tensors) for i, operator in enumerate(graph.operators))
    return Graph(nodes=nodes, inputs=graph.inputs)


def read_signatures(path: Path) -> tuple[Signature, ...]:
    """Read all signatures in the file's order; one without a key where it has none. Raises ModelUnreadable."""
    return signatures(_parse(path, _read(path)))


def read_signature(path: Path, key: str | None = None) -> Signature:
    """Read the signature of that key, the first without one. Raises ModelUnreadable."""
    return _choose(path, read_signatures(path), key)


def signature_in(path: Path, model: Model) -> str | None:
    """The key by which a variant of a model runs what the model runs.

    A variant that was built elsewhere may have other keys, or none; its first signature then stands for the model's
    first. Raises ModelUnreadable where the model runs another than its first.
    """
    offered = read_signatures(path)
    if all(signature.key != model.signature for signature in offered) and _is_first(model):
        return offered[0].key
    return _choose(path, offered, model.signature).key


def _is_first(model: Model) -> bool:
    return model.signature is None or model.signature == model.signatures[0]


def leaves_traces(path: Path, signature: Signature) -> bool:
    """Whether a second inference starts where the first one ended, even if all variables are reset between them.

    LiteRT resets variable tensors, and those of the first graph alone are sure to be there; resource variables it does
    not reset. Raises ModelUnreadable.
    """
    file = _parse(path, _read(path))
    tensors = any(tensor.variable for graph in file.graphs for tensor in graph.tensors)
    resources = any(operator.type == "ASSIGN_VARIABLE" for graph in file.graphs for operator in graph.operators)
    return resources or (tensors and signature.graph != 0)


def _choose(path: Path, offered: Sequence[Signature], key: str | None) -> Signature:
    if key is None:
        return offered[0]
    for signature in offered:
        if signature.key == key:
            return signature
    keys = ", ".join(shorten(each.key) for each in offered[:20] if each.key is not None)
    told = f"its signatures: {keys}" if keys else "it has none at all; leave `signature` out"
    raise ModelUnreadable(path, f"has no signature {shorten(key)}; {told}")


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
    if file.version != SCHEMA_VERSION:
        raise ModelUnreadable(
            path, f"its schema has version {file.version}, and LiteRT reads version {SCHEMA_VERSION}; export it again"
        )
    if not file.graphs:
        raise ModelUnreadable(path, "the file holds no graph; export it again")
    external = next((t for graph in file.graphs for t in graph.tensors if t.external), None)
    if external is not None:
        raise ModelUnreadable(
            path, f"the weights of {shorten(external.name)} are in another file; export it as one file"
        )
    return file


def _check_inputs(path: Path, signature: Signature) -> None:
    """Refuse what no bench can feed: open shapes, nothing at all, too much, and things that no array holds."""
    for spec in signature.inputs:
        name = shorten(spec.name)
        if any(size < 1 for size in spec.shape):
            opened = spec.name in signature.open
            shape = list(signature.open[spec.name] if opened else spec.shape)
            what = f"has an open dimension {shape}" if opened else f"holds nothing, {shape}"
            example = [max(size, 1) for size in shape]
            raise ModelUnreadable(path, f"input {name} {what}; give input_shapes: {{{name}: {example}}}")
        if spec.dtype not in _INPUT_DTYPES:
            raise ModelUnreadable(path, f"input {name} holds {spec.dtype}, which the bench does not feed")
        if (size_of(spec.shape, spec.dtype) or 0) > _INPUT_BYTES:
            raise ModelUnreadable(
                path, f"input {name} has the shape {list(spec.shape)}, more than 2 GiB; make it smaller"
            )


def _notes(file: TfliteFile, signature: Signature) -> Iterator[str]:
    for spec in signature.inputs:
        if spec.name in signature.open:
            left, runs = list(signature.open[spec.name]), list(spec.shape)
            yield f"input {shorten(spec.name)} is open, {left}, and runs as {runs}; input_shapes sets another shape"
    inner = {operator.type for operator in file.graphs[signature.graph].operators}.intersection(_UNCOUNTED)
    if inner:
        yield f"multiply-accumulates are those of the main graph, without the bodies of {' and '.join(sorted(inner))}"


def _weights(file: TfliteFile) -> tuple[TensorRecord, ...]:
    """Constants that were learned: real numbers, or integers with a scale. A shared buffer counts once."""
    weights: dict[int, TensorRecord] = {}
    for graph in file.graphs:
        for tensor in graph.tensors:
            if tensor.buffer is not None and ("float" in tensor.dtype or tensor.scales):
                weights.setdefault(tensor.buffer, tensor)
    return tuple(weights.values())


def _precision(weights: tuple[TensorRecord, ...], signature: Signature) -> str:
    """The dtype of most weight elements; without weights float32 where an end has it, else the first output's."""
    count: Counter[str] = Counter()
    for tensor in weights:
        count[tensor.dtype] += tensor.elements or 0
    if count:
        return count.most_common(1)[0][0]
    ends = [spec.dtype for spec in (*signature.inputs, *signature.outputs)]
    return "float32" if "float32" in ends or not signature.outputs else signature.outputs[0].dtype


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
