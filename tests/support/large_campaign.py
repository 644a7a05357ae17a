"""A campaign as large as the bench is meant for: five architectures, every recipe, operator tables throughout.

Graphs have the operators of the real networks in number, kind and length of name; the times are invented.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.campaign import CampaignResult, CellResult
from harness.core.judgement import ColdStart, StartFigures
from harness.core.launch import Api, OpRecord, OpTable
from harness.core.outcome import Measured, measurement_of
from harness.core.variant import Variant, WeightTensor
from harness.explain import explain
from harness.placement import complete_delegation
from tests.support.measurements import MS
from tests.support.results import a_campaign_result, a_cell_result
from tests.support.variants import a_model, a_variant

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operator of a float network."""

    type: str
    name: str
    shape: Shape
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a kind of recipe runs: kernels by operator type, what stays outside the delegate, and what it costs.

    widened: a DEQUANTIZE before every weight, folded or paid for at each inference.
    """

    kernels: Mapping[str, str]
    outside: frozenset[str] = frozenset()
    factor: float = 1.0
    slow: float = 1.0
    widened: bool = False
    folded: bool = True


_F32 = {
    "CONV_2D": "Fully Connected (NC, F32) GEMM",
    "DEPTHWISE_CONV_2D": "Convolution (NHWC, F32) DWConv",
    "FULLY_CONNECTED": "Fully Connected (NC, F32) GEMM",
    "SOFTMAX": "Softmax (NC, F32)",
}
_INT8 = {
    "CONV_2D": "Fully Connected (NC, QS8, QC8W) GEMM",
    "DEPTHWISE_CONV_2D": "Convolution (NHWC, QC8) DWConv",
    "FULLY_CONNECTED": "Fully Connected (NC, QS8, QC8W) GEMM",
}
_DYNAMIC = _F32 | {"CONV_2D": "Fully Connected (NC, QDU8, F32, QC8W) GEMM"}
_EVERYTHING = frozenset(
    {
        *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX", "ADD", "MUL", "PAD", "MEAN", "RESHAPE"),
        *("MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION", "DEQUANTIZE"),
    }
)
_SAME = Style(kernels=_F32)
_STYLES: Mapping[str, Style] = {
    "float16": Style(kernels=_F32, widened=True),
    "dynamic": Style(kernels=_DYNAMIC, outside=frozenset({"DEPTHWISE_CONV_2D"}), factor=0.35, slow=18),
    "weight-int8": Style(kernels=_F32, widened=True),
    "weight-int4": Style(kernels=_F32, widened=True, folded=False, factor=1.0),
    "int16x8": Style(kernels={}, outside=_EVERYTHING, slow=38),
    "int8": Style(kernels=_INT8, outside=frozenset({"SOFTMAX"}), factor=0.42),
    "uint8": Style(kernels=_INT8, outside=frozenset({"SOFTMAX"}), factor=0.43),
}
RECIPES = (
    *("float32", "float16", "dynamic-int8", "dynamic-int4", "weight-int8", "weight-int4", "int8", "int8-float-io"),
    *("uint8", "int16x8", "int8-per-tensor", "int8-edgetpu", "w4a8", "sparse-25", "sparse-50", "sparse-75"),
    *("sparse-90", "sparse-2:4", "sparse-75-encoded", "sparse-90-encoded", "palette-2", "palette-4", "palette-8"),
    *("palette-4-per-channel", "sparse-50+palette-4", "sparse-75+palette-4", "sparse-50+int8", "sparse-75+int8"),
    *("palette-4+int8", "sparse-50+palette-4+int8", "sparse-75+float16", "palette-8+float16"),
)
_RATIOS = {"int8": 0.45, "dynamic": 2.4, "int16x8": 38.0, "weight-int4": 4.3}


def a_large_campaign_result(*, recipes: Sequence[str] = RECIPES, launches: int = 10) -> CampaignResult:
    """Every recipe on five architectures, one unit: 160 cells, about 20,000 operators, weight tables besides."""
    networks = {
        "mobilenet_v1": (list(_mobilenet_v1()), 16_900_000, 8 * MS),
        "mobilenet_v2": (list(_mobilenet_v2()), 14_000_000, 4 * MS),
        "inception_v3": (list(_inception_v3()), 95_300_000, 60 * MS),
        "resnet_v2_101": (list(_resnet(33, 101)), 178_200_000, 95 * MS),
        "resnet50": (list(_resnet(16, 50)), 102_200_000, 37 * MS),
    }
    cells = [
        _cell(model, steps, size, total_ns, recipe, launches)
        for model, (steps, size, total_ns) in networks.items()
        for recipe in recipes
    ]
    cells = [_explained(made, cells) for made in cells]
    models = [a_model(name, size_bytes=size, random_weights=True) for name, (_, size, _) in networks.items()]
    return a_campaign_result(cells, models=models)


def _cell(model: str, steps: Sequence[Step], size: int, total_ns: float, recipe: str, launches: int) -> CellResult:
    style = _style(recipe)
    seed = sum(map(ord, model + recipe))
    table = _table(steps, style, total_ns, seed)
    ratio = sum(op.latency_ns or 0 for op in table.ops) / (0.98 * total_ns)
    built = _built(model, recipe, steps, size)
    made = a_cell_result(
        recipe, model=model, base_ns=total_ns, ratio=ratio, ops=table, built=built, launches=launches, seed=seed
    )
    assert isinstance(made.outcome, Measured)
    measurement = replace(made.outcome.measurement, api=Api.COMPILED_MODEL, delegation=complete_delegation(None, table))
    return replace(made, outcome=Measured(measurement=measurement), cold=_cold(total_ns * ratio))


def _explained(made: CellResult, cells: Sequence[CellResult]) -> CellResult:
    source = next(other for other in cells if other.cell.is_source and other.cell.model == made.cell.model)
    here, there = measurement_of(made.outcome), measurement_of(source.outcome)
    assert here is not None
    return replace(made, explanation=explain(made.cell, here, None if made is source else there, made.comparison))


def _style(recipe: str) -> Style:
    last = recipe.split("+")[-1]
    return next((style for name, style in _STYLES.items() if last.startswith(name)), _SAME)


def _table(steps: Sequence[Step], style: Style, total_ns: float, seed: int) -> OpTable:
    rng = random.Random(seed)
    scale = 0.98 * total_ns / math.fsum(step.cost for step in steps)
    rows: list[OpRecord] = []
    for step in steps:
        if style.widened and step.type in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            rows.append(_dequantize(len(rows), step, scale, folded=style.folded))
        rows.append(_row(len(rows), step, style, scale * rng.lognormvariate(0, 0.05)))
    total = math.fsum(row.latency_ns or 0 for row in rows)
    return OpTable(
        ops=tuple(replace(row, share=row.latency_ns / total if row.latency_ns is not None else None) for row in rows),
        coverage=0.97,
        mapping_cost=0.1,
        approximate=False,
        partitions=_partitions(rows),
        runs=50,
        resolution_ns=1000.0,
    )


def _row(index: int, step: Step, style: Style, scale: float) -> OpRecord:
    inside = step.type not in style.outside
    factor = style.factor if inside else style.slow
    return OpRecord(
        index=index,
        name=step.name,
        type=step.type,
        shape=step.shape,
        kernels=(style.kernels.get(step.type, f"{step.type.title().replace('_', ' ')} (ND)") if inside else step.type,),
        placed_on="cpu/xnnpack" if inside else "cpu/builtin",
        latency_ns=step.cost * scale * factor,
        label="measured",
        share=None,
        macs=round(step.cost * 1e6) if "CONV" in step.type else None,
        bytes=4 * math.prod(step.shape),
    )


def _dequantize(index: int, step: Step, scale: float, *, folded: bool) -> OpRecord:
    return OpRecord(
        index=index,
        name=f"{step.name}/weights_dequant",
        type="DEQUANTIZE",
        shape=step.shape,
        kernels=() if folded else ("DEQUANTIZE",),
        placed_on=None if folded else "cpu/builtin",
        latency_ns=None if folded else step.cost * scale * 3,
        label="measured",
        share=None,
        macs=None,
        bytes=4 * math.prod(step.shape),
    )


def _partitions(rows: Sequence[OpRecord]) -> int:
    places = [row.placed_on for row in rows if row.placed_on]
    return sum(here == "cpu/xnnpack" and before != here for before, here in zip([None, *places], places, strict=False))


def _cold(inference_ns: float) -> ColdStart:
    def figures(compile_ns: float) -> StartFigures:
        return StartFigures(
            environment=2.1 * MS,
            compile=compile_ns,
            first=1.9 * inference_ns,
            total=2.1 * MS + compile_ns + 1.9 * inference_ns,
            warm=inference_ns,
            launches=3,
        )

    return ColdStart(off=figures(14 * MS), filled=replace(figures(31 * MS), launches=1), used=figures(4 * MS))


def _built(model: str, recipe: str, steps: Sequence[Step], size: int) -> Variant:
    usual = a_variant(recipe, model=model, source_bytes=size, random_weights=True)
    narrow = "int8" in recipe
    tensors = tuple(
        WeightTensor(
            name=f"{step.name}{part}",
            shape=(*step.shape[-1:], 3, 3, 64) if not part else step.shape[-1:],
            dtype="int8" if narrow and not part else "float32",
            size_bytes=step.shape[-1] * 576,
            elements=step.shape[-1] * 576,
            zeros=step.shape[-1] * 7,
            distinct=255 if narrow else 40_000,
            compressed=narrow and not part,
        )
        for step in steps
        if "CONV" in step.type
        for part in ("", "/bias")
    )
    return replace(usual, tensors=tensors, weights_total=len(tensors))


def _convolution(path: str, size: int, channels: int, cost: float, kind: str = "CONV_2D") -> Step:
    """Named as converters name it: every layer that went into the operator."""
    name = f"{path}_relu/Relu;{path}_bn/FusedBatchNormV3;{path}/BiasAdd;{path}/Conv2D"
    return Step(type=kind, name=name, shape=(1, size, size, channels), cost=cost)


def _other(kind: str, path: str, size: int, channels: int, cost: float = 0.02) -> Step:
    return Step(type=kind, name=path, shape=(1, size, size, channels), cost=cost)


def _head(model: str, channels: int) -> Iterator[Step]:
    yield Step(type="MEAN", name=f"{model}/avg_pool/Mean", shape=(1, channels), cost=0.02)
    yield Step(type="FULLY_CONNECTED", name=f"{model}/predictions/MatMul", shape=(1, 1000), cost=0.2)
    yield Step(type="SOFTMAX", name="StatefulPartitionedCall:0", shape=(1, 1000), cost=0.01)


def _mobilenet_v1() -> Iterator[Step]:
    yield _convolution("mobilenet_v1/conv1", 112, 32, 0.5)
    for i in range(13):
        yield _convolution(f"mobilenet_v1/conv_dw_{i + 1}", 112 >> i // 3, 64 << i // 4, 0.25, "DEPTHWISE_CONV_2D")
        yield _convolution(f"mobilenet_v1/conv_pw_{i + 1}", 112 >> i // 3, 64 << i // 4, 1.5)
    yield from _head("mobilenet_v1", 1024)
    yield Step(type="RESHAPE", name="mobilenet_v1/reshape_2/Reshape", shape=(1, 1000), cost=0.01)


def _mobilenet_v2() -> Iterator[Step]:
    yield _convolution("mobilenet_v2/Conv1", 112, 32, 0.5)
    for i in range(17):
        size, channels = 112 >> (i // 4), 16 * (1 + i // 2)
        if i:
            yield _convolution(f"mobilenet_v2/block_{i}_expand", size, 6 * channels, 1.0)
        yield _convolution(f"mobilenet_v2/block_{i}_depthwise", size, 6 * channels, 0.3, "DEPTHWISE_CONV_2D")
        yield _convolution(f"mobilenet_v2/block_{i}_project", size, channels, 0.9)
        if i % 5 in (2, 4) or i in (5, 8, 10, 15):
            yield _other("ADD", f"mobilenet_v2/block_{i}_add/add", size, channels)
    yield _convolution("mobilenet_v2/Conv_1", 7, 1280, 0.8)
    yield from _head("mobilenet_v2", 1280)


def _inception_v3() -> Iterator[Step]:
    for i in range(5):
        yield _convolution(f"inception_v3/conv2d_{i}", 147 >> (i // 3), 32 * (i + 1), 2.0)
    yield _other("MAX_POOL_2D", "inception_v3/max_pooling2d_1/MaxPool", 35, 192)
    for block in range(11):
        size, channels = (35, 17, 8)[block // 4], 96 + 32 * block
        for i in range(8):
            yield _convolution(f"inception_v3/mixed{block}/conv2d_{8 * block + i + 5}", size, channels, 1.0)
        yield _other("AVERAGE_POOL_2D", f"inception_v3/mixed{block}/average_pooling2d/AvgPool", size, channels, 0.1)
        yield _other("CONCATENATION", f"inception_v3/mixed{block}/concat", size, 8 * channels, 0.05)
    yield from _head("inception_v3", 2048)


def _resnet(blocks: int, depth: int) -> Iterator[Step]:
    path = f"resnet{depth}"
    yield _other("PAD", f"{path}/conv1_pad/Pad", 230, 3)
    yield _convolution(f"{path}/conv1_conv", 112, 64, 2.0)
    yield _other("MAX_POOL_2D", f"{path}/pool1_pool/MaxPool", 56, 64, 0.1)
    for block in range(blocks):
        size, channels = 56 >> (3 * block // blocks), 64 << (3 * block // blocks)
        here = f"{path}/conv{2 + 4 * block // blocks}_block{block + 1}"
        yield _other("MUL", f"{here}_preact_bn/FusedBatchNormV3", size, 4 * channels, 0.05)
        yield _other("ADD", f"{here}_preact_relu/Relu;{here}_preact_bn/FusedBatchNormV3", size, 4 * channels, 0.05)
        for i in (1, 2, 3):
            yield _convolution(f"{here}_{i}", size, channels if i < 3 else 4 * channels, 1.0)
        yield _other("PAD", f"{here}_2_pad/Pad", size + 2, channels, 0.03)
        yield _other("ADD", f"{here}_out/add", size, 4 * channels, 0.05)
    yield from _head(path, 2048)
