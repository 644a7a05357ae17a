"""`int8`: weights (per channel, symmetric) and activations (per tensor) int8, inputs and outputs too."""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int8",
    ends="int8",
)
