"""Small .tflite models for tests, as bytes. `write_model` puts one in a file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Quantization, Tensor

HOSTILE_NAME = "</script><script>alert(1)</script>\n'\"`$(touch x);../../etc/passwd%s\x07" + "x" * 10_000


def write_model(directory: Path, content: bytes, name: str = "model.tflite") -> Path:
    """Write a model's bytes below directory and return the path."""
    path = directory / name
    path.write_bytes(content)
    return path


def tiny_cnn(seed: int = 0) -> bytes:
    """Image 8x8x3, convolution, mean, fully connected to 4 classes, softmax. Runs in microseconds."""
    rng = np.random.default_rng(seed)
    writer = ModelWriter()
    graph = writer.graph()
    image = graph.input("image", (1, 8, 8, 3))
    x = _conv(graph, rng, image, 8, "features")
    x = ops.mean(graph, x, (1, 2), name="pooled")
    x = ops.fully_connected(graph, x, _normal(rng, 4, 8), np.zeros(4, np.float32), name="logits")
    return finish(writer, graph, {"image": image}, {"scores": ops.softmax(graph, x, name="scores")})


def partitioned() -> bytes:
    """Three convolutions with operators between them that XNNPACK does not take: three delegate partitions."""
    rng = np.random.default_rng(1)
    writer = ModelWriter()
    graph = writer.graph()
    image = graph.input("image", (1, 16, 16, 8))
    x = _conv(graph, rng, image, 8, "first")
    x = _reverse(graph, x, "first/reversed")
    x = _conv(graph, rng, x, 8, "second")
    x = _reverse(graph, x, "second/reversed")
    return finish(writer, graph, {"image": image}, {"out": _conv(graph, rng, x, 8, "third")})


def many_ops(count: int = 200) -> bytes:
    """A chain of count small operators: additions and hyperbolic tangents in turn."""
    writer = ModelWriter()
    graph = writer.graph()
    x = start = graph.input("x", (1, 32))
    half = graph.constant("half", np.full((1, 32), 0.5, np.float32))
    for i in range(count):
        x = ops.add(graph, x, half, name=f"add{i}") if i % 2 == 0 else ops.unary(graph, "TANH", x, name=f"tanh{i}")
    return finish(writer, graph, {"x": start}, {"y": x})


def hostile_names() -> bytes:
    """A working model whose every name is `HOSTILE_NAME` and a little more."""
    writer = ModelWriter()
    graph = writer.graph(HOSTILE_NAME)
    x = graph.input(f"{HOSTILE_NAME}/in", (1, 4))
    y = ops.fully_connected(graph, x, np.eye(4, dtype=np.float32), None, name=f"{HOSTILE_NAME}/out")
    return finish(writer, graph, {f"{HOSTILE_NAME}/in": x}, {f"{HOSTILE_NAME}/out": y}, HOSTILE_NAME)


def custom_op(name: str = "NoSuchOperator") -> bytes:
    """An operator that no runtime has."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    y = graph.tensor("y", (1, 4))
    graph.op(name, (x,), (y,), custom=True)
    return finish(writer, graph, {"x": x}, {"y": y})


def string_input() -> bytes:
    """An input of strings."""
    writer = ModelWriter()
    graph = writer.graph()
    text = graph.input("text", (1,), "string")
    copy = ops.reshape(graph, text, (1, 1), name="copy")
    return finish(writer, graph, {"text": text}, {"copy": copy})


def open_shape() -> bytes:
    """An input without a concrete shape."""
    return _dense((0, 4), (-1, 4))


def open_signature_shape() -> bytes:
    """An input that was open in the source framework and has a concrete shape in the file, as Keras exports it."""
    return _dense((1, 4), (-1, 4))


def several_inputs() -> bytes:
    """Three inputs and two outputs, in another order in the signature than in the graph.

    Graph: tb (1, 2), tc (1, 3), ta (1, 4); signature: c, a, b.
    """
    writer = ModelWriter()
    graph = writer.graph()
    b, c, a = graph.input("tb", (1, 2)), graph.input("tc", (1, 3)), graph.input("ta", (1, 4))
    joined = ops.concatenation(graph, (a, b, c), 1, name="tjoined")
    bent = ops.unary(graph, "TANH", c, name="tbent")
    return finish(writer, graph, {"c": c, "a": a, "b": b}, {"joined": joined, "bent": bent})


def several_signatures() -> bytes:
    """Two signatures over two graphs; the first, `encode`, is over the second graph (6 wide instead of 4)."""
    writer = ModelWriter()
    named = []
    for key, width in (("decode", 4), ("encode", 6)):
        graph = writer.graph(key)
        x = graph.input("x", (1, width))
        y = ops.unary(graph, "TANH", x, name="y")
        graph.output(y)
        named.append((graph, x, y, key))
    for graph, x, y, key in reversed(named):
        writer.signature(graph, {"x": x}, {"y": y}, key)
    return writer.pack()


def no_signature() -> bytes:
    """A graph without names for callers."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    graph.output(ops.unary(graph, "TANH", x, name="y"))
    return writer.pack()


def no_inputs() -> bytes:
    """A graph that computes a constant."""
    writer = ModelWriter()
    graph = writer.graph()
    k = graph.constant("k", np.arange(4, dtype=np.float32).reshape(1, 4))
    return finish(writer, graph, {}, {"y": ops.unary(graph, "TANH", k, name="y")})


def no_outputs() -> bytes:
    """A graph that computes something and hands nothing out."""
    writer = ModelWriter()
    graph = writer.graph()
    ops.unary(graph, "TANH", graph.input("x", (1, 4)), name="y")
    return writer.pack()


def endless(*, opened: bool = False) -> bytes:
    """A loop that never ends: running it hangs. opened: the file leaves its input open."""
    return _loop(body=2, opened=opened)


def crashing() -> bytes:
    """A loop whose body is the graph that it stands in: LiteRT recurses until the process dies by SIGSEGV."""
    return _loop(body=0)


def _loop(body: int, *, opened: bool = False) -> bytes:
    """WHILE x < 1e9 over one number; graphs: 0 the model, 1 the condition, 2 a body that leaves x as it is."""
    writer = ModelWriter()
    graph = writer.graph()
    x, y = graph.input("x", (1,), signature_shape=(-1,) if opened else None), graph.tensor("y", (1,))
    graph.op("WHILE", (x,), (y,), options=schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=body))
    graph.output(y)
    condition = writer.graph("condition")
    x, goes_on = condition.input("x", (1,)), condition.tensor("goes on", (1,), "bool")
    limit = condition.constant("limit", np.array([1e9], np.float32))
    condition.op("LESS", (x, limit), (goes_on,), options=schema.LessOptionsT())
    condition.output(goes_on)
    rest = writer.graph("body")
    x = rest.input("x", (1,))
    rest.output(ops.mul(rest, x, rest.constant("one", np.array([1], np.float32)), name="same"))
    return writer.pack()


def no_graph() -> bytes:
    """A file with nothing in it."""
    return ModelWriter().pack()


def int8_io() -> bytes:
    """int8 in (scale 0.5, zero point 3) and int8 out (scale 0.25, zero point -1) around a float identity."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4), "int8", quantization=Quantization(scale=0.5, zero_point=3))
    real = graph.tensor("real", (1, 4))
    graph.op("DEQUANTIZE", (x,), (real,), version=2)
    bent = ops.fully_connected(graph, real, np.eye(4, dtype=np.float32), None, name="bent")
    y = graph.tensor("y", (1, 4), "int8", quantization=Quantization(scale=0.25, zero_point=-1))
    graph.op("QUANTIZE", (bent,), (y,))
    return finish(writer, graph, {"x": x}, {"y": y})


def _dense(shape: tuple[int, int], signature_shape: tuple[int, int]) -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", shape, signature_shape=signature_shape)
    y = graph.tensor("y", shape)
    inputs = (x, graph.constant("w", np.eye(4, dtype=np.float32)), None)
    graph.op("FULLY_CONNECTED", inputs, (y,), options=schema.FullyConnectedOptionsT())
    return finish(writer, graph, {"x": x}, {"y": y})


def _conv(graph: GraphWriter, rng: np.random.Generator, x: Tensor, channels: int, name: str) -> Tensor:
    weights = _normal(rng, channels, 3, 3, x.shape[3])
    return ops.conv_2d(graph, x, weights, np.zeros(channels, np.float32), name=name, activation="RELU6")


def _reverse(graph: GraphWriter, x: Tensor, name: str) -> Tensor:
    out = graph.tensor(name, x.shape)
    axis = graph.constant(f"{name}/axis", np.array([1], np.int32))
    graph.op("REVERSE_V2", (x, axis), (out,), options=schema.ReverseV2OptionsT())
    return out


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    """He-scaled weights for a fan-in of all dimensions but the first."""
    return rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)


def finish(
    writer: ModelWriter,
    graph: GraphWriter,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
    key: str = "serving_default",
) -> bytes:
    """The model's bytes, with the ends of its one graph named for callers."""
    finish_graph(writer, graph, inputs, outputs, key)
    return writer.pack()


def finish_graph(
    writer: ModelWriter,
    graph: GraphWriter,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
    key: str = "serving_default",
) -> None:
    """Name a graph's ends for callers."""
    graph.output(*outputs.values())
    writer.signature(graph, inputs, outputs, key)
