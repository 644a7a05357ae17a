"""What is known of a recipe on a runtime or a unit before it is tried: what cannot run, and what will surprise.

The rows are literal and each was seen: on x86-64 with tflite-runtime 2.14.0 and LiteRT 2.3.0 (docs/variants.md).
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.model import Model
from harness.core.variant import VariantSpec
from harness.variants.settings import Operator, Part
from harness.variants.tflite.compiled import EDGETPU, compiled_for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lack:
    """A technique that a runtime has no kernels for, where the model has one of the operators."""

    technique: str
    runtime: str
    operators: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surprise:
    """What a technique does on a backend, where the model has one of the operators."""

    technique: str
    backend: str
    operators: tuple[str, ...]
    what: str


_PRODUCTS = ("CONV_2D", "FULLY_CONNECTED")
_OLD = "tflite-runtime"
_NO_SCALES = "computes zeros in FULLY_CONNECTED with quantised weights of one scale a channel; take int8 or weight-int8"
_LACKS = (
    _Lack(
        technique="weight-int4", runtime=_OLD, operators=_PRODUCTS, reason="has no DEQUANTIZE of int4; take weight-int8"
    ),
    _Lack(
        technique="w4a8",
        runtime=_OLD,
        operators=("FULLY_CONNECTED",),
        reason="has no FULLY_CONNECTED of int8 with int4 weights; take int8",
    ),
    _Lack(
        technique="dynamic-int4",
        runtime=_OLD,
        operators=("CONV_2D",),
        reason="computes NaN in CONV_2D with int4 weights, or crashes; take weight-int8",
    ),
    _Lack(technique="dynamic-int4", runtime=_OLD, operators=("FULLY_CONNECTED",), reason=_NO_SCALES),
    _Lack(technique="dynamic-int8", runtime=_OLD, operators=("FULLY_CONNECTED",), reason=_NO_SCALES),
)

_DEPTHWISE = ("DEPTHWISE_CONV_2D",)
_NO_INT4_CONVOLUTIONS = (
    "XNNPACK takes no convolutions with int4 weights: the model falls into many partitions "
    "and can be slower than float32"
)
_SURPRISES = (
    _Surprise(
        technique="int16x8",
        backend="xnnpack",
        operators=(),
        what="XNNPACK has no int16 kernels: reference kernels, tens of times slower than float32",
    ),
    _Surprise(
        technique="dynamic-int8",
        backend="xnnpack",
        operators=_DEPTHWISE,
        what="XNNPACK does not take depthwise convolutions with quantised weights and float32 activations: "
        "the model falls into many partitions and can be several times slower than float32",
    ),
    _Surprise(
        technique="weight-int4",
        backend="xnnpack",
        operators=_PRODUCTS,
        what="XNNPACK does not take operators whose weights are widened from int4: LiteRT's own kernels, "
        "several times slower than float32",
    ),
    _Surprise(
        technique="dynamic-int4",
        backend="xnnpack",
        operators=("CONV_2D",),
        what=_NO_INT4_CONVOLUTIONS,
    ),
    _Surprise(
        technique="w4a8",
        backend="xnnpack",
        operators=("CONV_2D",),
        what=_NO_INT4_CONVOLUTIONS,
    ),
)


_UNCOMPILED = (
    "not compiled for the Edge TPU: take the variant int8-edgetpu+edgetpu, or compile it beforehand and give it as "
    "{{path: {model}_edgetpu.tflite, of: {model}}}"
)

# What each runtime runs.
_FORMATS = {"LiteRT": "tflite", "tflite-runtime": "tflite", "Core ML": "mlpackage"}


def unable(format: str, device: DeviceFacts) -> str | None:
    """Why a device cannot run variants of a format, None where it may."""
    runs = {_FORMATS[name] for name in device.runtimes if name in _FORMATS}
    if format in runs or not runs:
        return None
    if format == "mlpackage":
        return f"no Apple device attached: {device.name} runs .{' and .'.join(sorted(runs))}"
    return f"{device.name} runs .{' and .'.join(sorted(runs))} alone"


def unfit(spec: VariantSpec, model: Model, unit: ComputeUnit) -> str | None:
    """Why a variant cannot run on a unit: the Edge TPU takes what its compiler made, and nothing else does."""
    compiled, on_edgetpu = _is_for_edgetpu(spec, model), unit.kind == "edgetpu"
    if compiled and not on_edgetpu:
        return f"compiled for the Edge TPU: it needs an Edge TPU, {unit} cannot run it"
    if on_edgetpu and not compiled:
        return _UNCOMPILED.format(model=model.name)
    return None


def _is_for_edgetpu(spec: VariantSpec, model: Model) -> bool:
    """By the recipe's last step, or by what the file holds; a file that cannot be read is none."""
    path = spec.prebuilt or (model.path if spec.recipe == model.precision else None)
    if path is None:
        return spec.for_edgetpu
    return model.format == "tflite" and _holds_program(path, spec.prebuilt_digest or model.digest)


@functools.cache
def _holds_program(path: Path, _digest: str) -> bool:
    try:
        return (compiled_for(path.read_bytes()) or "").startswith(EDGETPU)
    except (OSError, ValueError):  # gone or damaged: the build says so
        return False


def lacking(parts: Iterable[Part], operators: Sequence[Operator], device: DeviceFacts) -> str | None:
    """Why the runtime that a device measures with cannot run what some of the operators get, None where it may."""
    given = _given(parts, operators)
    for row in _LACKS:
        if row.runtime == device.runtime and any((row.technique, type) in given for type in row.operators):
            version = device.runtimes.get(row.runtime, "")
            return f"{' '.join((row.runtime, version)).strip()} {row.reason}"
    return None


def warning(parts: Iterable[Part], operators: Sequence[Operator], unit: ComputeUnit) -> str | None:
    """What to expect on a unit of what the operators get, where that is a surprise."""
    given = _given(parts, operators)
    backend = unit.backend or ("xnnpack" if unit.kind == "cpu" else None)
    for row in _SURPRISES:
        here = any(row.technique == technique and type in (row.operators or (type,)) for technique, type in given)
        if row.backend == backend and here:
            return row.what
    return None


def _given(parts: Iterable[Part], operators: Sequence[Operator]) -> set[tuple[str, str]]:
    """Every technique with the types of the operators that it is for."""
    types = {operator.place: operator.type for operator in operators}
    return {
        (step.row, types[place])
        for part in parts
        for step in (part.recipe.steps if part.recipe else ())
        for place in part.operators
    }
