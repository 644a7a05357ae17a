"""`float16`: weights stored as float16, widened by a DEQUANTIZE that XNNPACK folds away and GPUs compute natively."""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with float16 weights; biases and activations stay float32."""
    from ai_edge_quantizer import qtyping

    from harness.variants.tflite.quantizer import CAST, EVERY_OPERATOR, EVERYWHERE, quantize

    stored = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    cast = qtyping.OpQuantizationConfig(
        weight_tensor_config=stored, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
    )
    return quantize(content, lambda q: q.update_quantization_recipe(EVERYWHERE, EVERY_OPERATOR, cast, CAST))
