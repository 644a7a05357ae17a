"""Reading .tflite files: what is in them, and one clear sentence where they cannot be used."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.model import TensorSpec
from harness.sources import mobilenet_v2
from harness.sources import tflite_ops as ops
from harness.sources.tflite import (
    leaves_traces,
    read_graph,
    read_model,
    read_signature,
    read_signatures,
    signature_in,
)
from harness.sources.tflite_writer import ModelWriter, Tensor
from tests.support import models, unusual


def _reason(path: Path) -> str:
    with pytest.raises(ModelUnreadable) as caught:
        read_model(path, name="m")
    assert caught.value.path == str(path)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def _with_input(shape: tuple[int, ...], dtype: str = "float32") -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", shape, dtype)
    graph.output(x)
    return writer.pack()


def test_a_model_is_described(tmp_path: Path) -> None:
    content = models.tiny_cnn()
    path = models.write_model(tmp_path, content)
    model = read_model(path, name="tiny", metric="top1")
    assert (model.name, model.format, model.path, model.metric) == ("tiny", "tflite", path, "top1")
    assert (model.digest, model.size_bytes) == (digest.of_bytes(content), len(content))
    assert model.inputs == (TensorSpec(name="image", shape=(1, 8, 8, 3), dtype="float32"),)
    assert model.outputs == (TensorSpec(name="scores", shape=(1, 4), dtype="float32"),)
    assert (model.precision, model.parameters) == ("float32", 8 * 27 + 8 + 4 * 8 + 4)


def test_a_graph_lists_operators_with_cost(tmp_path: Path) -> None:
    graph = read_graph(models.write_model(tmp_path, models.tiny_cnn()))
    conv, mean, dense, softmax = graph.nodes
    assert [node.type for node in graph.nodes] == ["CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert (conv.name, conv.shape, conv.inputs) == ("features", (1, 8, 8, 8), graph.inputs)
    assert (conv.macs, mean.macs, dense.macs, softmax.macs) == (8 * 8 * 8 * 27, None, 32, None)
    assert (conv.weight_bytes, conv.activation_bytes) == (4 * (8 * 27 + 8), 4 * (8 * 8 * 3 + 8 * 8 * 8))
    assert dense.inputs == mean.outputs


def test_inputs_stand_in_the_graphs_order_under_the_signatures_names(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, models.several_inputs()), name="m")
    assert [(spec.name, spec.shape) for spec in model.inputs] == [("b", (1, 2)), ("c", (1, 3)), ("a", (1, 4))]
    assert [spec.name for spec in model.outputs] == ["joined", "bent"]


def test_the_first_of_several_signatures_is_the_model(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.several_signatures())
    assert [(s.key, s.graph) for s in read_signatures(path)] == [("encode", 1), ("decode", 0)]
    assert read_model(path, name="m").inputs[0].shape == (1, 6)
    assert read_graph(path).nodes[0].shape == (1, 6)


def _two_graphs(directory: Path) -> Path:
    return models.write_model(directory, unusual.two_signatures_two_graphs())


def test_the_signature_that_is_asked_for_is_the_model(tmp_path: Path) -> None:
    path = _two_graphs(tmp_path)
    model = read_model(path, name="m", signature="decode")
    assert (model.signature, model.signatures) == ("decode", ("encode", "decode"))
    assert [(spec.name, spec.shape) for spec in model.inputs] == [("b", (1, 2)), ("c", (1, 3)), ("a", (1, 4))]
    assert [node.type for node in read_graph(path, "decode").nodes] == ["CONCATENATION", "TANH"]


def test_a_second_signature_over_one_graph_has_its_own_names(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, unusual.two_signatures_one_graph())
    model = read_model(path, name="m", signature="turned")
    assert [spec.name for spec in model.inputs] == ["right", "left"]
    assert [spec.name for spec in model.outputs] == ["bent", "raised"]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (unusual.two_signatures_two_graphs, "has no signature 'x'; its signatures: 'encode', 'decode'"),
        (models.no_signature, "has no signature 'x'; it has none at all; leave `signature` out"),
    ],
)
def test_an_unknown_signature_is_refused_with_those_there_are(
    build: Callable[[], bytes], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnreadable) as caught:
        read_model(models.write_model(tmp_path, build()), name="m", signature="x")
    assert caught.value.reason == reason


def test_a_variant_runs_the_signature_of_that_key(tmp_path: Path) -> None:
    path = _two_graphs(tmp_path)
    assert signature_in(path, read_model(path, name="m", signature="decode")) == "decode"


def test_a_variant_with_other_keys_runs_its_first_for_the_models_first(tmp_path: Path) -> None:
    encode = read_model(_two_graphs(tmp_path), name="m")
    without = models.write_model(tmp_path, models.no_signature(), "without.tflite")
    assert signature_in(without, encode) is None
    assert signature_in(models.write_model(tmp_path, models.tiny_cnn(), "tiny.tflite"), encode) == "serving_default"


def test_a_variant_without_the_models_second_signature_is_refused(tmp_path: Path) -> None:
    decode = read_model(_two_graphs(tmp_path), name="m", signature="decode")
    with pytest.raises(ModelUnreadable, match="has no signature 'decode'"):
        signature_in(models.write_model(tmp_path, models.tiny_cnn(), "tiny.tflite"), decode)


@pytest.mark.parametrize(
    ("build", "key", "traces"),
    [
        (models.tiny_cnn, None, False),
        (unusual.lstm, None, False),
        (unusual.resource_variable, None, True),
        (unusual.second_lstm, "remember", True),
    ],
)
def test_what_resetting_variables_does_not_take_back(
    build: Callable[[], bytes], key: str | None, traces: bool, tmp_path: Path
) -> None:
    path = models.write_model(tmp_path, build())
    assert leaves_traces(path, read_signature(path, key)) is traces


@pytest.mark.parametrize(
    ("build", "note"),
    [
        (
            models.open_signature_shape,
            "input 'x' is open, [-1, 4], and runs as [1, 4]; input_shapes sets another shape",
        ),
        (unusual.counting_while, "multiply-accumulates are those of the main graph, without the bodies of WHILE"),
        (unusual.branch, "multiply-accumulates are those of the main graph, without the bodies of IF"),
    ],
)
def test_what_must_be_said_of_a_model_is_noted(build: Callable[[], bytes], note: str, tmp_path: Path) -> None:
    assert read_model(models.write_model(tmp_path, build()), name="m").notes == (note,)


def test_strings_are_an_input_like_any_other(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, unusual.string_gather()), name="m")
    assert model.inputs == (TensorSpec(name="words", shape=(3,), dtype="string"),)


def test_a_number_that_looks_like_a_repeated_name_is_another_name(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    for name in ("x", "x#2", "x"):
        graph.input(name, (1,))
    graph.output(ops.unary(graph, "TANH", Tensor(index=0, shape=(1,), dtype="float32"), name="y"))
    model = read_model(models.write_model(tmp_path, writer.pack()), name="m")
    assert [spec.name for spec in model.inputs] == ["x", "x#2", "x#3"]


def test_an_absurd_shape_has_no_count(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    y = graph.tensor("y", (2**31 - 1,) * 40)
    graph.op("FULLY_CONNECTED", (x, graph.constant("w", np.eye(4, dtype=np.float32)), None), (y,))
    graph.output(y)
    (node,) = read_graph(models.write_model(tmp_path, writer.pack())).nodes
    assert (node.macs, node.activation_bytes) == (None, 16)


def test_without_a_signature_tensors_keep_their_own_names(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.no_signature())
    assert read_signatures(path)[0].key is None
    assert read_model(path, name="m").inputs[0].name == "x"


def test_a_name_used_twice_is_numbered(tmp_path: Path) -> None:
    content = models.several_inputs().replace(b"\x01\x00\x00\x00c\x00", b"\x01\x00\x00\x00b\x00")
    model = read_model(models.write_model(tmp_path, content), name="m")
    assert [spec.name for spec in model.inputs] == ["b", "b#2", "a"]


def test_quantised_inputs_carry_scale_and_zero_point(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, models.int8_io()), name="m")
    assert model.inputs == (TensorSpec(name="x", shape=(1, 4), dtype="int8", scale=0.5, zero_point=3),)


def test_hostile_names_are_kept_as_text(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, models.hostile_names()), name="m")
    assert model.inputs[0].name == f"{models.HOSTILE_NAME}/in"


def test_a_concrete_shape_is_usable_though_the_source_left_it_open(tmp_path: Path) -> None:
    model = read_model(models.write_model(tmp_path, models.open_signature_shape()), name="m")
    assert model.inputs[0].shape == (1, 4)


def test_a_model_without_inputs_is_usable_as_the_runtime_runs_it(tmp_path: Path) -> None:
    assert read_model(models.write_model(tmp_path, models.no_inputs()), name="m").inputs == ()


def test_two_hundred_operators_are_read(tmp_path: Path) -> None:
    graph = read_graph(models.write_model(tmp_path, models.many_ops(200)))
    assert [node.index for node in graph.nodes] == list(range(200))


def test_a_custom_operator_is_named(tmp_path: Path) -> None:
    path = models.write_model(tmp_path, models.custom_op("NoSuchOperator"))
    assert read_graph(path).nodes[0].type == "CUSTOM:NoSuchOperator"


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (models.open_shape, "input 'x' has an open dimension [-1, 4]; give input_shapes: {'x': [1, 4]}"),
        (unusual.zero_size_input, "input 'x' holds nothing, [0, 4]; give input_shapes: {'x': [1, 4]}"),
        (unusual.wrong_version, "its schema has version 2, and LiteRT reads version 3; export it again"),
        (lambda: _with_input((1 << 20, 1 << 12)), "input 'x' has the shape [1048576, 4096], more than 2 GiB"),
        (lambda: _with_input((4,), "resource"), "input 'x' holds resource, which the bench does not feed"),
        (
            models.no_outputs,
            "the graph has no outputs, so there is nothing to run it for; export it with some",
        ),
        (models.no_graph, "the file holds no graph; export it again"),
    ],
)
def test_a_model_that_no_bench_can_feed_is_refused(build: Callable[[], bytes], reason: str, tmp_path: Path) -> None:
    assert _reason(models.write_model(tmp_path, build())).startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"T", "not a .tflite file"),
        (b"name: first\nmodels: []\n", "not a .tflite file: bytes 4 to 7 are b': fi'"),
        (b"PK\x03\x04" + bytes(100), "not a .tflite file"),
        (b"\x00\x00\x00\x00TFL3", "damaged or cut short"),
        (b"\xff\xff\xff\xffTFL3" + bytes(100), "damaged or cut short"),
    ],
)
def test_a_file_that_is_no_model_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in _reason(models.write_model(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert _reason(tmp_path / "absent.tflite") == "no such file"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in _reason(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tflite")
    assert "no regular file" in _reason(tmp_path / "pipe.tflite")


def test_a_path_that_no_system_takes_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in _reason(tmp_path / ("x" * 5000))
    assert "cannot be read" in _reason(tmp_path / "a\0b")


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    writer = ModelWriter()
    graph = writer.graph()
    graph.input("x", (1, 4))
    graph.table.tensors.append(schema.TensorT(name="w", shape=np.array([4], np.int32), externalBuffer=1))
    assert "'w' are in another file" in _reason(models.write_model(tmp_path, writer.pack()))


def test_a_constant_shorter_than_its_shape_is_refused(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    graph.input("x", (1, 4))
    graph.tensor("w", (1000, 1000), buffer=writer.buffer(bytes(16)))
    assert "constant 'w' has 16 bytes and its shape needs 4000000" in _reason(
        models.write_model(tmp_path, writer.pack())
    )


def test_an_operator_over_a_tensor_that_is_not_there_is_refused_in_one_short_line(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4))
    graph.op("a\n" * 1000, (x,), (Tensor(index=7, shape=(), dtype="float32"),), custom=True)
    reason = _reason(models.write_model(tmp_path, writer.pack()))
    assert "names tensor 7 of 1" in reason
    assert len(reason) < 250


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = models.tiny_cnn()
    for length in range(8, len(content) - 64, 7):
        _reason(models.write_model(tmp_path, content[:length]))


def test_a_flipped_byte_is_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    content = models.tiny_cnn()
    refused = 0
    for position in range(8, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path = models.write_model(tmp_path, bytes(damaged))
        try:
            read_model(path, name="m")
            read_graph(path)
        except ModelUnreadable:
            refused += 1
    assert refused > 300


def test_damage_in_a_large_file_is_found_within_a_second(tmp_path: Path) -> None:
    content = mobilenet_v2.NETWORK.write_tflite()
    rng = np.random.default_rng(0)
    slowest = 0.0
    # The structure stands at the beginning of the file, the weights behind it, or the other way round.
    for position in np.concatenate(
        [rng.integers(8, 40_000, 15), rng.integers(len(content) - 20_000, len(content), 15)]
    ):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path = models.write_model(tmp_path, bytes(damaged))
        started = time.perf_counter()
        with contextlib.suppress(ModelUnreadable):
            read_graph(path)
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 1.0
