"""`int8-float-io`: `int8` inside, float32 inputs and outputs: a drop-in for the source."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source as an integer model between QUANTIZE and DEQUANTIZE."""
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import Quantizer

    from harness.variants.tflite.quantizer import EVERYWHERE, NOT_QUANTIZED, quantize, static

    def configure(quantizer: Quantizer) -> None:
        static(8)(quantizer)
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            quantizer.update_quantization_recipe(EVERYWHERE, end, algorithm_key=NOT_QUANTIZED)

    return quantize(content, configure, calibration)
