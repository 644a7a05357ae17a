"""`int8-float-io`: `int8` inside, float32 inputs and outputs outside: a drop-in for the source."""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int8",
)
