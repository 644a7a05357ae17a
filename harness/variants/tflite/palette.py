"""`palette-B`: weight clustering after training, per tensor, to 2^B values.

Edits the weights of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV; biases stay. The format has no
look-up tables, so the file keeps its size and the gain is in the zip. In a pruned tensor (1 % exact zeros or more, the
least that `sparse-P` makes) zeros stay zero and one of the 2^B values is spent on them; palette-1 cannot spare one.
Source: tensorflow-model-optimization, weight clustering and sparsity-preserving clustering, without fine-tuning.
"""

from typing import TYPE_CHECKING

from harness.variants.technique import Step

if TYPE_CHECKING:
    from harness.variants.tflite.edit import Floats
    from harness.variants.tflite.weights import Weight


def change(values: "Floats", _weight: "Weight", step: Step) -> "Floats":
    """The weight with at most 2^B distinct values."""
    import numpy as np

    from harness.variants.tflite.clusters import cluster

    count = 1 << step.whole("B")
    pruned = np.count_nonzero(values == 0) >= max(1, round(0.01 * values.size))
    return cluster(values.reshape(-1), count, keep_zeros=bool(pruned) and count > 2).reshape(values.shape)
