"""`palette-B`: weight clustering after training, per tensor, to 2^B values.

Edits the weights of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV; biases stay. The format has no
look-up tables, so the file keeps its size and the gain is in the zip. In a pruned tensor (1 % exact zeros or more, the
least that `sparse-P` makes) zeros stay zero and one of the 2^B values is spent on them; palette-1 cannot spare one.
Source: tensorflow-model-optimization, weight clustering and sparsity-preserving clustering, without fine-tuning.
"""

from harness.variants.technique import Calibration, Step


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with at most 2^B distinct values in each eligible weight."""
    import numpy as np

    from harness.variants.tflite.clusters import Floats, cluster
    from harness.variants.tflite.edit import edit_weights

    count = 1 << (step.parameter or 0)

    def change(values: Floats) -> Floats:
        pruned = np.count_nonzero(values == 0) >= max(1, round(0.01 * values.size))
        return cluster(values, count, keep_zeros=bool(pruned) and count > 2)

    return edit_weights(content, str(step), change)
