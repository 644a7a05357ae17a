"""Convolutions, against sums over their windows at float64."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.core.target import Target
from harness.fidelity.mil.operators.convolution import TRANSLATIONS
from harness.fidelity.mil.reference import Program
from harness.toolkit import import_coremltools, quietly
from tests.support.mil_oracle import Array, Case, Result, call, core_operators, measure, misses, operators, sweep
from tests.support.mil_windows import convolve, pads_of, scatter, spans

pytestmark = pytest.mark.thorough

RANDOM = np.random.default_rng(8)
Real = type[np.generic]
PAD_TYPES = ("valid", "same", "same_lower", "custom")


def normal(*shape: int) -> Array:
    return RANDOM.normal(size=shape)


def convolution(
    x: Array,
    weight: Array,
    kind: str,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int = 1,
    bias: Array | None = None,
    target: Target = Target.IOS16,
    dynamic: bool = False,
) -> Case:
    pad = [(i + 1) % 3 for i in range(2 * len(strides))]
    parameters: dict[str, Any] = {"strides": strides, "dilations": dilations, "groups": groups, "pad_type": kind}
    parameters |= {"pad": pad} if kind == "custom" else {}
    parameters |= {} if bias is None else {"bias": bias}
    pads = pads_of(kind, x.shape[2:], spans(weight.shape[2:], dilations), strides, pad)

    wide = weight.astype(np.float64)

    def expect(x: Array, weight: Array = wide) -> Array:
        found = convolve(x, weight, strides=strides, dilations=dilations, pads=pads, groups=groups)
        return found if bias is None else found + bias.astype(np.float64).reshape(-1, *[1] * len(strides))

    if dynamic:
        return call("conv", {"x": x, "weight": weight}, expect, target, **parameters)
    return call("conv", {"x": x}, expect, target, weight=weight, **parameters)


FORMS: tuple[tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 8, 31, 30), (16, 8, 3, 3), 1, (1, 1), (1, 1)),
    ((1, 3, 14, 15), (8, 3, 5, 4), 1, (2, 3), (1, 1)),
    ((2, 6, 9, 8), (12, 1, 3, 2), 6, (1, 2), (2, 1)),
    ((1, 4, 7, 7), (6, 2, 1, 1), 2, (2, 2), (1, 1)),
    ((3, 4, 17), (5, 4, 4), 1, (2,), (2,)),
    ((1, 4, 6, 7, 5), (6, 2, 2, 3, 3), 2, (1, 2, 1), (1, 1, 2)),
)
"""Shape of x and of the weight, groups, strides, dilations."""


def convolutions(real: Real) -> Iterator[Case]:
    for (shape, weight, groups, strides, dilations), kind in ((form, kind) for form in FORMS for kind in PAD_TYPES):
        x, kernel, bias = (normal(*size).astype(real) for size in (shape, weight, (weight[0],)))
        yield convolution(x, kernel, kind, strides=strides, dilations=dilations, groups=groups)
        yield convolution(x, kernel, kind, strides=strides, dilations=dilations, groups=groups, bias=bias)


def other_convolutions(real: Real) -> Iterator[Case]:
    for shape, weight, groups, strides, dilations in FORMS:
        x, kernel, bias = normal(*shape).astype(real), normal(*weight), normal(weight[0])
        ones = [1] * len(dilations)
        # Only from iOS17 on may weights have another type; weights that come at run time may not be dilated.
        mixed, offset = kernel.astype(np.float32), bias.astype(np.float32)
        form: dict[str, Any] = {"strides": strides, "groups": groups}
        yield convolution(x, mixed, "same", dilations=dilations, bias=offset, target=Target.IOS17, **form)
        for kind in PAD_TYPES:
            yield convolution(x, kernel.astype(real), kind, dilations=ones, dynamic=True, **form)


def transposed(
    x: Array,
    weight: Array,
    kind: str,
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int = 1,
    bias: Array | None = None,
    longer: Sequence[int] | None = None,
    target: Target = Target.IOS15,
) -> Case:
    """longer: what output_shape has beyond the size that the other parameters give."""
    spatial = len(strides)
    pad = [i % 2 for i in range(2 * spatial)] if kind == "custom" else [0] * (2 * spatial)
    extents, inner = spans(weight.shape[2:], dilations), x.shape[2:]
    sizes, begins = [], []
    for i, (size, stride, extent) in enumerate(zip(inner, strides, extents, strict=True)):
        extra = longer[i] if longer else 0
        full = (size - 1) * stride + extent
        wanted = (size * stride if kind == "same" else full - pad[2 * i] - pad[2 * i + 1]) + extra
        sizes.append(wanted)
        begins.append(max(full - wanted, 0) // 2 if kind == "same" else pad[2 * i])
    parameters: dict[str, Any] = {"strides": strides, "dilations": dilations, "groups": groups, "pad_type": kind}
    parameters |= {"pad": pad} if kind == "custom" else {}
    parameters |= {"bias": bias} if bias is not None else {}
    if longer:
        parameters["output_shape"] = [x.shape[0], weight.shape[1] * groups, *sizes]

    def expect(x: Array) -> Array:
        wide = weight.astype(np.float64)
        whole = scatter(x, wide, strides=strides, dilations=dilations, room=32, groups=groups)
        index = tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))
        found = whole[(slice(None), slice(None), *index)]
        return found if bias is None else found + bias.astype(np.float64).reshape(-1, *[1] * spatial)

    return call("conv_transpose", {"x": x}, expect, target, weight=weight, **parameters)


TRANSPOSED: tuple[tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, ...], tuple[int, ...]], ...] = (
    ((2, 8, 12, 13), (8, 6, 3, 3), 1, (2, 2), (1, 1)),
    ((1, 4, 5, 6), (4, 3, 4, 2), 2, (2, 3), (1, 2)),
    ((1, 4, 5, 6), (4, 3, 1, 1), 1, (3, 2), (1, 1)),
    ((2, 3, 7), (3, 5, 4), 1, (3,), (1,)),
    ((1, 4, 3, 4, 5), (4, 2, 3, 2, 3), 2, (1, 2, 2), (2, 1, 1)),
)


def transposes(real: Real) -> Iterator[Case]:
    for (shape, weight, groups, strides, dilations), kind in (
        (form, kind) for form in TRANSPOSED for kind in ("valid", "same", "custom")
    ):
        x, kernel, bias = (normal(*size).astype(real) for size in (shape, weight, (weight[1] * groups,)))
        if kind == "custom" and min(weight[2:]) == 1:
            continue
        form: dict[str, Any] = {"strides": strides, "dilations": dilations, "groups": groups}
        yield transposed(x, kernel, kind, **form)
        yield transposed(x, kernel, kind, bias=bias, target=Target.IOS17, **form)
        # Among the sizes that a convolution makes x of, there are as many as its stride.
        longer = [-(stride - 1) if kind == "same" else stride - 1 for stride in strides]
        yield transposed(x, kernel, kind, bias=bias, longer=longer, **form)
        yield transposed(x, kernel, kind, longer=[0 for _ in strides], **form)


def dynamic_transposes(real: Real) -> Iterator[Case]:
    """From iOS17 on weights may come at run time."""
    x, weight = normal(1, 4, 6, 5).astype(real), normal(4, 3, 3, 2).astype(real)

    def expect(x: Array, weight: Array) -> Array:
        return scatter(x, weight, strides=(2, 1), dilations=(1, 1))

    yield call("conv_transpose", {"x": x, "weight": weight}, expect, Target.IOS17, strides=[2, 1])


def quantized(real: Real) -> Iterator[Case]:
    x, weight = normal(2, 6, 20, 21).astype(real), RANDOM.integers(0, 256, (10, 3, 3, 2), np.uint8)
    for size in (10, 1):
        scale, offset = ((normal(size) / 64).astype(real) for _ in range(2))
        dense = (weight * _along(scale) + _along(offset)).astype(np.float64)
        parameters: dict[str, Any] = {
            "quantization_type": "linear",
            "quant_scale": scale,
            "quant_bias": offset,
            "groups": 2,
        }

        def expect(x: Array, dense: Array = dense) -> Array:
            return convolve(x, dense, strides=(1, 1), dilations=(1, 1), pads=[(0, 0)] * 2, groups=2)

        yield call("conv_quantized", {"x": x}, expect, weight=weight, **parameters)


def _along(values: Array) -> Array:
    return values.astype(np.float64).reshape(-1, 1, 1, 1)


CASES = [
    *sweep(convolutions),
    *sweep(other_convolutions),
    *sweep(transposes),
    *sweep(dynamic_transposes),
    *sweep(quantized),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_convolution_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_convolution_of_the_toolkit_is_translated() -> None:
    assert core_operators("conv") - set(TRANSLATIONS) == set()


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()


@pytest.mark.parametrize("kind", ["same", "same_lower"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (2, 1), (3, 1)])
def test_padding_follows_a_size_that_is_open(kind: str, stride: int, dilation: int, tmp_path: Path) -> None:
    strides, dilations, weight = [stride] * 2, [dilation] * 2, normal(4, 3, 3, 2).astype(np.float32)
    program = open_sized(tmp_path, weight=weight, pad_type=kind, strides=strides, dilations=dilations)
    x = normal(1, 3, 10, 11).astype(np.float32)
    pads = pads_of(kind, (10, 11), spans((3, 2), dilations), strides, [])
    expected = convolve(x, weight, strides=strides, dilations=dilations, pads=pads)
    np.testing.assert_allclose(program.predict({"x": x})["result"], expected, atol=1e-5)


def test_dilated_padding_of_an_open_size_is_refused(tmp_path: Path) -> None:
    weight = normal(4, 3, 3, 2).astype(np.float32)
    with pytest.raises(ReferenceUnable, match="conv with dilations and pad_type same over an open size"):
        open_sized(tmp_path, weight=weight, pad_type="same", strides=[2, 2], dilations=[2, 2])


def open_sized(directory: Path, **parameters: Any) -> Program:  # noqa: ANN401 (of coremltools)
    """A program of one convolution over images of three channels and any size."""
    ct = import_coremltools()
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import Function, get_new_symbol, types
    from coremltools.converters.mil.mil import Program as Written

    program, image = Written(), mb.placeholder((1, 3, get_new_symbol(), get_new_symbol()), types.fp32)
    with Function({"x": image}, opset_version=ct.target.iOS16) as function:
        function.set_outputs([mb.conv(x=function.inputs["x"], name="result", **parameters)])
    program.add_function("main", function)
    sizes = [ct.RangeDim(1, 64, default=8) for _ in range(2)]
    with quietly():
        ct.convert(
            program,
            source="milinternal",
            inputs=[ct.TensorType("x", shape=(1, 3, *sizes))],
            minimum_deployment_target=ct.target.iOS16,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        ).save(str(directory / "open.mlpackage"))
    return Program.load(directory / "open.mlpackage")
