"""`int8-per-tensor`: `int8` with one scale for each weight tensor instead of one a channel.

The file is smaller by those scales (MobileNetV2: 3.6 instead of 4.0 MB), as converters made it before 2019 and as some
accelerators ask for; a channel of small weights in a tensor of large ones loses precision.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int8",
    ends="int8",
    per_tensor=None,
)
