"""`sparse-P`: magnitude pruning after training, per tensor.

Of each weight of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV the P % smallest by magnitude become
zero; biases stay. The file keeps its size and the model its speed: the zeros pay in the zip, and after int8 still do.
Source: Han et al., Learning both weights and connections for efficient neural networks (2015), without fine-tuning.
"""

from typing import TYPE_CHECKING

from harness.variants.technique import Calibration, Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def build(content: bytes, step: Step, calibration: Calibration | None) -> bytes:  # noqa: ARG001 (the table's signature)
    """The source with P % of each eligible weight at zero."""
    from harness.variants.tflite.edit import edit_weights

    share = (step.parameter or 0) / 100
    return edit_weights(content, str(step), lambda values: prune(values, share))


def prune(values: "NDArray[np.float32]", share: float) -> "NDArray[np.float32]":
    """The values with round(share * n) of the smallest magnitudes at zero, the first ones among equals.

    Shapes: values (n,), result (n,). Zeros that are there already count.
    """
    import numpy as np

    count = round(share * values.size)
    if count == 0:
        return values
    magnitude = np.abs(values)
    threshold = np.partition(magnitude, count - 1)[count - 1]
    ties = np.flatnonzero(magnitude == threshold)
    below = magnitude < threshold
    below[ties[: count - int(np.count_nonzero(below))]] = True
    return np.where(below, np.float32(0), values)
