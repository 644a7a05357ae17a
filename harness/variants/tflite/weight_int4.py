"""`weight-int4`: int4 weights per channel, widened to float32 before use. Needs no data.

XNNPACK does not fold a DEQUANTIZE of int4, so it runs at every inference. Depthwise convolutions stay float32.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.WIDENED,
    weights="int4",
    operators=("CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP", "BATCH_MATMUL"),
)
