"""`weight-int8`: int8 weights per channel, widened to float32 before use. Needs no data."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with int8 weights behind DEQUANTIZE; activations stay float32."""
    from harness.variants.tflite.quantizer import EVERY_OPERATOR, EVERYWHERE, quantize

    return quantize(content, lambda q: q.add_weight_only_config(EVERYWHERE, EVERY_OPERATOR, 8))
