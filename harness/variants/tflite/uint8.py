"""`uint8`: `int8` inside, uint8 inputs and outputs: camera frames go in as they are.

Two QUANTIZE shift int8 to uint8 and back.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int8",
    ends="uint8",
)
