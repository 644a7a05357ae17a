"""Calibration by coremltools' own code, of which the models inside answer extremes over all samples at once.

On a Mac too, so that what is calibrated does not depend on the host.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from harness.fidelity import native_bridge
from harness.fidelity.array import Array

Extremes = tuple[Any, Any]
"""The smallest and the largest value, numpy scalars."""


@contextmanager
def extremes_over_samples(joined: Collection[Collection[str]] = ()) -> Iterator[Mapping[str, Extremes]]:
    """Models loaded inside predict on stacked samples and answer extremes (_ExtremesProxy).

    joined: names of values that are to share one range. Yields what the models answered so far, by name.
    """
    from coremltools.models import model

    binding, seen = model._MLModelProxy, dict[str, Any]()
    observed = tuple(sorted({name for names in joined for name in names}))
    model._MLModelProxy = type(
        "_MLModelProxy", (_ExtremesProxy,), {"joined": joined, "seen": seen, "_observed": observed}
    )
    try:
        yield seen
    finally:
        model._MLModelProxy = binding


class _ExtremesProxy(native_bridge._MLModelProxy):
    """Predicts on samples stacked along a new first dimension, and answers only the smallest and the largest value
    that each output has over all of them: what calibration asks, in the memory of one sample.

    Outputs without values are left out. joined are names of values that share one range. seen keeps what any such
    model answered.
    """

    joined: Collection[Collection[str]]
    seen: dict[str, Extremes]

    def predict(self, features: Mapping[str, Array], state: native_bridge._State | None = None) -> dict[str, Array]:
        extremes = _extremes(features)
        for index in range(min((len(values) for values in features.values()), default=1)):
            outputs = super().predict({name: values[index] for name, values in features.items()}, state)
            extremes = _wider(extremes, _extremes(outputs))
        for names in self.joined:
            if shared := [extremes[name] for name in names if name in extremes]:
                lows, highs = zip(*shared, strict=True)
                extremes |= dict.fromkeys(names, (np.min(lows), np.max(highs)))
        self.seen.update(extremes)
        return {name: np.array(pair) for name, pair in extremes.items() if name not in features}


def _extremes(values: Mapping[str, Array]) -> dict[str, Extremes]:
    return {name: (each.min(), each.max()) for name, each in values.items() if each.size}


def _wider(one: Mapping[str, Extremes], other: Mapping[str, Extremes]) -> dict[str, Extremes]:
    both = {name: (one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other} | {n: (np.minimum(a[0], b[0]), np.maximum(a[1], b[1])) for n, (a, b) in both.items()}
