"""The one table of techniques: what each does, to which format, and what a person must know of it."""

from harness.variants.technique import Edit, Encoding, Technique
from harness.variants.tflite import (
    dynamic_int4,
    dynamic_int8,
    float16,
    int8,
    int8_edgetpu,
    int8_float_io,
    int8_per_tensor,
    int16x8,
    palette,
    palette_per_channel,
    sparse,
    sparse_encoded,
    sparse_pattern,
    uint8,
    w4a8,
    weight_int4,
    weight_int8,
)

_ANY_CPU = "every CPU; GPU delegates dequantise on load"
_INTEGER = "every CPU, Edge TPU, DSP and NPU delegates"

TECHNIQUES: dict[tuple[str, str], Technique] = {
    ("float32", "tflite"): Technique(
        what="the source as it is",
        does=None,
        runs_on="every CPU and GPU",
        size="100 %",
        cost=0.6,
    ),
    ("float16", "tflite"): Technique(
        what="weights stored as float16, computed as the runtime likes",
        does=float16.QUANTIZATION,
        runs_on="every CPU (weights widen on load), GPU natively",
        size="50 %",
        cost=0.8,
    ),
    ("dynamic-int8", "tflite"): Technique(
        what="weights int8, activations quantised as they come, inputs and outputs float32",
        does=dynamic_int8.QUANTIZATION,
        runs_on="every CPU; hybrid depthwise convolutions are not delegated to XNNPACK",
        size="25 %",
        cost=1.0,
    ),
    ("dynamic-int4", "tflite"): Technique(
        what="weights int4, activations quantised as they come; depthwise convolutions stay float32",
        does=dynamic_int4.QUANTIZATION,
        runs_on="every CPU with a runtime of 2024 or later",
        size="15 %",
        cost=1.0,
    ),
    ("weight-int8", "tflite"): Technique(
        what="weights int8, widened before use; activations float32",
        does=weight_int8.QUANTIZATION,
        runs_on=_ANY_CPU,
        size="25 %",
        cost=0.8,
    ),
    ("weight-int4", "tflite"): Technique(
        what="weights int4, widened before use; activations and depthwise convolutions float32",
        does=weight_int4.QUANTIZATION,
        runs_on="LiteRT on every CPU, by its own kernels and not XNNPACK's; not tflite-runtime",
        size="15 %",
        cost=0.8,
    ),
    ("int8", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs int8",
        does=int8.QUANTIZATION,
        runs_on=_INTEGER,
        size="25 %",
        cost=1.5,
    ),
    ("int8-float-io", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs float32",
        does=int8_float_io.QUANTIZATION,
        runs_on=_INTEGER + " (the two conversions stay on the CPU)",
        size="25 %",
        cost=1.5,
    ),
    ("int8-per-tensor", "tflite"): Technique(
        what="int8 with one scale for each weight tensor instead of one a channel",
        does=int8_per_tensor.QUANTIZATION,
        runs_on=_INTEGER,
        size="25 %, less than int8 by the scales",
        cost=1.5,
    ),
    ("int8-edgetpu", "tflite"): Technique(
        what="int8 with one scale for each fully connected weight, as the Edge TPU compiler asks for",
        does=int8_edgetpu.QUANTIZATION,
        notes=int8_edgetpu.notes,
        runs_on="every CPU; the Edge TPU once its compiler took it, which nothing here has",
        size="25 %",
        cost=1.5,
    ),
    ("uint8", "tflite"): Technique(
        what="weights and activations int8, inputs and outputs uint8",
        does=uint8.QUANTIZATION,
        runs_on=_INTEGER + " (the two conversions stay on the CPU)",
        size="25 %",
        cost=1.5,
    ),
    ("int16x8", "tflite"): Technique(
        what="weights int8, activations int16, inputs and outputs int16",
        does=int16x8.QUANTIZATION,
        runs_on="every CPU, by reference kernels: slower than float32",
        size="25 %",
        cost=4.0,
    ),
    ("w4a8", "tflite"): Technique(
        what="weights int4, activations int8, inputs and outputs int8; depthwise convolutions have int8 weights",
        does=w4a8.QUANTIZATION,
        runs_on="LiteRT on every CPU; not tflite-runtime",
        size="15 %",
        cost=1.5,
    ),
    ("sparse", "tflite"): Technique(
        what="the P % smallest weights of each tensor set to zero",
        does=Edit(change=sparse.change),
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 53 % at P = 50, 29 % at 75",
        parameter=range(1, 100),
        cost=0.8,
    ),
    ("sparse-N:M", "tflite"): Technique(
        what="the N smallest of every M neighbouring input channels' weights set to zero (N counts zeros)",
        does=Edit(change=sparse_pattern.change),
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 59 % at 2:4",
        groups=range(2, 33),
        cost=0.8,
    ),
    ("sparse-encoded", "tflite"): Technique(
        what="sparse-P, then stored without the zeros wherever that is smaller",
        does=Encoding(encode=sparse_encoded.encode),
        notes=sparse_encoded.notes,
        runs_on="every CPU, as fast as dense; by XNNPACK's sparse kernels where the build's note says so",
        size="44 % at P = 70, 15 % at 90",
        parameter=range(1, 100),
        cost=1.0,
    ),
    ("palette", "tflite"): Technique(
        what="the weights of each tensor clustered to 2^B values",
        does=Edit(change=palette.change),
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 19 % at B = 4, 27 % at 6",
        parameter=range(1, 9),
        cost=1.2,
    ),
    ("palette-per-channel", "tflite"): Technique(
        what="the weights of each output channel clustered to 2^B values of its own",
        does=Edit(change=palette_per_channel.change),
        runs_on="every CPU and GPU, as fast as dense",
        size="100 %; the zip about 30 % at B = 4, 50 % at 6",
        parameter=range(1, 9),
        cost=2.0,
    ),
}

# What a source may be stored in that nothing here can make: a recipe only for the source itself. A model without
# weights goes by its first output.
AS_STORED = (
    *("int2", "int4", "uint4", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "bool", "string"),
)

DEFAULTS: dict[str, tuple[str, ...]] = {
    "tflite": (
        "float32",
        "float16",
        "dynamic-int8",
        "dynamic-int4",
        "weight-int8",
        "weight-int4",
        "int8",
        "int8-per-tensor",
        "int8-edgetpu",
        "int8-float-io",
        "uint8",
        "int16x8",
        "w4a8",
        "sparse-50",
        "sparse-75",
        "palette-4",
        "palette-6",
        "palette-4-per-channel",
        "sparse-50+palette-4",
        "sparse-75+int8",
        "sparse-50+palette-4+int8",
    ),
}
