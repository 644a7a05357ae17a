"""Models and orders for these tests."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from harness.core.model import Model
from harness.core.variant import OpSetting, VariantSpec
from harness.sources import tflite_ops as ops
from harness.sources.tflite import read_model
from harness.sources.tflite_writer import GraphWriter, ModelWriter, Tensor
from tests.support.models import tiny_cnn, write_model


def a_model(directory: Path, content: bytes | None = None, *, name: str = "tiny", data: Path | None = None) -> Model:
    """A model on disk; the tiny CNN where no content is given."""
    directory.mkdir(parents=True, exist_ok=True)
    path = write_model(directory, tiny_cnn() if content is None else content, f"{name}.tflite")
    return read_model(path, name=name, data=data)


def a_spec(
    recipe: str,
    *settings: OpSetting,
    model: str = "tiny",
    prebuilt: Path | None = None,
    name: str | None = None,
) -> VariantSpec:
    return VariantSpec(model=model, name=name or recipe, recipe=recipe, prebuilt=prebuilt, settings=settings)


def dense(weights: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> bytes:
    """One fully connected layer with these weights (outputs, inputs)."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, weights.shape[1]))
    y = ops.fully_connected(graph, x, weights, np.zeros(weights.shape[0], np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def normal(rows: int, columns: int, seed: int = 0) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Weights as trained networks have them."""
    return np.random.default_rng(seed).normal(0, 0.05, (rows, columns)).astype(np.float32)


def encode_and_decode() -> bytes:
    """Two signatures over two graphs with a fully connected layer each: `encode` 8 to 4, `decode` 4 to 8."""
    writer = ModelWriter()
    for key, (inputs, outputs) in {"encode": (8, 4), "decode": (4, 8)}.items():
        graph = writer.graph(key)
        x = graph.input(f"{key}/x", (1, inputs))
        zeros = np.zeros(outputs, np.float32)
        y = ops.fully_connected(graph, x, normal(outputs, inputs), zeros, name=f"{key}/y")
        graph.output(y)
        writer.signature(graph, {"x": x}, {"y": y}, key)
    return writer.pack()


def dense_in_a_loop() -> bytes:
    """A fully connected layer `before`, one `inside` a loop of three rounds, one `behind` it."""
    writer = ModelWriter()
    main, condition, body = writer.graph(), writer.graph("condition"), writer.graph("body")
    zeros = np.zeros(8, np.float32)
    x = main.input("x", (1, 8))
    before = ops.fully_connected(main, x, normal(8, 8), zeros, name="before")
    rounds, looped = main.tensor("rounds", (1,), "int32"), main.tensor("looped", (1, 8))
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = condition.index, body.index
    start = main.constant("start", np.array([0], np.int32))
    main.op("WHILE", (start, before), (rounds, looped), options=options)
    behind = ops.fully_connected(main, looped, normal(8, 8, 1), zeros, name="behind")
    main.output(behind)
    asked, _ = condition.input("asked", (1,), "int32"), condition.input("carried", (1, 8))
    more, three = condition.tensor("more", (1,), "bool"), condition.constant("three", np.array([3], np.int32))
    condition.op("LESS", (asked, three), (more,), options=schema.LessOptionsT())
    condition.output(more)
    done, value = body.input("done", (1,), "int32"), body.input("value", (1, 8))
    counted, one = body.tensor("counted", (1,), "int32"), body.constant("one", np.array([1], np.int32))
    body.op("ADD", (done, one), (counted,), options=schema.AddOptionsT())
    body.output(counted, ops.fully_connected(body, value, normal(8, 8, 2), zeros, name="inside"))
    writer.signature(main, {"x": x}, {"behind": behind}, "serving_default")
    return writer.pack()


def calls_itself() -> bytes:
    """An IF whose branch is the graph that holds it: LiteRT 2.3 runs out of stack and is killed."""
    writer = ModelWriter()
    main, branch = writer.graph(), writer.graph("branch")
    x, y = main.input("x", (1, 4)), main.tensor("y", (1, 4))
    _if(main, main.constant("main/yes", np.array([True])), x, y)
    inner_x, inner_y = branch.input("inner/x", (1, 4)), branch.tensor("inner/y", (1, 4))
    _if(branch, branch.constant("branch/yes", np.array([True])), inner_x, inner_y)
    main.output(y)
    branch.output(inner_y)
    writer.signature(main, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def never_ends() -> bytes:
    """A WHILE whose condition holds for ever."""
    writer = ModelWriter()
    main, condition, body = writer.graph(), writer.graph("condition"), writer.graph("body")
    x, y = main.input("x", (1,)), main.tensor("y", (1,))
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = condition.index, body.index
    main.op("WHILE", (x,), (y,), options=options)
    main.output(y)
    asked, yes = condition.input("asked", (1,)), condition.tensor("yes", (1,), "bool")
    condition.op("EQUAL", (asked, asked), (yes,), options=schema.EqualOptionsT())
    condition.output(yes)
    body.output(ops.unary(body, "TANH", body.input("step", (1,)), name="stepped"))
    writer.signature(main, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def _if(graph: GraphWriter, condition: Tensor, x: Tensor, y: Tensor) -> None:
    options = schema.IfOptionsT()
    options.thenSubgraphIndex = options.elseSubgraphIndex = 1
    graph.op("IF", (condition, x), (y,), options=options)
