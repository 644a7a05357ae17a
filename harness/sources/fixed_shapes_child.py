"""The inside of the process that fixes shapes: the runtime says every tensor's shape, and the copy has them.

    python -m harness.sources.fixed_shapes_child SOURCE TARGET '{"graph": 0, "shapes": [[4, 224, 224, 3]]}'

shapes stand in the order of the graph's inputs. What the runtime refuses is on stdout, in its words; exit code 1.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Shapes = Mapping[int, Sequence[int]]


def main(source: str, target: str, job: str) -> int:
    """Write the copy; 0, or 1 with the reason on stdout."""
    from harness.sources.tflite_writer import pack, unpack

    asked = json.loads(job)
    model = unpack(Path(source).read_bytes())
    inputs = dict(zip(map(int, model.subgraphs[asked["graph"]].inputs), asked["shapes"], strict=True))
    try:
        found = _shapes(source, asked["graph"], inputs, len(model.subgraphs))
        for number, (graph, shapes) in enumerate(zip(model.subgraphs, found, strict=True)):
            _fix(graph, shapes, whole=number == asked["graph"])
        Path(target).write_bytes(pack(model))
    except (RuntimeError, ValueError) as problem:
        sys.stdout.write(str(problem))
        return 1
    return 0


def _shapes(source: str, graph: int, inputs: Shapes, graphs: int) -> list[Shapes]:
    """Every graph's shapes by tensor, once the asked graph is prepared and, if it can, has run on zeros.

    Without delegates: what XNNPACK swallows has no shapes. Running settles tensors that are sized by other tensors.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=source, experimental_op_resolver_type=resolver, num_threads=1)
    # The public methods know the first graph alone.
    wrapper = interpreter._interpreter
    for index, shape in inputs.items():
        wrapper.ResizeInputTensor(index, _array(shape), False, graph)
    wrapper.AllocateTensors(graph)
    _invoke(interpreter, graph, inputs)
    return [_read(interpreter, number) for number in range(graphs)]


def _invoke(interpreter: Any, graph: int, inputs: Shapes) -> None:  # noqa: ANN401 (untyped)
    import numpy as np

    kinds = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details(subgraph_index=graph)}
    wrapper = interpreter._interpreter
    for index, shape in inputs.items():
        wrapper.SetTensor(index, np.zeros(shape, kinds[index]), graph)
    try:
        wrapper.Invoke(graph)
    except RuntimeError:
        return  # zeros may be no input for it; what was prepared is known


def _array(shape: Sequence[int]) -> Any:  # noqa: ANN401 (an int32 array)
    import numpy as np

    return np.array(shape, np.int32)


def _read(interpreter: Any, graph: int) -> Shapes:  # noqa: ANN401 (untyped)
    details = interpreter.get_tensor_details(subgraph_index=graph)
    return {detail["index"]: [int(size) for size in detail["shape"]] for detail in details}


def _fix(graph: Any, shapes: Shapes, *, whole: bool) -> None:  # noqa: ANN401 (generated code)
    """Give a graph's tensors their shapes; a graph that did not run keeps what it leaves open."""
    for index, tensor in enumerate(graph.tensors):
        shape = shapes.get(index)
        if shape is None:
            continue
        changed = shape != [int(size) for size in (tensor.shape if tensor.shape is not None else ())]
        if changed:
            tensor.shape = _array(shape)
        if whole or changed:
            tensor.shapeSignature = None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
