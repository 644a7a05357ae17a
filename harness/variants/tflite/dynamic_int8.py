"""`dynamic-int8`: int8 weights per channel; kernels quantise activations as they come. Needs no data."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with int8 weights and hybrid kernels."""
    from harness.variants.tflite.quantizer import EVERY_OPERATOR, EVERYWHERE, quantize

    return quantize(content, lambda q: q.add_dynamic_config(EVERYWHERE, EVERY_OPERATOR, 8))
