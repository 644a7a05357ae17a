"""`sparse-N:M`: the N smallest magnitudes of every M neighbouring input channels become zero; biases stay.

The meaning is coremltools' `n_m_ratio=(n, m)`: N counts the zeros, so 1:4 keeps three of four, and 2:4 is the pattern
of NVIDIA's sparse tensor cores. Groups run along the input channels, the axis a product sums over: the last axis of
CONV_2D, TRANSPOSE_CONV (out, h, w, in) and FULLY_CONNECTED (out, in). As in coremltools, a last group that is shorter
is filled with zeros, so no group keeps more than M - N; weights with fewer than 2 M input channels stay as they are,
and so does DEPTHWISE_CONV_2D, whose outputs have one input channel each.
Source: Mishra et al., Accelerating Sparse Deep Neural Networks (2021), without fine-tuning;
coremltools 9, OpMagnitudePrunerConfig.
"""

from typing import TYPE_CHECKING

from harness.variants.technique import Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.variants.tflite.edit import Floats
    from harness.variants.tflite.weights import Weight


def change(values: "Floats", weight: "Weight", step: Step) -> "Floats":
    """The weight with N of every M neighbouring input channels at zero."""
    if weight.operator == "DEPTHWISE_CONV_2D":
        return values
    return prune_pattern(values, step.whole("N"), step.whole("M"))


def prune_pattern(values: "Floats", zeros: int, group: int) -> "Floats":
    """The values with `zeros` of every `group` along the last axis at zero, the first ones among equals.

    Shapes: values (..., channels), result the same. Zeros that are there already count. 0 < zeros < group.
    Fewer than 2 * group channels come back as they are.
    """
    import numpy as np

    channels = values.shape[-1] if values.ndim else 0
    if channels < 2 * group:
        return values
    missing = -channels % group
    rows = np.pad(values.reshape(-1, channels), ((0, 0), (0, missing)))
    groups = rows.reshape(-1, group)
    kept = np.where(_smallest(np.abs(groups), zeros), np.float32(0), groups)
    return np.ascontiguousarray(kept.reshape(rows.shape)[:, :channels]).reshape(values.shape)


def _smallest(magnitudes: "Floats", count: int) -> "NDArray[np.bool_]":
    """Which `count` of each row are smallest. Shapes: magnitudes (rows, group), result the same."""
    import numpy as np

    threshold = np.partition(magnitudes, count - 1, axis=1)[:, count - 1 : count]
    below = magnitudes < threshold
    ties = magnitudes == threshold
    room = count - np.count_nonzero(below, axis=1, keepdims=True)
    below |= ties & (np.cumsum(ties, axis=1, dtype=np.int32) <= room)
    return below
