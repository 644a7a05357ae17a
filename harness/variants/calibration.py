"""What a static quantisation sees: samples for every signature of a model."""

from collections.abc import Mapping
from typing import Any

from harness.core.model import Model
from harness.fidelity.evaluation import Dataset, calibration_of, seeded_calibration
from harness.variants.signatures import other_signatures
from harness.variants.technique import Calibration

RANDOM_INPUTS = "calibrated on random inputs"


def calibrate(model: Model) -> tuple[Calibration, tuple[str, ...]]:
    """Samples of the signature that is run, seeded ones of those that run other graphs, and notes that say so.

    Raises DataUnreadable, ModelUnreadable.
    """
    dataset = calibration_of(model)
    others = other_signatures(model)
    seeded = {each.key: _samples(seeded_calibration(each.inputs, each.outputs)) for each in others}
    notes = [RANDOM_INPUTS] if model.data is None else []
    if others:
        names = ", ".join(repr(each.key) for each in others)
        notes.append(f"signatures that are not run here were calibrated on random inputs: {names}")
    described = f"{dataset.samples} samples of {dataset.source}"
    return Calibration(samples={model.signature: _samples(dataset), **seeded}, described=described), tuple(notes)


def _samples(dataset: Dataset) -> tuple[Mapping[int, Any], ...]:
    return tuple(dict(enumerate(dataset.sample(index))) for index in range(dataset.samples))
