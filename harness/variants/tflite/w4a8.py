"""`w4a8`: int4 weights of convolutions and fully connected layers, int8 activations, inputs and outputs.

What has no int4 kernel is as in `int8`: float32 islands instead cost two conversions each (MobileNetV2 on x86-64: 4.3
instead of 3.9 ms).
"""

from harness.variants.technique import Arithmetic, Quantization
from harness.variants.tflite import int8

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int4",
    operators=("CONV_2D", "FULLY_CONNECTED"),
    activations="int8",
    ends="int8",
    others=int8.QUANTIZATION,
)
