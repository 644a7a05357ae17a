"""`int16x8`: int8 weights, int16 activations, int16 inputs and outputs: for activations that int8 destroys.

XNNPACK has no such kernels, so LiteRT runs its reference ones.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int16",
    ends="int16",
)
