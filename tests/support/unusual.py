"""Models that are allowed and seldom seen: state, loops, branches, strings, open shapes; and some that break runtimes.

`folder_of_models` writes all of them. What LiteRT does with each stands in tests/unit/harness/sources/.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import GraphWriter, ModelWriter, Tensor
from tests.support import models
from tests.support.models import finish, finish_graph

_TANH = schema.ActivationFunctionType.TANH


def lstm(steps: int = 4) -> bytes:
    """A sequence LSTM whose state is held in variable tensors from one inference to the next."""
    writer = ModelWriter()
    graph = writer.graph()
    x, y = _lstm(graph, steps)
    return finish(writer, graph, {"x": x}, {"y": y})


def second_lstm() -> bytes:
    """The LSTM as the second signature, `remember`, over the second graph."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    finish_graph(writer, graph, {"x": x}, {"y": ops.unary(graph, "TANH", x, name="y")}, "forget")
    graph = writer.graph("second")
    x, y = _lstm(graph, 4)
    finish_graph(writer, graph, {"x": x}, {"y": y}, "remember")
    return writer.pack()


def _lstm(graph: GraphWriter, steps: int, width: int = 3, cells: int = 5) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    x, y = graph.input("x", (1, steps, width)), graph.tensor("y", (1, steps, cells))

    def four(what: str, *shape: int) -> list[Tensor]:
        values = [rng.normal(0, 0.5, shape).astype(np.float32) for _ in range(4)]
        return [graph.constant(f"{what}/{gate}", value) for gate, value in zip("ifco", values, strict=True)]

    state = [graph.variable(name, (1, cells)) for name in ("h", "c")]
    inputs = [x, *four("w", cells, width), *four("r", cells, cells), None, None, None, *four("b", cells), None, None]
    options = schema.UnidirectionalSequenceLSTMOptionsT(fusedActivationFunction=_TANH)
    graph.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [*inputs, *state], (y,), options=options)
    return x, y


def counting_while() -> bytes:
    """x + |x| + 1 until that is 100 or more, which it is for every x at last: three subgraphs."""
    writer = ModelWriter()
    graph = writer.graph()
    x, y = graph.input("x", (1,)), graph.tensor("y", (1,))
    graph.op("WHILE", (x,), (y,), options=schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2))
    finish_graph(writer, graph, {"x": x}, {"y": y})
    condition = writer.graph("condition")
    x, goes_on = condition.input("x", (1,)), condition.tensor("goes on", (1,), "bool")
    limit = condition.constant("limit", np.array([100], np.float32))
    condition.op("LESS", (x, limit), (goes_on,), options=schema.LessOptionsT())
    condition.output(goes_on)
    body = writer.graph("body")
    x = body.input("x", (1,))
    more = ops.add(body, x, body.constant("one", np.array([1], np.float32)), name="more")
    body.output(ops.add(body, more, ops.unary(body, "ABS", x, name="size"), name="raised"))
    return writer.pack()


def branch() -> bytes:
    """Two ways through: tanh of x where `high` holds, else x plus one."""
    writer = ModelWriter()
    graph = writer.graph()
    high, x = graph.input("high", (1,), "bool"), graph.input("x", (1, 4))
    y = graph.tensor("y", (1, 4))
    graph.op("IF", (high, x), (y,), options=schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=2))
    finish_graph(writer, graph, {"high": high, "x": x}, {"y": y})
    then = writer.graph("then")
    then.output(ops.unary(then, "TANH", then.input("x", (1, 4)), name="bent"))
    other = writer.graph("else")
    one = other.constant("one", np.ones((1, 4), np.float32))
    other.output(ops.add(other, other.input("x", (1, 4)), one, name="raised"))
    return writer.pack()


def resource_variable() -> bytes:
    """A sum that grows with every inference, in a resource variable that CALL_ONCE sets to zero."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    graph.op("CALL_ONCE", (), (), options=schema.CallOnceOptionsT(initSubgraphIndex=1))
    handle = _handle(graph)
    before = graph.tensor("before", (1, 4))
    graph.op("READ_VARIABLE", (handle,), (before,), options=schema.ReadVariableOptionsT())
    after = ops.add(graph, before, x, name="after")
    graph.op("ASSIGN_VARIABLE", (handle, after), (), options=schema.AssignVariableOptionsT())
    finish_graph(writer, graph, {"x": x}, {"sum": after})
    begin = writer.graph("begin")
    zero = begin.constant("zero", np.zeros((1, 4), np.float32))
    begin.op("ASSIGN_VARIABLE", (_handle(begin), zero), (), options=schema.AssignVariableOptionsT())
    return writer.pack()


def resource_output() -> bytes:
    """No weights, and a handle to a resource as its first output."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    return finish(writer, graph, {"x": x}, {"handle": _handle(graph), "y": ops.unary(graph, "TANH", x, name="y")})


def _handle(graph: GraphWriter) -> Tensor:
    handle = graph.tensor("handle", (), "resource")
    graph.op("VAR_HANDLE", (), (handle,), options=schema.VarHandleOptionsT(container="", sharedName="sum"))
    return handle


def hash_table() -> bytes:
    """Words looked up in a table that CALL_ONCE fills: `zero` is 0, `one` is 1, all others -1."""
    writer = ModelWriter()
    graph = writer.graph()
    words = graph.input("words", (2,), "string")
    graph.op("CALL_ONCE", (), (), options=schema.CallOnceOptionsT(initSubgraphIndex=1))
    found = graph.tensor("found", (2,), "int64")
    missing = graph.constant("missing", np.array([-1], np.int64))
    graph.op("HASHTABLE_FIND", (_table(graph), words, missing), (found,), options=schema.HashtableFindOptionsT())
    finish_graph(writer, graph, {"words": words}, {"found": found})
    begin = writer.graph("begin")
    keys, values = begin.constant_strings("keys", (b"zero", b"one"), (2,)), np.array([0, 1], np.int64)
    pairs = (_table(begin), keys, begin.constant("values", values))
    begin.op("HASHTABLE_IMPORT", pairs, (), options=schema.HashtableImportOptionsT())
    return writer.pack()


def _table(graph: GraphWriter) -> Tensor:
    handle = graph.tensor("table", (1,), "resource")
    kinds = {"keyDtype": schema.TensorType.STRING, "valueDtype": schema.TensorType.INT64}
    graph.op("HASHTABLE", (), (handle,), options=schema.HashtableOptionsT(tableId=1, **kinds))
    return handle


def string_equality() -> bytes:
    """Whether each of two words is `yes`: strings in, flags out."""
    writer = ModelWriter()
    graph = writer.graph()
    words = graph.input("words", (2,), "string")
    same = graph.tensor("same", (2,), "bool")
    yes = graph.constant_strings("yes", (b"yes", b"yes"), (2,))
    graph.op("EQUAL", (words, yes), (same,), options=schema.EqualOptionsT())
    return finish(writer, graph, {"words": words}, {"same": same})


def string_gather() -> bytes:
    """Strings in another order: strings in, strings out."""
    writer = ModelWriter()
    graph = writer.graph()
    words = graph.input("words", (3,), "string")
    order = graph.constant("order", np.array([2, 0, 1], np.int32))
    turned = graph.tensor("turned", (3,), "string")
    graph.op("GATHER", (words, order), (turned,), options=schema.GatherOptionsT())
    return finish(writer, graph, {"words": words}, {"turned": turned})


def two_signatures_one_graph() -> bytes:
    """Two signatures over one graph: `scores` hands out both outputs, `only_b` is the same graph under other names.

    The graph's inputs are b (1, 2), a (1, 3); each signature lists them a first.
    """
    writer = ModelWriter()
    graph = writer.graph()
    b, a = graph.input("tb", (1, 2)), graph.input("ta", (1, 3))
    bent, raised = ops.unary(graph, "TANH", a, name="bent"), ops.unary(graph, "EXP", b, name="raised")
    graph.output(bent, raised)
    writer.signature(graph, {"a": a, "b": b}, {"bent": bent, "raised": raised}, "both")
    writer.signature(graph, {"left": a, "right": b}, {"raised": raised, "bent": bent}, "turned")
    return writer.pack()


def two_signatures_two_graphs() -> bytes:
    """`encode` over the first graph, `decode` over the second, whose inputs stand in another order than its names.

    decode: tb (1, 2), tc (1, 3), ta (1, 4) in the graph; c, a, b in the signature.
    """
    writer = ModelWriter()
    graph = writer.graph("encode")
    x = graph.input("x", (1, 6))
    finish_graph(writer, graph, {"x": x}, {"y": ops.unary(graph, "TANH", x, name="y")}, "encode")
    graph = writer.graph("decode")
    b, c, a = graph.input("tb", (1, 2)), graph.input("tc", (1, 3)), graph.input("ta", (1, 4))
    joined = ops.concatenation(graph, (a, b, c), 1, name="tjoined")
    bent = ops.unary(graph, "TANH", c, name="tbent")
    finish_graph(writer, graph, {"c": c, "a": a, "b": b}, {"joined": joined, "bent": bent}, "decode")
    return writer.pack()


def dynamic_batch() -> bytes:
    """A convolution with an open batch and an open size: [-1, -1, -1, 3], written as 1 each."""
    rng = np.random.default_rng(0)
    writer = ModelWriter()
    graph = writer.graph()
    image = graph.input("image", (1, 1, 1, 3), signature_shape=(-1, -1, -1, 3))
    weights, bias = rng.normal(size=(4, 3, 3, 3)).astype(np.float32), np.zeros(4, np.float32)
    x = ops.conv_2d(graph, image, weights, bias, name="features")
    x = ops.mean(graph, x, (1, 2), name="pooled")
    return finish(writer, graph, {"image": image}, {"scores": ops.softmax(graph, x, name="scores")})


def two_open_inputs() -> bytes:
    """Two inputs that are open in the file itself: (0, 4), [-1, 4]."""
    writer = ModelWriter()
    graph = writer.graph()
    x, y = (graph.input(name, (0, 4), signature_shape=(-1, 4)) for name in "xy")
    z = graph.tensor("z", (0, 4))
    graph.op("ADD", (x, y), (z,), options=schema.AddOptionsT())
    return finish(writer, graph, {"x": x, "y": y}, {"z": z})


def open_output() -> bytes:
    """An output whose size only the values decide: where x is not zero."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (4,))
    y = graph.tensor("y", (1, 1), "int64")
    graph.table.tensors[y.index].shapeSignature = [-1, 1]
    graph.op("WHERE", (x,), (y,))
    return finish(writer, graph, {"x": x}, {"y": y})


def scalar_input() -> bytes:
    """A number without dimensions added to four others."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", ())
    four = graph.constant("four", np.arange(4, dtype=np.float32))
    y = graph.tensor("y", (4,))
    graph.op("ADD", (x, four), (y,), options=schema.AddOptionsT())
    return finish(writer, graph, {"x": x}, {"y": y})


def zero_size() -> bytes:
    """A tensor without an element on the way: x joined with nothing."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    nothing = graph.constant("nothing", np.zeros((0, 4), np.float32))
    y = graph.tensor("y", (1, 4))
    graph.op("CONCATENATION", (x, nothing), (y,), options=schema.ConcatenationOptionsT(axis=0))
    return finish(writer, graph, {"x": x}, {"y": y})


def zero_size_input() -> bytes:
    """An input without an element, which is not open: (0, 4)."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (0, 4))
    y = graph.tensor("y", (0, 4))
    graph.op("TANH", (x,), (y,))
    return finish(writer, graph, {"x": x}, {"y": y})


def huge_im2col(size: int = 2048, kernel: int = 129) -> bytes:
    """A convolution whose patches, laid side by side, would take 280 GB; the file has 70 kB."""
    writer = ModelWriter()
    graph = writer.graph()
    image = graph.input("image", (1, size, size, 1))
    weights, bias = np.full((1, kernel, kernel, 1), 1e-4, np.float32), np.zeros(1, np.float32)
    x = ops.conv_2d(graph, image, weights, bias, name="features")
    return finish(writer, graph, {"image": image}, {"pooled": ops.mean(graph, x, (1, 2), name="pooled")})


def wrong_version() -> bytes:
    """Schema version 2, which LiteRT no longer reads."""
    writer = ModelWriter(schema_version=2)
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    return finish(writer, graph, {"x": x}, {"y": ops.unary(graph, "TANH", x, name="y")})


def aborting(*, opened: bool = False) -> bytes:
    """A maximum over nine dimensions: the kernel checks for eight and ends the process by SIGABRT.

    The file declares fewer, since the compiled-model API refuses tensors of nine while it loads; whole numbers, since
    XNNPACK refuses such shapes of real ones.
    """
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (4,), "int32", signature_shape=(-1,) if opened else None)
    y = graph.input("y", (2,), "int32")
    long_x = _reshape(graph, x, "long x", (4,), (*[1] * 8, 4))
    long_y = _reshape(graph, y, "long y", (2,), (*[1] * 7, 2, 1))
    most = graph.tensor("most", (2, 4), "int32")
    graph.op("MAXIMUM", (long_x, long_y), (most,), options=schema.MaximumMinimumOptionsT())
    return finish(writer, graph, {"x": x, "y": y}, {"z": _reshape(graph, most, "z", (8,), (8,))})


def _reshape(graph: GraphWriter, x: Tensor, name: str, declared: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    out = graph.tensor(name, declared, x.dtype)
    into = graph.constant(f"{name}/shape", np.array(shape, np.int32))
    graph.op("RESHAPE", (x, into), (out,), options=schema.ReshapeOptionsT())
    return out


FOLDER: Mapping[str, Callable[[], bytes]] = {
    "aborting": aborting,
    "branch": branch,
    "custom_op": models.custom_op,
    "dynamic_batch": dynamic_batch,
    "hash_table": hash_table,
    "huge_im2col": huge_im2col,
    "lstm": lstm,
    "no_inputs": models.no_inputs,
    "no_signature": models.no_signature,
    "open_output": open_output,
    "open_shape": models.open_shape,
    "plain": models.tiny_cnn,
    "recursion": models.crashing,
    "resource_variable": resource_variable,
    "scalar_input": scalar_input,
    "string_equality": string_equality,
    "string_gather": string_gather,
    "two_graphs": two_signatures_two_graphs,
    "two_signatures": two_signatures_one_graph,
    "while": counting_while,
    "wrong_version": wrong_version,
    "zero_size": zero_size,
    "zero_size_input": zero_size_input,
}


def folder_of_models(directory: Path) -> tuple[Path, ...]:
    """Write every model of `FOLDER` as NAME.tflite, and two files that are none; the files in order of their names."""
    directory.mkdir(parents=True, exist_ok=True)
    written = [models.write_model(directory, build(), f"{name}.tflite") for name, build in FOLDER.items()]
    written.append(models.write_model(directory, models.tiny_cnn()[:1000], "cut_short.tflite"))
    written.append(models.write_model(directory, b"", "empty.tflite"))
    return tuple(sorted(written))
