"""`int8`: weights (per channel, symmetric) and activations (per tensor) int8, inputs and outputs too."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source as an integer model. Activation ranges come from the calibration samples."""
    from harness.variants.tflite.quantizer import quantize, static

    return quantize(content, static(8), calibration)
