"""Compressed weights: what the reference computes is what the same program computes with its weights written out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.fidelity.array import Array
from harness.fidelity.mil.operators.constexpr import look_up
from harness.fidelity.mil.program import operator_types
from harness.fidelity.mil.reference import Program
from harness.sources.mlpackage_file import open_package
from harness.toolkit import import_coremltools, quietly
from tests.support.mil import Var, builder, write

Toolkit = Any
"""coremltools and what is its own, without types."""
Compress = Callable[[Toolkit, Toolkit], Toolkit]

mb = builder()
_RNG = np.random.default_rng(0)
_KERNEL = _RNG.standard_normal((64, 32, 3, 3)).astype(np.float32) * 0.05
_MATRIX = _RNG.standard_normal((32, 64)).astype(np.float32) * 0.1
_KERNEL[np.abs(_KERNEL) < 0.03] = 0
_IMAGE = {"x": _RNG.standard_normal((1, 32, 6, 6)).astype(np.float32)}


def _network(x: Var) -> Var:
    features = mb.relu(x=mb.conv(x=x, weight=_KERNEL, pad_type="same"))
    return mb.linear(x=mb.reduce_mean(x=features, axes=[2, 3], keep_dims=False), weight=_MATRIX)


def _config(ct: Toolkit, kind: str, **wishes: object) -> Toolkit:
    return ct.OptimizationConfig(global_config=getattr(ct, f"Op{kind}Config")(weight_threshold=0, **wishes))


def _prune(**wishes: object) -> Compress:
    return lambda ct, model: ct.prune_weights(model, _config(ct, "MagnitudePruner", **wishes))


def _palettize(joint: bool = False, **wishes: object) -> Compress:
    return lambda ct, model: ct.palettize_weights(model, _config(ct, "Palettizer", **wishes), joint_compression=joint)


def _quantize(joint: bool = False, **wishes: object) -> Compress:
    return lambda ct, model: ct.linear_quantize_weights(
        model, _config(ct, "LinearQuantizer", **wishes), joint_compression=joint
    )


def _then(first: Compress, second: Compress) -> Compress:
    return lambda ct, model: second(ct, first(ct, model))


_GROUPS: dict[str, Any] = {"granularity": "per_grouped_channel", "group_size": 16}
_SINCE_IOS16: dict[str, tuple[Compress, set[str]]] = {
    "sparse": (_prune(target_sparsity=0.5), {"sparse_to_dense"}),
    "sparse 2:4": (_prune(n_m_ratio=(2, 4)), {"sparse_to_dense"}),
    "palette of 4 bits": (_palettize(mode="uniform", nbits=4), {"lut_to_dense"}),
}
_IOS16 = _SINCE_IOS16 | {
    "int8": (_quantize(mode="linear_symmetric"), {"affine_dequantize"}),
    "uint8": (_quantize(mode="linear", dtype="uint8"), {"affine_dequantize"}),
}
_IOS18 = _SINCE_IOS16 | {
    "palette of 3 bits": (_palettize(mode="uniform", nbits=3), {"lut_to_dense"}),
    "palettes of groups": (_palettize(mode="uniform", nbits=2, **_GROUPS), {"lut_to_dense"}),
    "palette of pairs": (_palettize(mode="kmeans", nbits=2, cluster_dim=2), {"lut_to_dense"}),
    "palettes with scales": (
        _palettize(mode="uniform", nbits=4, enable_per_channel_scale=True, **_GROUPS),
        {"lut_to_dense", "blockwise_shift_scale"},
    ),
    "palette of int8": (
        _then(_palettize(mode="uniform", nbits=4), _quantize(joint=True, granularity="per_tensor")),
        {"lut_to_dense", "blockwise_shift_scale"},
    ),
    "int8": (_quantize(mode="linear_symmetric"), {"blockwise_shift_scale"}),
    "uint8": (_quantize(mode="linear", dtype="uint8"), {"blockwise_shift_scale"}),
    "int4 of blocks": (
        _quantize(mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=16),
        {"blockwise_shift_scale"},
    ),
    "sparse int8": (
        _then(_prune(target_sparsity=0.5), _quantize(joint=True)),
        {"sparse_to_dense", "sparse_blockwise_shift_scale"},
    ),
    "sparse palette": (
        _then(_prune(target_sparsity=0.5), _palettize(joint=True, mode="uniform", nbits=4)),
        {"sparse_to_dense", "lut_to_sparse"},
    ),
}
_CASES = [("iOS16", name) for name in _IOS16] + [("iOS18", name) for name in _IOS18]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    shapes = {"x": (1, 32, 6, 6)}
    return {target: write(folder / f"{target}.mlpackage", shapes, _network, target) for target in ("iOS16", "iOS18")}


def _predict(path: Path) -> Array:
    (result,) = Program.load(path).predict(_IMAGE).values()
    return result


@pytest.mark.parametrize(("target", "name"), _CASES)
def test_compressed_weights_compute_what_the_weights_that_they_stand_for_compute(
    tmp_path: Path, sources: dict[str, Path], target: str, name: str
) -> None:
    compress, operators = {"iOS16": _IOS16, "iOS18": _IOS18}[target][name]
    coremltools = import_coremltools()
    import coremltools.optimize.coreml as optimize

    with quietly():
        source = coremltools.models.MLModel(str(sources[target]), skip_model_load=True)
        compressed = compress(optimize, source)
        compressed.save(str(tmp_path / "compressed.mlpackage"))
        optimize.decompress_weights(compressed).save(str(tmp_path / "dense.mlpackage"))
    assert _constexpr_operators(tmp_path / "compressed.mlpackage") == operators
    assert _constexpr_operators(tmp_path / "dense.mlpackage") == set()
    assert np.array_equal(_predict(tmp_path / "compressed.mlpackage"), _predict(tmp_path / "dense.mlpackage"))


def _constexpr_operators(path: Path) -> set[str]:
    (block,) = open_package(path).specification.mlProgram.functions["main"].block_specializations.values()
    return {each.removeprefix("constexpr_") for each in operator_types(block) if each.startswith("constexpr_")}


@pytest.mark.parametrize(
    ("blocks", "length", "axis"),
    [
        ((1, 1, 1, 1), 1, None),
        ((4, 1, 1, 1), 1, None),
        ((2, 3, 1, 1), 1, None),
        ((1, 1, 1, 1), 2, 0),
        ((4, 1, 1, 1), 4, 1),
    ],
)
def test_a_look_up_is_coremltools_own(blocks: tuple[int, ...], length: int, axis: int | None) -> None:
    import_coremltools()
    from coremltools.optimize._utils import lut_to_dense

    indices = _RNG.integers(0, 8, (8, 6, 3, 3)).astype(np.uint8)
    table = _RNG.standard_normal((*blocks, 8, length)).astype(np.float16)
    assert np.array_equal(look_up(indices, table, axis), lut_to_dense(indices, table, axis))
