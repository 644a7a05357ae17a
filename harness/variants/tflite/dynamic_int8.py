"""`dynamic-int8`: int8 weights per channel; kernels quantise activations as they come. Needs no data."""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.HYBRID,
    weights="int8",
)
