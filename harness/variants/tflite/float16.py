"""`float16`: weights stored as float16, widened by a DEQUANTIZE that XNNPACK folds away and GPUs compute natively.

Biases and activations stay float32.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.WIDENED,
    weights="float16",
)
