"""One step of a recipe, done."""

from harness.variants.technique import Applies, Calibration, Edit, Encoding, Quantization, Step, Technique
from harness.variants.tflite.edit import edit_weights, every


def apply_step(
    content: bytes, step: Step, row: Technique, calibration: Calibration | None = None, applies: Applies = every
) -> bytes:
    """The content after the step, at the operators that applies says. Raises what the technique raises."""
    match row.does:
        case Edit(change=change):
            return edit_weights(content, str(step), lambda values, weight: change(values, weight, step), applies)
        case Encoding(encode=encode):
            return encode(content, step, applies)
        case Quantization(build=build):
            return build(content, step, calibration)
        case None:
            return content
