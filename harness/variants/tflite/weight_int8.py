"""`weight-int8`: int8 weights per channel, widened to float32 before use. Needs no data."""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.WIDENED,
    weights="int8",
)
