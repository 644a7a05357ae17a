"""`int8-edgetpu`: `int8` in the form that the Edge TPU compiler takes: fully connected weights have one scale.

Source: coral.ai/docs/edgetpu/models-intro. It never met the real compiler; `edgetpu.py` checks what can be checked
without it.
"""

from harness.variants.technique import Arithmetic, Quantization

QUANTIZATION = Quantization(
    arithmetic=Arithmetic.STATIC,
    weights="int8",
    activations="int8",
    ends="int8",
    per_tensor=("FULLY_CONNECTED",),
)


def notes(content: bytes) -> tuple[str, ...]:
    """Which operators could be on the Edge TPU, and whether its memory holds the parameters."""
    from harness.variants.tflite import edgetpu

    return edgetpu.notes(content)
