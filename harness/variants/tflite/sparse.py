"""`sparse-P`: magnitude pruning after training, per tensor.

Of each weight of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and TRANSPOSE_CONV the P % smallest by magnitude become
zero; biases stay. The file keeps its size and the model its speed: the zeros pay in the zip, and after int8 still do.
Source: Han et al., Learning both weights and connections for efficient neural networks (2015), without fine-tuning.
"""

from typing import TYPE_CHECKING

from harness.variants.technique import Step

if TYPE_CHECKING:
    from harness.variants.tflite.edit import Floats
    from harness.variants.tflite.weights import Weight


def change(values: "Floats", _weight: "Weight", step: Step) -> "Floats":
    """The weight with P % of its values at zero."""
    return prune(values, step.whole("P") / 100)


def prune(values: "Floats", share: float) -> "Floats":
    """The values with round(share * n) of the smallest magnitudes at zero, the first ones among equals.

    Shapes: any, the result's is the same. Zeros that are there already count.
    """
    import numpy as np

    count = round(share * values.size)
    if count == 0:
        return values
    magnitude = np.abs(values).reshape(-1)
    threshold = np.partition(magnitude, count - 1)[count - 1]
    ties = np.flatnonzero(magnitude == threshold)
    below = magnitude < threshold
    below[ties[: count - int(np.count_nonzero(below))]] = True
    return np.where(below.reshape(values.shape), np.float32(0), values)
