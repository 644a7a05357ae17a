"""Every technique on a small real network, through the worker: build, checks, load, scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from harness.core import digest
from harness.core.errors import ChangedNothing, ModelUnreadable, RecipeError, RecipeRefused
from harness.core.model import Model
from harness.core.variant import Variant
from harness.sources import tflite_ops as ops
from harness.sources.tflite import read_model
from harness.sources.tflite_writer import ModelWriter, Tensor
from harness.variants.calibration import RANDOM_INPUTS, calibrate
from harness.variants.job import BuildJob
from harness.variants.recipes import default_variants
from harness.variants.tflite.weights import read_weights
from harness.variants.worker import build_one
from tests.support import models, unusual
from tests.unit.harness.variants.models import a_model, a_spec, dense, dense_in_a_loop, encode_and_decode, normal


def build(model: Model, recipe: str, scratch: Path, prebuilt: Path | None = None) -> Variant:
    directory = scratch / recipe
    directory.mkdir(parents=True)
    return build_one(BuildJob(model=model, spec=a_spec(recipe, prebuilt=prebuilt), scratch=directory))


@pytest.mark.parametrize(
    ("recipe", "weights", "ends"),
    [
        ("float16", "float16", "float32"),
        ("dynamic-int8", "int8", "float32"),
        ("dynamic-int4", "int4", "float32"),
        ("weight-int8", "int8", "float32"),
        ("weight-int4", "int4", "float32"),
        ("int8", "int8", "int8"),
        ("int8-per-tensor", "int8", "int8"),
        ("int8-edgetpu", "int8", "int8"),
        ("w4a8", "int4", "int8"),
        ("int8-float-io", "int8", "float32"),
        ("uint8", "int8", "uint8"),
        ("int16x8", "int8", "int16"),
        ("sparse-50", "float32", "float32"),
        ("palette-3", "float32", "float32"),
        ("sparse-75+int8", "int8", "int8"),
        ("palette-3+float16", "float16", "float32"),
        ("sparse-50+dynamic-int4", "int4", "float32"),
        ("palette-3+weight-int4", "int4", "float32"),
        ("sparse-50+palette-3+w4a8", "int4", "int8"),
    ],
)
def test_weights_and_ends_have_the_dtypes_of_the_technique(
    tmp_path: Path, recipe: str, weights: str, ends: str
) -> None:
    variant = build(a_model(tmp_path), recipe, tmp_path)
    assert {tensor.dtype for tensor in variant.tensors} == {weights}
    assert {spec.dtype for spec in (*variant.inputs, *variant.outputs)} == {ends}
    assert (variant.weights_compressed, variant.weights_total) == (2, 2)


def test_the_source_is_itself_with_nothing_compressed(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    variant = build(model, "float32", tmp_path)
    assert variant.digest == model.digest
    assert (variant.weights_compressed, variant.weights_total) == (0, 2)
    assert variant.fidelity is not None
    assert (variant.fidelity.snr_db, variant.fidelity.max_abs_error) == (None, 0)


def test_every_default_variant_of_a_small_network_is_built(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    built = [build(model, recipe, tmp_path) for recipe in default_variants(model)]
    assert all(variant.fidelity is not None and variant.path.is_file() for variant in built)


@pytest.mark.parametrize("percent", [1, 30, 50, 75, 99])
def test_sparse_reaches_its_share_of_every_weight_and_no_bias(tmp_path: Path, percent: int) -> None:
    variant = build(a_model(tmp_path, dense(normal(40, 50))), f"sparse-{percent}", tmp_path)
    assert [(tensor.elements, tensor.zeros) for tensor in variant.tensors] == [(2000, 20 * percent)]


@pytest.mark.parametrize("bits", range(1, 9))
def test_palette_leaves_two_to_the_b_values(tmp_path: Path, bits: int) -> None:
    variant = build(a_model(tmp_path, dense(normal(40, 50))), f"palette-{bits}", tmp_path)
    assert [tensor.distinct for tensor in variant.tensors] == [2**bits]


@pytest.mark.parametrize("recipe", ["sparse-50+palette-4", "sparse-2+palette-4", "sparse-50+palette-2"])
def test_palette_keeps_the_zeros_of_sparse(tmp_path: Path, recipe: str) -> None:
    variant = build(a_model(tmp_path, dense(normal(40, 50))), recipe, tmp_path)
    percent = int(recipe.partition("+")[0].removeprefix("sparse-"))
    assert variant.tensors[0].zeros >= 20 * percent
    assert variant.notes == ()


def test_int8_keeps_the_zeros_of_sparse(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path), "sparse-75+int8", tmp_path)
    assert all(tensor.zeros >= round(0.75 * tensor.elements) for tensor in variant.tensors)
    assert variant.notes == (RANDOM_INPUTS,)


def test_a_step_that_loses_an_earlier_ones_clusters_is_told(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path, dense(normal(40, 50))), "palette-1+sparse-25", tmp_path)
    assert variant.tensors[0].distinct == 3
    assert [note.partition(":")[0] for note in variant.notes] == ["palette-1 was lost"]


def test_clusters_that_differ_by_scale_are_told_and_not_called_lost(tmp_path: Path) -> None:
    rows = normal(8, 200) * np.arange(1, 9, dtype=np.float32)[:, None]
    variant = build(a_model(tmp_path, dense(rows)), "palette-2+weight-int8", tmp_path)
    assert variant.tensors[0].distinct > 4
    assert [note for note in variant.notes if note.startswith("palette-2 holds under each scale")]


def test_a_source_that_was_pruned_before_says_when_that_is_lost(tmp_path: Path) -> None:
    weights = normal(40, 50)
    weights[:, ::5] = 0
    variant = build(a_model(tmp_path, dense(weights)), "palette-1", tmp_path)
    assert [note.partition(":")[0] for note in variant.notes] == ["the source's own sparsity was lost"]


@pytest.mark.parametrize("recipe", ["float16", "dynamic-int8", "int8", "sparse-50", "palette-4"])
def test_a_model_without_weights_is_changed_by_nothing(tmp_path: Path, recipe: str) -> None:
    with pytest.raises(ChangedNothing, match="has no weights"):
        build(a_model(tmp_path, models.many_ops(6)), recipe, tmp_path)


def test_sparse_of_a_sparser_source_changed_nothing(tmp_path: Path) -> None:
    weights = normal(40, 50)
    weights[:, ::2] = 0
    with pytest.raises(ChangedNothing, match="left every weight of FULLY_CONNECTED as it was"):
        build(a_model(tmp_path, dense(weights)), "sparse-40", tmp_path)


def test_palette_of_fewer_values_changed_nothing(tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing):
        build(a_model(tmp_path, dense(np.eye(6, dtype=np.float32))), "palette-1", tmp_path)


def test_an_operator_that_the_quantizer_leaves_alone_changed_nothing(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 4, 4, 4, 2))
    y = graph.tensor("y", (1, 4, 4, 4, 3))
    kernel = graph.constant("kernel", np.ones((1, 1, 1, 2, 3), np.float32))
    graph.op("CONV_3D", (x, kernel), (y,), options=_conv_3d())
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    with pytest.raises(ChangedNothing, match="every weight of CONV_3D"):
        build(a_model(tmp_path, writer.pack()), "float16", tmp_path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = normal(4, 4)
    weights[1, 1] = np.nan
    with pytest.raises(RecipeRefused, match="NaN or infinity"):
        build(a_model(tmp_path, dense(weights)), "palette-2", tmp_path)


@pytest.mark.parametrize("recipe", ["sparse-50", "palette-2", "palette-2-per-channel", "sparse-70-encoded"])
def test_a_weight_that_is_looked_up_in_too_is_spared_and_that_is_said(tmp_path: Path, recipe: str) -> None:
    variant = build(a_model(tmp_path, tied()), recipe, tmp_path)
    changed = {tensor.name.removesuffix("/sparse"): tensor.compressed for tensor in variant.tensors}
    assert changed == {"scores/weights": False, "more/weights": True}
    assert variant.notes[0] == "the weight 'scores/weights' was not edited: other operators read it too"


def test_a_model_of_tied_weights_alone_is_changed_by_no_edit(tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing):
        build(a_model(tmp_path, tied(alone=True)), "sparse-50", tmp_path)


def test_per_tensor_has_one_scale_for_each_weight(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path), "int8-per-tensor", tmp_path)
    assert [len(weight.scales) for weight in read_weights(variant.path.read_bytes())] == [1, 1]


def test_the_edge_tpu_form_has_one_scale_for_fully_connected_weights_alone(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path), "int8-edgetpu", tmp_path)
    scales = {weight.operator: len(weight.scales) for weight in read_weights(variant.path.read_bytes())}
    assert scales == {"CONV_2D": 8, "FULLY_CONNECTED": 1}


def test_w4a8_has_int8_weights_where_there_are_no_int4_kernels(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path, mobile_block()), "w4a8", tmp_path)
    types = {weight.operator: weight.dtype for weight in read_weights(variant.path.read_bytes())}
    assert types == {"CONV_2D": "int4", "DEPTHWISE_CONV_2D": "int8"}


@pytest.mark.parametrize("recipe", ["dynamic-int4", "weight-int4"])
def test_depthwise_weights_have_no_int4_form_and_stay(tmp_path: Path, recipe: str) -> None:
    variant = build(a_model(tmp_path, mobile_block()), recipe, tmp_path)
    assert (variant.weights_compressed, variant.weights_total) == (1, 2)


def test_the_signature_that_is_not_run_is_calibrated_on_random_inputs(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path, encode_and_decode()), "int8", tmp_path)
    assert (variant.weights_compressed, variant.weights_total) == (2, 2)
    assert "signatures that are not run here were calibrated on random inputs: 'decode'" in variant.notes


def test_large_inputs_of_another_signature_have_fewer_made_up_samples(tmp_path: Path) -> None:
    writer = ModelWriter()
    for key, side in {"small": 4, "large": 2048}.items():
        graph = writer.graph(key)
        x = graph.input(f"{key}/x", (1, side, side, 4))
        y = ops.unary(graph, "TANH", x, name=f"{key}/y")
        graph.output(y)
        writer.signature(graph, {"x": x}, {"y": y}, key)
    calibration, _ = calibrate(a_model(tmp_path, writer.pack()))
    assert {key: len(samples) for key, samples in calibration.samples.items()} == {"small": 8, "large": 2}


def test_the_signature_that_is_run_is_described_and_calibrated_on_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(0).uniform(-9, 9, (20, 4)))
    path = models.write_model(tmp_path, encode_and_decode(), "two.tflite")
    variant = build(read_model(path, name="tiny", data=data, signature="decode"), "int8", tmp_path)
    assert [spec.shape for spec in (*variant.inputs, *variant.outputs)] == [(1, 4), (1, 8)]
    assert variant.inputs[0].scale == pytest.approx(18 / 255, rel=0.1)
    assert variant.calibration == "20 samples of data.npz, also used for evaluation"


def test_static_quantisation_leaves_a_loop_alone_and_says_so(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path, dense_in_a_loop()), "int8", tmp_path)
    assert {tensor.name: tensor.dtype for tensor in variant.tensors} == {
        "before/weights": "int8",
        "behind/weights": "int8",
        "inside/weights": "float32",
    }
    assert "operators inside loops and branches stay as they are: nothing calibrates them" in variant.notes


def test_weights_inside_a_loop_can_be_quantised(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path, dense_in_a_loop()), "weight-int8", tmp_path)
    assert {tensor.dtype for tensor in variant.tensors} == {"int8"}


def test_static_quantisation_of_a_model_that_it_does_not_fit_changed_nothing(tmp_path: Path) -> None:
    with pytest.raises(ChangedNothing, match="every weight of UNIDIRECTIONAL_SEQUENCE_LSTM"):
        build(a_model(tmp_path, unusual.lstm()), "int8-float-io", tmp_path)


def test_an_operator_the_runtime_lacks_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="unresolved custom op: NoSuchOperator"):
        build(a_model(tmp_path, models.custom_op()), "float32", tmp_path)


def test_a_source_that_changed_since_it_was_read_is_refused(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    model.path.write_bytes(models.partitioned())
    with pytest.raises(ModelUnreadable, match="changed since it was read"):
        build(model, "float16", tmp_path)


def test_a_model_without_signature_or_names_of_its_own_is_quantised(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("same", (1, 4))
    graph.output(ops.fully_connected(graph, x, normal(4, 4), np.zeros(4, np.float32), name="same"))
    variant = build(a_model(tmp_path, writer.pack()), "int8", tmp_path)
    assert variant.inputs[0].dtype == "int8"
    assert variant.weights_compressed == 1


def test_inputs_in_another_order_than_the_signature_reach_their_places(tmp_path: Path) -> None:
    """The calibrated range of each input is that of its own samples."""
    writer = ModelWriter()
    graph = writer.graph()
    a, b = graph.input("ta", (1, 4)), graph.input("tb", (1, 4))
    total = ops.add(graph, a, b, name="total")
    y = ops.fully_connected(graph, total, normal(4, 4), np.zeros(4, np.float32), name="y")
    graph.output(y)
    writer.signature(graph, {"b": b, "a": a}, {"y": y}, "serving_default")
    data = tmp_path / "data.npz"
    rng = np.random.default_rng(0)
    np.savez(data, a=rng.uniform(-1, 1, (20, 4)), b=rng.uniform(-100, 100, (20, 4)))
    variant = build(a_model(tmp_path, writer.pack(), data=data), "int8", tmp_path)
    scales = {spec.name: spec.scale or 0 for spec in variant.inputs}
    assert scales["a"] == pytest.approx(2 / 255, rel=0.2)
    assert scales["b"] == pytest.approx(200 / 255, rel=0.2)
    assert variant.calibration == "20 samples of data.npz, also used for evaluation"
    assert variant.notes == ()


def test_random_calibration_is_said(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path), "int8", tmp_path)
    assert RANDOM_INPUTS in variant.notes
    assert variant.calibration is not None
    assert "random inputs" in variant.calibration


def test_what_needs_no_calibration_has_none(tmp_path: Path) -> None:
    variant = build(a_model(tmp_path), "dynamic-int8", tmp_path)
    assert variant.calibration is None
    assert variant.notes == ()


def test_a_prebuilt_file_is_taken_as_it_is_and_compared(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    theirs = build(model, "int8", tmp_path).path
    variant = build(model, "ours", tmp_path, prebuilt=theirs)
    assert variant.path.read_bytes() == theirs.read_bytes()
    assert (variant.weights_compressed, variant.weights_total) == (2, 2)
    assert variant.notes == ("built elsewhere and taken as it is",)
    assert variant.fidelity is not None


def test_a_prebuilt_file_that_is_the_source_changed_nothing(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    with pytest.raises(ChangedNothing, match="byte for byte"):
        build(model, "ours", tmp_path, prebuilt=model.path)


def test_a_prebuilt_file_that_changed_since_it_was_read_is_refused(tmp_path: Path) -> None:
    model = a_model(tmp_path)
    theirs = build(model, "int8", tmp_path).path
    spec = replace(a_spec("ours", prebuilt=theirs), prebuilt_digest=digest.of_bytes(b"what it was"))
    with pytest.raises(ModelUnreadable, match="changed since it was read"):
        build_one(BuildJob(model=model, spec=spec, scratch=tmp_path))


def test_what_was_built_of_a_compiled_source_is_not_scored(tmp_path: Path) -> None:
    model = a_model(tmp_path, compiled())
    theirs = models.write_model(tmp_path, dense(normal(4, 8)), "theirs.tflite")
    variant = build(model, "ours", tmp_path, prebuilt=theirs)
    assert variant.fidelity is None
    assert variant.notes[-1] == (
        "the source is compiled for an NPU (DISPATCH_OP), which the host cannot run: fidelity is unknown"
    )


def test_a_prebuilt_file_of_another_network_is_refused(tmp_path: Path) -> None:
    other = models.write_model(tmp_path, dense(normal(3, 5)), "other.tflite")
    with pytest.raises(ModelUnreadable, match="shapes"):
        build(a_model(tmp_path), "ours", tmp_path, prebuilt=other)


def test_a_prebuilt_file_of_integers_without_a_scale_is_refused(tmp_path: Path) -> None:
    writer = ModelWriter()
    graph = writer.graph()
    x, real = graph.input("x", (1, 8), "int32"), graph.tensor("real", (1, 8))
    graph.op("CAST", (x,), (real,))
    graph.output(ops.fully_connected(graph, real, normal(4, 8), None, name="y"))
    whole = models.write_model(tmp_path, writer.pack(), "whole.tflite")
    with pytest.raises(RecipeError, match="'x' is int32 without a scale; the source's is float32"):
        build(a_model(tmp_path, dense(normal(4, 8))), "ours", tmp_path, prebuilt=whole)


def compiled() -> bytes:
    """What `dense` of 8 inputs and 4 outputs might be compiled to."""
    writer = ModelWriter()
    graph = writer.graph()
    x, y = graph.input("x", (1, 8)), graph.tensor("y", (1, 4))
    graph.op("DISPATCH_OP", (x,), (y,), custom=True)
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def tied(*, alone: bool = False) -> bytes:
    """A table that rows are looked up in, and that is the weights of `scores` too; another layer behind it."""
    writer = ModelWriter()
    graph = writer.graph()
    x, row = graph.input("x", (1, 64)), graph.input("row", (1,), "int32")
    scores = ops.fully_connected(graph, x, normal(64, 64), np.zeros(64, np.float32), name="scores")
    table = Tensor(index=graph.table.operators[0].inputs[1], shape=(64, 64), dtype="float32")
    found = graph.tensor("found", (1, 64))
    graph.op("GATHER", (table, row), (found,), options=schema.GatherOptionsT())
    more = ops.fully_connected(graph, scores, normal(64, 64, 1), np.zeros(64, np.float32), name="more")
    outputs = {"found": found, "scores": scores} if alone else {"found": found, "more": more}
    graph.output(*outputs.values())
    if alone:
        graph.table.operators.pop()
    writer.signature(graph, {"x": x, "row": row}, outputs, "serving_default")
    return writer.pack()


def mobile_block() -> bytes:
    """A convolution and a depthwise one."""
    rng = np.random.default_rng(0)
    writer = ModelWriter()
    graph = writer.graph()
    x = graph.input("x", (1, 8, 8, 4))
    wide = rng.normal(size=(8, 1, 1, 4)).astype(np.float32)
    deep = rng.normal(size=(1, 3, 3, 8)).astype(np.float32)
    y = ops.conv_2d(graph, x, wide, np.zeros(8, np.float32), name="wide")
    y = ops.depthwise_conv_2d(graph, y, deep, np.zeros(8, np.float32), name="deep")
    graph.output(y)
    writer.signature(graph, {"x": x}, {"y": y}, "serving_default")
    return writer.pack()


def _conv_3d() -> object:
    options = schema.Conv3DOptionsT()
    options.strideD = options.strideH = options.strideW = 1
    options.dilationDFactor = options.dilationHFactor = options.dilationWFactor = 1
    return options
