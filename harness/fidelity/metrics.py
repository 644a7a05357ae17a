"""Task metrics over labelled samples, by name. The next one is a function and a row of the table."""

from collections.abc import Callable

import numpy as np

from harness.fidelity.array import Array


def top1(scores: Array, labels: Array) -> float:
    """Share of samples whose largest class is the label. Shapes: (n, classes), (n,). NaN is never right."""
    sane = ~np.isnan(scores).any(1)
    return float(np.mean(sane & (scores.argmax(1) == labels)))


METRICS: dict[str, Callable[[Array, Array], float]] = {"top1": top1}
