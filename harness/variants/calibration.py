"""What a static quantisation sees: samples for every signature of a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.errors import RecipeRefused
from harness.core.model import Model
from harness.fidelity.evaluation import Dataset, calibration_of, seeded_dataset
from harness.sources.signatures import Signature
from harness.sources.tflite import read_signatures
from harness.variants.technique import Calibration

RANDOM_INPUTS = "calibrated on random inputs"
_SEEDED_SAMPLES, _SEED = 8, 1  # as many as a model without data has


def calibrate(recipe: str, model: Model) -> tuple[Calibration, tuple[str, ...]]:
    """Samples of the signature that is run, seeded ones of those that run other graphs, and notes that say so.

    Raises DataUnreadable, ModelUnreadable, or RecipeRefused where a signature has inputs that cannot be made up.
    """
    dataset = calibration_of(model)
    others = _others(model)
    seeded = {each.key: _samples(_seeded(recipe, each)) for each in others}
    notes = [RANDOM_INPUTS] if model.data is None else []
    if others:
        names = ", ".join(repr(each.key) for each in others)
        kind = "signature" if len(others) == 1 else "signatures"
        notes.append(f"the {kind} {names}, which this bench does not run, calibrated on random inputs")
    described = f"{dataset.samples} samples of {dataset.source}"
    return Calibration(samples={model.signature: _samples(dataset), **seeded}, described=described), tuple(notes)


def _others(model: Model) -> tuple[Signature, ...]:
    """One signature for each graph that the one that is run does not run."""
    signatures = read_signatures(model.path)
    run = next((each for each in signatures if each.key == model.signature), signatures[0])
    by_graph = {each.graph: each for each in reversed(signatures) if each.graph != run.graph}
    return tuple(by_graph.values())[::-1]


def _seeded(recipe: str, signature: Signature) -> Dataset:
    unfit = next((spec for spec in signature.inputs if spec.dtype == "string" or any(n < 1 for n in spec.shape)), None)
    if unfit is not None:
        what = "holds strings" if unfit.dtype == "string" else f"has the open shape {list(unfit.shape)}"
        reason = f"the input {unfit.name!r} of its signature {signature.key!r} {what}, so there is nothing to calibrate"
        raise RecipeRefused(recipe, f"{reason} that graph on; export the signature that is to be run alone")
    return seeded_dataset(signature.inputs, _SEEDED_SAMPLES, _SEED)


def _samples(dataset: Dataset) -> tuple[Mapping[int, Any], ...]:
    samples: Sequence[Sequence[Any]] = [dataset.sample(index) for index in range(dataset.samples)]
    return tuple(dict(enumerate(sample)) for sample in samples)
