"""Weights in the sparse tensor encoding: the same outputs, in fewer bytes, whatever else the file holds."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.core.errors import ChangedNothing, RecipeRefused
from harness.core.variant import OpSetting
from harness.sources import tflite_ops as ops
from harness.sources.tflite_file import parse
from harness.sources.tflite_writer import GraphWriter, ModelWriter, Tensor, pack
from harness.variants import recipes
from harness.variants.settings import assign, operators_in
from harness.variants.tflite import inspect
from harness.variants.tflite.edit import Floats
from harness.variants.tflite.sparse_encoding import NothingSmaller, compress_rows, encode_sparsely
from harness.variants.tflite.steps import apply_all, work_of
from harness.variants.tflite.weights import distinct_count, read_weights, zero_count
from tests.support.recipes import compressed
from tests.unit.harness.variants.models import dense, normal

MATRICES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 300)),
    elements=st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.5]),
)
WITH_XNNPACK = OpResolverType.AUTO
WITHOUT = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


@given(MATRICES)
@settings(max_examples=100, deadline=None)
def test_rows_hold_the_whole_matrix(matrix: Floats) -> None:
    rows = compress_rows(matrix)
    restored = np.zeros_like(matrix)
    for row, (start, end) in enumerate(zip(rows.ends[:-1], rows.ends[1:], strict=True)):
        restored[row, rows.columns[start:end]] = rows.stored[start:end]
    np.testing.assert_array_equal(restored, matrix)


@pytest.mark.parametrize(("columns", "dtype"), [(256, "uint8"), (257, "uint16"), (65537, "int32")])
def test_places_take_the_smallest_type_that_fits(columns: int, dtype: str) -> None:
    matrix = np.zeros((2, columns), np.float32)
    matrix[:, -1] = 1
    assert compress_rows(matrix).columns.dtype == dtype


def of_convolution(graph: GraphWriter) -> Tensor:
    x = graph.input("x", (1, 6, 6, 32))
    weights = normal(48, 288).reshape(48, 3, 3, 32)
    return ops.conv_2d(graph, x, weights, np.zeros(48, np.float32), name="y")


def of_depthwise(graph: GraphWriter) -> Tensor:
    x = graph.input("x", (1, 6, 6, 512))
    weights = normal(9, 512).reshape(1, 3, 3, 512)
    return ops.depthwise_conv_2d(graph, x, weights, np.zeros(512, np.float32), name="y")


def of_fully_connected(graph: GraphWriter) -> Tensor:
    return ops.fully_connected(graph, graph.input("x", (1, 64)), normal(96, 64), np.zeros(96, np.float32), name="y")


def of_transposed_convolution(graph: GraphWriter) -> Tensor:
    x, y = graph.input("x", (1, 6, 6, 32)), graph.tensor("y", (1, 12, 12, 24))
    shape = graph.constant("y/shape", np.array(y.shape, np.int32))
    weights = graph.constant("y/weights", normal(24, 288).reshape(24, 3, 3, 32))
    options = schema.TransposeConvOptionsT(strideH=2, strideW=2, padding=schema.Padding.SAME)
    graph.op("TRANSPOSE_CONV", (shape, weights, x), (y,), options=options)
    return y


def one_operator(make: Callable[[GraphWriter], Tensor]) -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    y = make(graph)
    graph.output(y)
    inputs = {"x": Tensor(index=graph.table.inputs[0], shape=(), dtype="float32")}
    writer.signature(graph, inputs, {"y": y}, "serving_default")
    return writer.pack()


OPERATORS = [of_convolution, of_depthwise, of_fully_connected, of_transposed_convolution]


@pytest.mark.parametrize("resolver", [WITH_XNNPACK, WITHOUT], ids=["xnnpack", "builtin"])
@pytest.mark.parametrize("make", OPERATORS)
def test_outputs_are_those_of_dense_pruned_weights(
    make: Callable[[GraphWriter], Tensor], resolver: OpResolverType
) -> None:
    source = one_operator(make)
    encoded, pruned = compressed(source, "sparse-80-encoded"), compressed(source, "sparse-80")
    np.testing.assert_array_equal(outputs(encoded, resolver), outputs(pruned, resolver))


@pytest.mark.parametrize("make", OPERATORS)
def test_the_file_is_smaller(make: Callable[[GraphWriter], Tensor]) -> None:
    source = one_operator(make)
    assert len(compressed(source, "sparse-80-encoded")) < 0.5 * len(source)


def test_zeros_left_out_are_counted() -> None:
    encoded = compressed(dense(normal(96, 64)), "sparse-75-encoded")
    (weight,) = read_weights(encoded)
    assert (weight.sparse_encoded, weight.elements, zero_count(encoded, weight)) == (True, 6144, 4608)


def test_zero_is_one_of_the_distinct_values() -> None:
    clustered = compressed(dense(normal(96, 64)), "palette-2")
    encoded = compressed(clustered, "sparse-75-encoded")
    dense_pruned = compressed(clustered, "sparse-75")
    (weight,), (partner,) = read_weights(encoded), read_weights(dense_pruned)
    assert distinct_count(encoded, weight) == distinct_count(dense_pruned, partner)


def test_the_weight_counts_as_compressed() -> None:
    source = dense(normal(96, 64))
    (tensor,) = inspect.weight_tensors(source, compressed(source, "sparse-75-encoded"))
    assert (tensor.compressed, tensor.dtype, tensor.zeros) == (True, "float32", 4608)


def test_a_weight_that_would_grow_stays_dense_but_pruned() -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 64))
    wide = ops.fully_connected(graph, x, normal(96, 64), np.zeros(96, np.float32), name="wide")
    y = ops.fully_connected(graph, wide, normal(1, 96), np.zeros(1, np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    encoded = compressed(writer.pack(), "sparse-75-encoded")
    first, second = read_weights(encoded)
    assert (first.sparse_encoded, second.sparse_encoded, zero_count(encoded, second)) == (True, False, 72)


def test_a_share_that_saves_nothing_is_refused() -> None:
    with pytest.raises(RecipeRefused, match="at 10 % the encoding is larger than the dense weights; write sparse-10"):
        compressed(dense(normal(96, 64)), "sparse-10-encoded")


def test_a_weight_of_zeros_alone_stays_dense() -> None:
    with pytest.raises(NothingSmaller):
        encode_sparsely(dense(np.zeros((96, 64), np.float32)), [1])


def test_names_and_signatures_stay() -> None:
    source = one_operator(of_convolution)
    before, after = parse(source), parse(compressed(source, "sparse-80-encoded"))
    names = [tensor.name for tensor in before.graphs[0].tensors]
    assert after.signatures == before.signatures
    assert [tensor.name for tensor in after.graphs[0].tensors][: len(names)] == names


def test_operators_keep_their_order_behind_what_unpacks_them() -> None:
    (graph,) = parse(compressed(one_operator(of_convolution), "sparse-80-encoded")).graphs
    assert [operator.type for operator in graph.operators] == ["DENSIFY", "CONV_2D"]


def twice(*, with_lookup: bool = False) -> bytes:
    """Two fully connected layers over one weight, from which a row may be looked up too."""
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 64))
    weight = graph.constant("w", normal(64, 64))
    middle, y = graph.tensor("middle", (1, 64)), graph.tensor("y", (1, 64))
    for source, target in ((x, middle), (middle, y)):
        graph.op("FULLY_CONNECTED", (source, weight, None), (target,), options=schema.FullyConnectedOptionsT())
    if with_lookup:
        row = graph.constant("row", np.zeros(1, np.int32))
        graph.op("GATHER", (weight, row), (graph.tensor("found", (1, 64)),), options=schema.GatherOptionsT())
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def test_a_shared_weight_is_stored_once() -> None:
    source = twice()
    encoded = compressed(source, "sparse-80-encoded")
    assert len({weight.buffer for weight in read_weights(encoded)}) == 1
    np.testing.assert_array_equal(
        outputs(encoded, WITH_XNNPACK), outputs(compressed(source, "sparse-80"), WITH_XNNPACK)
    )


def test_a_weight_that_is_looked_up_too_stays_dense() -> None:
    with pytest.raises(ChangedNothing):
        compressed(twice(with_lookup=True), "sparse-80-encoded")


def test_weights_in_the_branches_of_a_condition_are_encoded() -> None:
    source = branches()
    encoded = compressed(source, "sparse-80-encoded")
    assert [weight.slot[0] for weight in read_weights(encoded) if weight.sparse_encoded] == [1, 2]
    np.testing.assert_array_equal(
        outputs(encoded, WITH_XNNPACK), outputs(compressed(source, "sparse-80"), WITH_XNNPACK)
    )


def branches() -> bytes:
    """An IF with a fully connected layer in each branch."""
    writer = ModelWriter()
    main = writer.graph()
    x, y = main.input("x", (1, 64)), main.tensor("y", (1, 64))
    options = schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=2)
    main.op("IF", (main.constant("yes", np.array([True])), x), (y,), options=options)
    main.output(y)
    for name in ("then", "else"):
        branch = writer.graph(name)
        inner = branch.input(f"{name}/x", (1, 64))
        weights = normal(64, 64, seed=zlib.crc32(name.encode()))
        branch.output(ops.fully_connected(branch, inner, weights, np.zeros(64, np.float32), name=f"{name}/y"))
    writer.signature(main, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def test_operators_may_be_encoded_at_shares_of_their_own() -> None:
    """The first encoding puts a DENSIFY in front, which gives every operator behind it another place."""
    settings = (OpSetting(op_type="CONV_2D", recipe="sparse-60-encoded"),)
    source = convolution_then_dense()
    parts = assign(recipes.parse("sparse-80-encoded"), settings, operators_in(source))
    encoded, _ = apply_all("mixed", [work_of(part, recipes.TECHNIQUES) for part in parts], source, None)
    shares = {w.operator: round(zero_count(encoded, w) / w.elements, 2) for w in read_weights(encoded)}
    assert shares == {"CONV_2D": 0.6, "FULLY_CONNECTED": 0.8}
    assert all(weight.sparse_encoded for weight in read_weights(encoded))


def convolution_then_dense() -> bytes:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 6, 6, 32))
    features = ops.conv_2d(graph, x, normal(48, 288).reshape(48, 3, 3, 32), np.zeros(48, np.float32), name="features")
    pooled = ops.mean(graph, features, (1, 2), name="pooled")
    y = ops.fully_connected(graph, pooled, normal(96, 48), np.zeros(96, np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def test_constants_from_behind_the_flatbuffer_are_brought_inside() -> None:
    source = dense(normal(96, 64))
    encoded = compressed(constants_behind(source), "sparse-80-encoded")
    np.testing.assert_array_equal(
        outputs(encoded, WITH_XNNPACK), outputs(compressed(source, "sparse-80-encoded"), WITH_XNNPACK)
    )


def constants_behind(content: bytes) -> bytes:
    """The model as files over 2 GB are written: every constant behind the flatbuffer, found by its offset."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    contents = [None if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
    for _ in range(2):  # the first time to learn how long the flatbuffer is
        end = -(-len(pack(model)) // 16) * 16
        for index, held in enumerate(contents):
            if held is not None:
                model.buffers[index] = schema.BufferT(offset=end, size=len(held))
                end += -(-len(held) // 16) * 16
    written = pack(model)
    for buffer, held in zip(model.buffers, contents, strict=True):
        if held is not None:
            written = written.ljust(buffer.offset, b"\0") + held
    return written


def outputs(content: bytes, resolver: OpResolverType) -> Floats:
    """The first output for a seeded input."""
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    (wanted,) = interpreter.get_input_details()
    values = np.random.default_rng(0).normal(size=wanted["shape"]).astype(np.float32)
    interpreter.set_tensor(wanted["index"], values)
    interpreter.invoke()
    found: Floats = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return found
