"""`int16x8`: int8 weights, int16 activations, int16 inputs and outputs: for activations that int8 destroys.

XNNPACK has no such kernels, so LiteRT runs its reference ones.
"""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with int16 activations. Their ranges come from the calibration samples."""
    from harness.variants.tflite.quantizer import quantize, static

    return quantize(content, static(16), calibration)
