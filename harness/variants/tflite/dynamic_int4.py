"""`dynamic-int4`: int4 weights per channel; kernels quantise activations as they come. Needs no data.

Only convolutions, fully connected layers and embeddings have such kernels: depthwise convolutions stay float32, which
is also faster than hybrid int8 ones (MobileNetV2 on x86-64: 5.3 instead of 7.7 ms).
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.HYBRID,
    weights="int4",
    operators=("CONV_2D", "FULLY_CONNECTED", "EMBEDDING_LOOKUP"),
)
