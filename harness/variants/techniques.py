"""The one table of techniques: each row's name and format, from the table of its format."""

from harness.variants.coreml import table as coreml
from harness.variants.technique import Technique
from harness.variants.tflite import table as tflite

TECHNIQUES: dict[tuple[str, str], Technique] = {
    **{(name, "tflite"): row for name, row in tflite.TECHNIQUES.items()},
    **{(name, "mlpackage"): row for name, row in coreml.TECHNIQUES.items()},
}

# What a source may be stored in that nothing here can make: a recipe only for the source itself. A model without
# weights goes by its first output.
AS_STORED = (
    *("int2", "int4", "uint4", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("bfloat16", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "bool", "string"),
    *("resource", "variant"),
)

DEFAULTS: dict[str, tuple[str, ...]] = {"tflite": tflite.DEFAULTS, "mlpackage": coreml.DEFAULTS}
"""What is built where a user asks for nothing else, by format; the source comes first."""
