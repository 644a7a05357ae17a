"""`palette-B-per-channel`: weight clustering after training, each output channel to 2^B values of its own.

Edits what `palette-B` edits. Channels are the first axis of CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV and the last
of DEPTHWISE_CONV_2D; a channel that has no more than 2^B values, such as a 3x3 depthwise filter from B = 4 on, stays as
it is. Closer to the source than `palette-B`, and larger in the zip, as values differ from channel to channel. In a
pruned tensor (1 % exact zeros or more) zeros stay zero and cost a channel that has some one of its 2^B values.
Source: coremltools 9, OpPalettizerConfig with `granularity="per_grouped_channel"` and a group of one channel.
"""

from typing import TYPE_CHECKING

from harness.variants.technique import Step

if TYPE_CHECKING:
    from harness.variants.tflite.edit import Floats
    from harness.variants.tflite.weights import Weight


def change(values: "Floats", weight: "Weight", step: Step) -> "Floats":
    """The weight with at most 2^B distinct values in each output channel."""
    import numpy as np

    from harness.variants.tflite.clusters_by_row import cluster_rows
    from harness.variants.tflite.operators import CHANNEL_AXIS

    if values.ndim < 2:
        return values
    count = 1 << step.whole("B")
    pruned = np.count_nonzero(values == 0) >= max(1, round(0.01 * values.size))
    axis = min(CHANNEL_AXIS[weight.operator], values.ndim - 1)
    first = np.moveaxis(values, axis, 0)
    rows = first.reshape(first.shape[0], -1)
    clustered = cluster_rows(rows, count, keep_zeros=bool(pruned) and count > 2)
    return np.moveaxis(clustered.reshape(first.shape), 0, axis)
