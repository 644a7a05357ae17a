"""What is told of an ML Program's weights: which there are, who reads them, and how each is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.sources.mlpackage import read_model, read_weights
from harness.sources.mlprogram_weights import Palette, ProgramWeight, Reader, Scaling, precision_of
from harness.toolkit import import_coremltools, quietly
from tests.support import mil, mlpackages

_COUT, _CIN = 32, 64
_ELEMENTS = _COUT * _CIN * 9


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same convolution for iOS16 and iOS18."""
    folder = tmp_path_factory.mktemp("sources")
    return {
        target: mil.write(folder / f"{target}.mlpackage", {"x": (1, _CIN, 4, 4)}, _convolution, target)
        for target in ("iOS16", "iOS18")
    }


def _convolution(x: Any) -> Any:  # noqa: ANN401
    return mil.builder().conv(x=x, weight=_real(_COUT, _CIN, 3, 3), bias=_real(_COUT), name="features")


def _real(*shape: int) -> Any:  # noqa: ANN401
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _palette(**options: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    return lambda model: _compress("palettize_weights", "OpPalettizerConfig", model, mode="uniform", **options)


def _scale(**options: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    return lambda model: _compress("linear_quantize_weights", "OpLinearQuantizerConfig", model, **options)


def _prune(model: Any) -> Any:  # noqa: ANN401
    return _compress("prune_weights", "OpMagnitudePrunerConfig", model, target_sparsity=0.75)


def _compress(call: str, kind: str, model: Any, joint: bool = False, **options: Any) -> Any:  # noqa: ANN401
    import_coremltools()
    import coremltools.optimize.coreml as optimize

    config = optimize.OptimizationConfig(global_config=getattr(optimize, kind)(weight_threshold=0, **options))
    more = {"joint_compression": True} if joint else {}
    with quietly():
        return getattr(optimize, call)(model, config, **more)


def _one(source: Path, path: Path, *steps: Callable[[Any], Any]) -> ProgramWeight:
    """The convolution's weight after steps."""
    with quietly():
        model = import_coremltools().models.MLModel(str(source), skip_model_load=True)
        for step in steps:
            model = step(model)
        model.save(str(path))
    (weight,) = (weight for weight in read_weights(path) if weight.readers[0].input == "weight")
    return weight


def _recipe(weight: ProgramWeight) -> str | None:
    return precision_of([weight])


def test_a_plain_weight_is_described(sources: dict[str, Path]) -> None:
    (weight,) = read_weights(sources["iOS18"])
    assert (weight.name, weight.shape, weight.elements) == ("features_weight_0_to_fp16", (32, 64, 3, 3), _ELEMENTS)
    assert (weight.dtype, weight.stored, weight.bytes) == ("float16", "float16", 2 * _ELEMENTS)
    assert weight.readers == (Reader(type="conv", name="features_cast_fp16", input="weight"),)
    assert (weight.is_compressed, weight.sparsity, weight.techniques) == (False, None, ())


def test_how_a_weight_is_read_is_described(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        mb, ones = mil.builder(), np.ones((8, 2, 1, 1), np.float32)
        x = mb.conv(x=x, weight=ones, groups=4, name="grouped")
        turned = mb.transpose(x=mb.const(val=np.ones((4, 6), np.float32), name="stored"), perm=[1, 0], name="turned")
        return mb.matmul(x=x, y=turned, transpose_y=True, name="product")

    as_it_stands = import_coremltools().PassPipeline.EMPTY
    shapes = {"x": (1, 8, 6, 4)}
    path = mil.write(tmp_path / "m.mlpackage", shapes, body, "iOS16", "float32", pass_pipeline=as_it_stands)
    grouped, turned = read_weights(path)
    assert grouped.readers == (Reader(type="conv", name="grouped", input="weight", groups=4),)
    assert (turned.name, turned.shape) == ("stored", (6, 4))
    assert turned.readers == (Reader(type="matmul", name="product", input="y", transposed=True, through="transpose"),)


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_a_palette_is_described(sources: dict[str, Path], tmp_path: Path, target: str) -> None:
    weight = _one(sources[target], tmp_path / "m.mlpackage", _palette(nbits=4))
    assert weight.palette == Palette(bits=4, tables=1, vector=1, group=None, dtype="float16")
    assert (weight.dtype, weight.stored, weight.shape) == ("float16", "uint4", (32, 64, 3, 3))
    assert weight.bytes - _ELEMENTS // 2 in (2 * 16, 2 * 16 + 4 * 4)  # the table, until iOS17 the shape too
    assert _recipe(weight) == "palette-4"


def test_a_palette_of_groups_is_described(sources: dict[str, Path], tmp_path: Path) -> None:
    step = _palette(nbits=3, granularity="per_grouped_channel", group_size=8)
    weight = _one(sources["iOS18"], tmp_path / "m.mlpackage", step)
    assert weight.palette == Palette(bits=3, tables=4, vector=1, group=8, dtype="float16")
    assert _recipe(weight) == "palette-3-group-8"


def test_a_palette_of_vectors_is_described(sources: dict[str, Path], tmp_path: Path) -> None:
    def vectors(model: Any) -> Any:  # noqa: ANN401
        return _compress("palettize_weights", "OpPalettizerConfig", model, mode="kmeans", nbits=1, cluster_dim=2)

    weight = _one(sources["iOS18"], tmp_path / "m.mlpackage", vectors)
    assert weight.palette == Palette(bits=1, tables=1, vector=2, group=None, dtype="float16")
    assert (weight.shape, _recipe(weight)) == ((32, 64, 3, 3), "palette-1-vector-2")


def test_a_quantised_table_is_part_of_the_palette(sources: dict[str, Path], tmp_path: Path) -> None:
    table = _scale(mode="linear_symmetric", dtype="int8", granularity="per_tensor", joint=True)
    weight = _one(sources["iOS18"], tmp_path / "m.mlpackage", _palette(nbits=4), table)
    assert weight.palette == Palette(bits=4, tables=1, vector=1, group=None, dtype="int8")
    assert (weight.scaling, weight.bytes) == (None, _ELEMENTS // 2 + 16 + 2)
    assert _recipe(weight) == "palette-4-int8-lut"


@pytest.mark.parametrize(("target", "scales"), [("iOS16", (32,)), ("iOS18", (32, 1, 1, 1))])
def test_scales_of_channels_are_described(
    sources: dict[str, Path], tmp_path: Path, target: str, scales: tuple[int, ...]
) -> None:
    weight = _one(sources[target], tmp_path / "m.mlpackage", _scale(mode="linear_symmetric", dtype="int8"))
    assert weight.scaling is not None
    assert (weight.scaling.dtype, weight.scaling.scales, weight.scaling.block) == ("int8", scales, None)
    assert (weight.scaling.count, weight.stored, _recipe(weight)) == (32, "int8", "weight-int8")


def test_scales_of_blocks_are_described(sources: dict[str, Path], tmp_path: Path) -> None:
    step = _scale(mode="linear", dtype="uint4", granularity="per_block", block_size=32)
    weight = _one(sources["iOS18"], tmp_path / "m.mlpackage", step)
    assert weight.scaling == Scaling(dtype="uint4", scales=(32, 2, 1, 1), block=32, has_offset=True)
    assert _recipe(weight) == "weight-uint4-block-32"


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_a_sparse_weight_is_described(sources: dict[str, Path], tmp_path: Path, target: str) -> None:
    weight = _one(sources[target], tmp_path / "m.mlpackage", _prune)
    assert weight.nonzero is not None
    assert weight.sparsity == pytest.approx(0.75, abs=0.001)  # numbers alike go together
    assert weight.bytes - (_ELEMENTS // 8 + 2 * weight.nonzero) in (0, 4 * 4)  # until iOS17 the shape too
    assert _recipe(weight) == "sparse-75"


def test_joint_compressions_are_described(sources: dict[str, Path], tmp_path: Path) -> None:
    few = _one(sources["iOS18"], tmp_path / "few.mlpackage", _prune, _palette(nbits=4, joint=True))
    eight = _scale(mode="linear_symmetric", dtype="int8", joint=True)
    small = _one(sources["iOS18"], tmp_path / "small.mlpackage", _prune, eight)
    assert (_recipe(few), _recipe(small)) == ("sparse-75+palette-4", "sparse-75+weight-int8")
    assert few.nonzero == small.nonzero
    assert small.nonzero is not None
    assert small.bytes == _ELEMENTS // 8 + small.nonzero + 2 * 32  # the mask that two operations read counts once


def test_quantised_activations_make_weight_int8_int8(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        mb = mil.builder()
        scale = np.float32(0.1)
        small = mb.dequantize(input=mb.quantize(input=x, scale=scale, output_dtype="int8"), scale=scale)
        return mb.conv(x=small, weight=_real(32, 64, 3, 3))

    source = mil.write(tmp_path / "source.mlpackage", {"x": (1, 64, 4, 4)}, body)
    path = tmp_path / "m.mlpackage"
    _one(source, path, _scale(mode="linear_symmetric", dtype="int8"))
    assert (read_model(source, name="m").precision, read_model(path, name="m").precision) == ("float16", "int8")


def test_the_precision_is_that_of_most_numbers(sources: dict[str, Path]) -> None:
    (weight,) = read_weights(sources["iOS18"])
    large = ProgramWeight(
        name="large", shape=(64, 900), dtype="float16", stored="float16", bytes=1, readers=(), nonzero=28_800
    )
    assert precision_of([weight, large]) == "sparse-50"
    assert precision_of([]) is None


def test_recurrent_embedded_and_multiplied_weights_count(tmp_path: Path) -> None:
    def body(x: Any) -> Any:  # noqa: ANN401
        mb = mil.builder()
        state = np.zeros((1, 8), np.float32)
        made, _ = mb.gru(x=x, initial_h=state, weight_ih=_real(24, 4), weight_hh=_real(24, 8), bias=_real(24))
        index = mb.reduce_argmax(x=made, axis=2, keep_dims=False)
        found = mb.gather(x=_real(8, 16), indices=index, axis=0)
        return mb.mul(x=mb.matmul(x=found, y=_real(16, 12)), y=_real(1, 1, 12))

    weights = read_weights(mil.write(tmp_path / "m.mlpackage", {"x": (5, 1, 4)}, body))
    assert [(weight.readers[0].type, weight.readers[0].input, weight.shape) for weight in weights] == [
        ("gru", "weight_ih", (24, 4)),
        ("gru", "weight_hh", (24, 8)),
        ("gather", "x", (8, 16)),
        ("matmul", "y", (16, 12)),
    ]


def test_a_weight_inside_a_loop_counts(tmp_path: Path) -> None:
    path = mlpackages.loop(tmp_path / "m.mlpackage")
    assert [weight.shape for weight in read_weights(path)] == [(4, 4)]
    note = "multiply-accumulates are those of the main graph, without the bodies of while_loop"
    assert read_model(path, name="m").notes == (note,)


def test_a_weight_that_is_reordered_when_the_program_runs_counts(sources: dict[str, Path], tmp_path: Path) -> None:
    """Converters fold such operations; other tools may not."""
    path = tmp_path / "m.mlpackage"
    _one(sources["iOS18"], path, _scale(mode="linear_symmetric", dtype="int8"))

    def reorder(specification: Any) -> None:  # noqa: ANN401
        function = specification.mlProgram.functions["main"]
        block = function.block_specializations[function.opset]
        at = next(i for i, each in enumerate(block.operations) if each.type == "conv")
        block.operations.add().CopyFrom(block.operations[at])
        before, after = block.operations[at], block.operations[-1]
        before.outputs[0].name, before.type = "reordered", "transpose"
        before.inputs["x"].CopyFrom(after.inputs["weight"])
        after.inputs["weight"].arguments[0].name = "reordered"
        rest = list(block.operations)[at + 1 : -1]
        del block.operations[at + 1 : -1]
        block.operations.extend(rest)

    mlpackages.edit(path, reorder)
    (weight,) = read_weights(path)
    assert (weight.stored, weight.readers[0].type) == ("int8", "conv")


def test_functions_that_share_a_weight_have_one(sources: dict[str, Path], tmp_path: Path) -> None:
    path = mlpackages.join_functions(tmp_path / "m.mlpackage", first=sources["iOS18"], second=sources["iOS18"])
    (weight,) = read_weights(path)
    assert len(weight.readers) == 2
    assert read_model(path, name="m").parameters == _ELEMENTS + _COUT
