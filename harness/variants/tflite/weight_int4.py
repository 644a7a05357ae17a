"""`weight-int4`: int4 weights per channel, widened to float32 before use. Needs no data.

The runtime widens them once, at the first inference. XNNPACK does not take the operators that read them, so these
run in LiteRT's own kernels. Depthwise convolutions stay float32.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.WIDENED,
    weights="int4",
    operators=("CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP", "BATCH_MATMUL"),
)
