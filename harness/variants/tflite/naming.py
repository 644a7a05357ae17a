"""Names in a .tflite file: ai-edge-quantizer finds tensors by name and runs models by signature."""

from collections import Counter
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_DEFAULT_KEY = "serving_default"


def ensure_names(content: bytes) -> bytes:
    """The model with a name of its own for every tensor and a signature; unchanged where it had them.

    Files from before 2021 have no signatures; some exporters repeat names or leave them out.
    """
    packed = schema.Model.GetRootAs(content, 0)
    if packed.SignatureDefsLength() and _are_unique(packed):
        return content
    model = flatbuffer_utils.read_model_from_bytearray(content)
    _rename(model)
    if not model.signatureDefs:
        model.signatureDefs = [_signature(model.subgraphs[0])]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def signature_inputs(content: bytes, key: str | None = None) -> tuple[str, dict[int, str]]:
    """A signature's key, and its input names by position among the inputs of the graph it runs.

    key None is the first one. The file has it.
    """
    model = schema.Model.GetRootAs(content, 0)
    signatures = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
    signature = next(each for each in signatures if key is None or each.SignatureKey().decode() == key)
    graph = model.Subgraphs(signature.SubgraphIndex())
    positions = {graph.Inputs(i): i for i in range(graph.InputsLength())}
    entries = [signature.Inputs(i) for i in range(signature.InputsLength())]
    names = {positions[entry.TensorIndex()]: entry.Name().decode() for entry in entries}
    return signature.SignatureKey().decode(), names


def _are_unique(packed: Any) -> bool:  # noqa: ANN401 (generated code)
    graphs = [packed.Subgraphs(i) for i in range(packed.SubgraphsLength())]
    names = [graph.Tensors(i).Name() for graph in graphs for i in range(graph.TensorsLength())]
    return all(names) and len(set(names)) == len(names)


def _rename(model: Any) -> None:  # noqa: ANN401 (generated code)
    """Number the names that are used again, and those that are empty."""
    seen: Counter[str] = Counter()
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        name = (tensor.name or b"").decode("utf-8", "backslashreplace") or "tensor"
        seen[name] += 1
        while seen[name] > 1 and seen[f"{name}#{seen[name]}"]:
            seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        seen[unique] = max(seen[unique], 1)
        tensor.name = unique.encode()


def _signature(graph: Any) -> Any:  # noqa: ANN401 (generated code)
    signature = schema.SignatureDefT()
    signature.signatureKey = _DEFAULT_KEY
    signature.subgraphIndex = 0
    signature.inputs = [_entry(graph, int(index)) for index in graph.inputs]
    signature.outputs = [_entry(graph, int(index)) for index in graph.outputs]
    return signature


def _entry(graph: Any, index: int) -> Any:  # noqa: ANN401 (generated code)
    entry = schema.TensorMapT()
    entry.name = graph.tensors[index].name
    entry.tensorIndex = index
    return entry
