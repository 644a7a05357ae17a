"""Between real numbers and what a tensor stores.

real = scale * (stored - zero_point): Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", equation 1.
"""

import numpy as np

from harness.core.model import TensorSpec
from harness.fidelity.array import Array


def stored_range(spec: TensorSpec) -> tuple[int, int]:
    """Lowest and highest value that a quantised tensor can store."""
    info = np.iinfo(spec.dtype)
    return int(info.min), int(info.max)


def to_stored(values: Array, spec: TensorSpec) -> Array:
    """Real numbers in the tensor's own dtype: rounded to the nearest step and cut off at the range if quantised.

    Strings stay the bytes they are.
    """
    if spec.dtype == "string":
        return np.asarray(values, order="C")
    if spec.scale is None:
        return np.asarray(values, np.dtype(spec.dtype), order="C")
    lowest, highest = stored_range(spec)
    steps = np.rint(np.asarray(values, np.float64) / spec.scale) + (spec.zero_point or 0)
    return np.asarray(np.clip(steps, lowest, highest), np.dtype(spec.dtype), order="C")


def dequantize(values: Array, spec: TensorSpec) -> Array:
    """Stored values as real numbers, float64; not quantised ones as they are."""
    real = np.asarray(values, np.float64)
    return real if spec.scale is None else (real - (spec.zero_point or 0)) * spec.scale
