"""What the writer writes runs in LiteRT, computes the right thing and can be quantised."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

from harness.sources import tflite_ops as ops
from harness.sources.flatbuffer import Table
from harness.sources.tflite import read_model
from harness.sources.tflite_writer import Array, GraphWriter, ModelWriter, Tensor
from tests.support import models

Layer = Callable[[GraphWriter, Tensor], Tensor]

_RNG = np.random.default_rng(0)
_IMAGE = (1, 6, 6, 4)


def _weights(*shape: int) -> Array:
    return _RNG.normal(0, 0.5, shape).astype(np.float32)


LAYERS: Mapping[str, Layer] = {
    "conv": lambda g, x: ops.conv_2d(g, x, _weights(5, 3, 3, 4), _weights(5), name="y"),
    "conv strided valid": lambda g, x: ops.conv_2d(
        g, x, _weights(5, 3, 3, 4), _weights(5), name="y", stride=2, padding="VALID", activation="RELU"
    ),
    "depthwise": lambda g, x: ops.depthwise_conv_2d(g, x, _weights(1, 3, 3, 4), _weights(4), name="y", stride=2),
    "transpose same": lambda g, x: ops.transpose_conv(g, x, _weights(3, 3, 3, 4), name="y"),
    "transpose valid": lambda g, x: ops.transpose_conv(g, x, _weights(3, 3, 3, 4), name="y", padding="VALID"),
    "fully connected": lambda g, x: ops.fully_connected(g, x, _weights(7, 144), _weights(7), name="y"),
    "fully connected rows": lambda g, x: ops.fully_connected(g, x, _weights(7, 4), None, name="y"),
    "batch matmul": lambda g, x: ops.batch_matmul(g, x, g.constant("r", _weights(1, 6, 4, 3)), name="y"),
    "add": lambda g, x: ops.add(g, x, g.constant("r", _weights(4)), name="y", activation="RELU"),
    "mul": lambda g, x: ops.mul(g, x, x, name="y"),
    "softmax": lambda g, x: ops.softmax(g, x, name="y"),
    "average pool": lambda g, x: ops.average_pool_2d(g, x, name="y"),
    "max pool": lambda g, x: ops.max_pool_2d(g, x, name="y", size=3, stride=2, padding="SAME"),
    "mean": lambda g, x: ops.mean(g, x, (1, 2), name="y"),
    "mean kept": lambda g, x: ops.mean(g, x, (1, 2), name="y", keep=True),
    "reshape": lambda g, x: ops.reshape(g, x, (1, 144), name="y"),
    "transpose": lambda g, x: ops.transpose(g, x, (0, 3, 1, 2), name="y"),
    "concatenation": lambda g, x: ops.concatenation(g, (x, x), 3, name="y"),
    "pad": lambda g, x: ops.pad(g, x, ((0, 0), (1, 2), (0, 1), (0, 0)), name="y"),
    "resize": lambda g, x: ops.resize_bilinear(g, x, (12, 9), name="y"),
    **{
        code.lower(): (lambda g, x, code=code: ops.unary(g, code, x, name="y"))  # type: ignore[misc]
        for code in ("RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "FLOOR", "ABS")
    },
}


def _one_layer(layer: Layer) -> tuple[bytes, Tensor]:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", _IMAGE)
    y = layer(graph, x)
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack(), y


def _run(content: bytes, *inputs: Array) -> Array:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    result: Array = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_declared_shape_is_the_one_litert_computes(layer: Layer) -> None:
    content, y = _one_layer(layer)
    # With every dimension of the input set again LiteRT infers all shapes anew.
    interpreter = Interpreter(model_content=content)
    interpreter.resize_tensor_input(0, (2, 6, 6, 4))
    interpreter.resize_tensor_input(0, _IMAGE)
    interpreter.allocate_tensors()
    assert tuple(interpreter.get_output_details()[0]["shape"]) == y.shape


def test_a_convolution_computes_a_convolution() -> None:
    weights, bias = _weights(5, 3, 3, 4), _weights(5)
    content, _ = _one_layer(lambda g, x: ops.conv_2d(g, x, weights, bias, name="y", activation="RELU"))
    image = _RNG.normal(0, 1, _IMAGE).astype(np.float32)
    expected = np.maximum(np.einsum("nhwijc,oijc->nhwo", _windows(image), weights) + bias, 0)
    np.testing.assert_allclose(_run(content, image), expected, rtol=1e-4, atol=1e-5)


def test_a_depthwise_convolution_computes_one_filter_a_channel() -> None:
    weights, bias = _weights(1, 3, 3, 4), _weights(4)
    content, _ = _one_layer(lambda g, x: ops.depthwise_conv_2d(g, x, weights, bias, name="y"))
    image = _RNG.normal(0, 1, _IMAGE).astype(np.float32)
    expected = np.einsum("nhwijc,ijc->nhwc", _windows(image), weights[0]) + bias
    np.testing.assert_allclose(_run(content, image), expected, rtol=1e-4, atol=1e-5)


def test_a_fully_connected_layer_computes_a_product() -> None:
    weights, bias = _weights(7, 144), _weights(7)
    content, _ = _one_layer(lambda g, x: ops.fully_connected(g, x, weights, bias, name="y"))
    image = _RNG.normal(0, 1, _IMAGE).astype(np.float32)
    np.testing.assert_allclose(_run(content, image), image.reshape(1, -1) @ weights.T + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [models.tiny_cnn, models.partitioned, models.several_inputs, models.no_inputs])
def test_models_run_in_the_compiled_model(build: Callable[[], bytes], tmp_path: Path) -> None:
    path = models.write_model(tmp_path, build())
    model = CompiledModel.from_file(str(path))
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    for buffer, spec in zip(inputs, read_model(path, name="m").inputs, strict=True):
        buffer.write(np.ones(spec.shape, np.float32))
    model.run_by_index(0, inputs, outputs)
    assert np.isfinite(outputs[0].read(1, np.float32)).all()


@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")  # the quantizer asks for it
def test_models_pass_through_the_quantizer() -> None:
    content = models.tiny_cnn()
    lab = quantizer.Quantizer(bytearray(content))
    lab.load_quantization_recipe(recipe.static_wi8_ai8())
    image = _RNG.normal(0, 1, (1, 8, 8, 3)).astype(np.float32)
    ranges = lab.calibrate({"serving_default": [{"image": image}]}, num_threads=1)
    quantized = bytes(lab.quantize(ranges).quantized_model)
    assert len(quantized) < 2 * len(content)
    assert Interpreter(model_content=quantized).get_input_details()[0]["dtype"] is np.int8


def test_the_same_graph_gives_the_same_bytes() -> None:
    assert models.tiny_cnn() == models.tiny_cnn()


def test_every_constant_stands_at_a_16_byte_boundary() -> None:
    buffers = Table.root(models.partitioned()).tables(4)
    starts = [start for start, length in (buffer.span(0) for buffer in buffers) if length]
    assert starts
    assert [start % 16 for start in starts] == [0] * len(starts)


def test_an_operator_beyond_the_old_code_space_is_marked_as_such() -> None:
    content, _ = _one_layer(_sign)
    code = Table.root(content).tables(1)[0]
    assert (code.number(0, "b"), code.number(3, "i")) == (127, 158)
    np.testing.assert_array_equal(_run(content, -np.ones(_IMAGE, np.float32)), -np.ones(_IMAGE, np.float32))


def test_the_file_carries_its_identifier() -> None:
    assert struct.unpack_from("4s", models.tiny_cnn(), 4) == (b"TFL3",)


def test_partitioned_has_three_delegate_partitions(tmp_path: Path) -> None:
    interpreter: Any = Interpreter(model_path=str(models.write_model(tmp_path, models.partitioned())))
    interpreter.allocate_tensors()
    assert [op["op_name"] for op in interpreter._get_ops_details()].count("DELEGATE") == 3


def _windows(image: Array) -> Array:
    """3x3 neighbourhoods with zeros outside: (n, h, w, c) to (n, h, w, 3, 3, c)."""
    height, width = image.shape[1:3]
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = [[padded[:, i : i + height, j : j + width] for j in range(3)] for i in range(3)]
    return np.moveaxis(np.array(rows), (0, 1), (3, 4))


def _sign(graph: GraphWriter, x: Tensor) -> Tensor:
    return ops.unary(graph, "SIGN", x, name="y")
