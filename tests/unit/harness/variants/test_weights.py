"""Finding and counting weights in a file, whatever they are stored as."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from harness.sources import tflite_ops as ops
from harness.sources.tflite_writer import GraphWriter, ModelWriter, Tensor, pack, unpack
from harness.variants.tflite.edit import edit_weights
from harness.variants.tflite.sparse_graph import read_nodes
from harness.variants.tflite.weights import (
    distinct_count,
    distinct_per_scale,
    read_weights,
    unique,
    values,
    zero_count,
)
from tests.support import models
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal


def finished(writer: ModelWriter, graph: GraphWriter, weight: Tensor) -> bytes:
    """A fully connected layer over the weight."""
    x, y = graph.input("x", (1, weight.shape[1])), graph.tensor("y", (1, weight.shape[0]))
    graph.op("FULLY_CONNECTED", (x, weight, None), (y,), options=schema.FullyConnectedOptionsT())
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def stored_as(dtype: str, content: bytes, shape: tuple[int, int], scales: list[float], points: list[int]) -> bytes:
    """A layer whose weight has this dtype and these scales along its first dimension."""
    writer = ModelWriter()
    graph = writer.graph()
    weight = graph.tensor("w", shape, dtype, buffer=writer.buffer(content))
    quantization = graph.table.tensors[weight.index].quantization
    quantization.scale = np.array(scales, np.float32)
    quantization.zeroPoint = np.array(points, np.int64)
    return finished(writer, graph, weight)


def test_weights_are_found_with_their_values_in_place() -> None:
    weights = normal(3, 5)
    content = dense(weights)
    (found,) = read_weights(content)
    assert (found.operator, found.shape, found.dtype, found.activation) == (
        "FULLY_CONNECTED",
        (3, 5),
        "float32",
        "float32",
    )
    np.testing.assert_array_equal(values(content, found).reshape(3, 5), weights)


def test_biases_and_other_constants_are_not_weights() -> None:
    assert [weight.operator for weight in read_weights(models.tiny_cnn())] == ["CONV_2D", "FULLY_CONNECTED"]
    assert read_weights(models.many_ops(4)) == ()


def test_four_bit_values_are_unpacked_low_half_first() -> None:
    content = stored_as("int4", bytes([0x21, 0xF8, 0x00]), (2, 3), [0.5], [0])
    (weight,) = read_weights(content)
    assert values(content, weight).tolist() == [1, 2, -8, -1, 0, 0]
    assert (zero_count(content, weight), distinct_count(content, weight)) == (2, 5)


def test_zeros_of_unsigned_weights_stand_at_the_zero_point() -> None:
    content = stored_as("uint8", bytes([128, 128, 0, 5]), (2, 2), [0.5], [128])
    assert zero_count(content, read_weights(content)[0]) == 2


def test_zero_points_may_differ_by_channel() -> None:
    content = stored_as("int8", bytes([1, 1, 2, 2]), (2, 2), [0.5, 0.25], [1, 3])
    assert zero_count(content, read_weights(content)[0]) == 2


def test_values_are_counted_under_each_scale() -> None:
    content = stored_as("int8", bytes([1, 2, 1, 2, 3, 3, 4, 5]), (2, 4), [0.5, 0.25], [0, 0])
    (weight,) = read_weights(content)
    assert (distinct_count(content, weight), distinct_per_scale(content, weight)) == (5, 3)


def test_a_weight_behind_dequantize_is_found() -> None:
    writer = ModelWriter()
    graph = writer.graph()
    stored = graph.constant("stored", np.ones((2, 3), np.float16))
    wide = graph.tensor("wide", (2, 3))
    graph.op("DEQUANTIZE", (stored,), (wide,))
    (found,) = read_weights(finished(writer, graph, wide))
    assert (found.name, found.dtype) == ("stored", "float16")


def test_a_shared_buffer_is_one_weight_and_edited_once() -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 3))
    weight = graph.constant("w", np.ones((3, 3), np.float32))
    middle, y = graph.tensor("middle", (1, 3)), graph.tensor("y", (1, 3))
    for source, target in ((x, middle), (middle, y)):
        graph.op("FULLY_CONNECTED", (source, weight, None), (target,), options=schema.FullyConnectedOptionsT())
    graph.output(y)
    content = edit_weights(writer.pack(), "twice", lambda values, _: values * 2)
    assert len(read_weights(content)) == 2
    (once,) = unique(read_weights(content))
    assert set(values(content, once)) == {2.0}


def test_an_edit_touches_the_weights_bytes_alone() -> None:
    content = models.tiny_cnn()
    edited = edit_weights(content, "negate", lambda values, _: -values)
    changed = [i for i, (a, b) in enumerate(zip(content, edited, strict=True)) if a != b]
    spans = [range(w.offset, w.offset + w.size_bytes) for w in read_weights(content)]
    assert changed
    assert all(any(i in span for span in spans) for i in changed)


def test_a_computed_operand_is_no_weight() -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 2, 2))
    y = ops.unary(graph, "TANH", x, name="bent")
    out = graph.tensor("out", (1, 2, 2))
    graph.op("BATCH_MATMUL", (x, y), (out,), options=schema.BatchMatMulOptionsT())
    graph.output(out)
    assert read_weights(writer.pack()) == ()


@pytest.mark.parametrize("seed", range(3))
def test_large_models_keep_weights_behind_the_flatbuffer(seed: int) -> None:
    """ai-edge-quantizer writes buffers over 256 KiB in total by offset; they are found all the same."""

    weights = normal(600, 600, seed)
    content = compressed(dense(weights), "weight-int8")
    (found,) = read_weights(content)
    scale = np.array(found.scales)[:, None]
    np.testing.assert_allclose(values(content, found).reshape(600, 600) * scale, weights, atol=float(scale.max()))


def test_a_dequantize_that_reads_what_it_writes_ends_the_search() -> None:
    model = unpack(dense(normal(4, 8)))
    (graph,) = model.subgraphs
    weights = graph.operators[0].inputs[1]
    kind = schema.BuiltinOperator.DEQUANTIZE
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=kind, version=1))
    ends = np.array([weights], np.int32)
    graph.operators.insert(0, schema.OperatorT(opcodeIndex=1, inputs=ends, outputs=ends))
    content = pack(model)
    assert [weight.operator for weight in read_weights(content)] == ["FULLY_CONNECTED"]
    assert [node.operator.type for node in read_nodes(content)[0]] == ["FULLY_CONNECTED"]


@pytest.mark.parametrize("operand", [0, 1])
def test_what_a_graph_hands_out_or_adds_too_is_tied(operand: int) -> None:
    model = unpack(dense(normal(4, 8)))
    (graph,) = model.subgraphs
    weights = graph.operators[0].inputs[1]
    if operand:
        graph.outputs = np.append(graph.outputs, weights).astype(np.int32)
    (weight,) = read_weights(pack(model))
    assert (weight.editable, weight.spared) == (not operand, bool(operand))


def test_values_of_float16_are_counted_however_the_processor_sorts_them() -> None:
    content = compressed(dense(normal(400, 500)), "palette-4+float16")
    (weight,) = read_weights(content)
    stored = values(content, weight)
    assert stored.dtype == np.float16
    assert distinct_count(content, weight) == distinct_per_scale(content, weight) == len(set(stored.tolist())) == 16
