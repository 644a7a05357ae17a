"""Fidelity of a variant to its source, and its accuracy, by running both on this host."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from harness.core import digest
from harness.core.errors import ModelUnreadable
from harness.core.variant import Accuracy, Fidelity
from harness.fidelity.evaluation import Dataset
from harness.fidelity.host import Output, run_on_host
from harness.fidelity.metrics import METRICS
from harness.fidelity.scores import Distance, class_scores, distance, top1_agreement, worst

_DEFAULT_METRIC = "top1"
_KEPT = 4
_source_outputs: dict[tuple[str, str], tuple[Output, ...]] = {}
"""Outputs of sources by model and data digest: every variant of a model is compared with the same ones."""


def evaluate(
    variant: Path, source: Path, dataset: Dataset, *, metric: str | None, meaningful: bool
) -> tuple[Fidelity, Accuracy | None]:
    """Compare a variant with its source over a dataset; accuracy is None without labels or without class scores.

    metric None is top1. meaningful False marks random weights. Raises ModelUnreadable where LiteRT refuses either
    file, or where their inputs or outputs differ in count or shape.
    """
    expected = _outputs_of_source(source, dataset)
    outputs = _match_outputs(variant, expected, run_on_host(variant, dataset))
    return _fidelity(expected, outputs, dataset, meaningful), _accuracy(outputs, dataset, metric)


def _outputs_of_source(source: Path, dataset: Dataset) -> tuple[Output, ...]:
    key = (digest.of_file(source), _digest(dataset))
    if key not in _source_outputs:
        while len(_source_outputs) >= _KEPT:
            _source_outputs.pop(next(iter(_source_outputs)))
        _source_outputs[key] = run_on_host(source, dataset)
    return _source_outputs[key]


def _digest(dataset: Dataset) -> str:
    content = {name: digest.of_bytes(values.tobytes()) for name, values in dataset.inputs.items()}
    return digest.of_content(content)


def _match_outputs(variant: Path, expected: Sequence[Output], found: Sequence[Output]) -> tuple[Output, ...]:
    """The variant's outputs in the source's order: by name where the names are the same, else by position."""
    by_name = {output.name: output for output in found}
    if set(by_name) == {output.name for output in expected}:
        found = [by_name[output.name] for output in expected]
    shapes, wanted = ([output.values.shape[1:] for output in outputs] for outputs in (found, expected))
    if shapes != wanted:
        raise ModelUnreadable(variant, f"its outputs have shapes {shapes} and the source's have {wanted}")
    return tuple(found)


def _fidelity(expected: Sequence[Output], found: Sequence[Output], dataset: Dataset, meaningful: bool) -> Fidelity:
    distances = [distance(e.values, f.values) for e, f in zip(expected, found, strict=True)]
    farthest = worst(distances)
    return Fidelity(
        snr_db=distances[farthest].snr_db,
        top1_agreement=_agreement(expected, found),
        max_abs_error=_largest([it.max_abs_error for it in distances]),
        worst_output=expected[farthest].name,
        samples=dataset.samples,
        reference=_reference(dataset, distances[farthest]),
        meaningful=meaningful,
    )


def _largest(errors: Sequence[float | None]) -> float | None:
    """None where one is: an error without a number is beyond every number."""
    known = [error for error in errors if error is not None]
    return max(known) if len(known) == len(errors) else None


def _reference(dataset: Dataset, farthest: Distance) -> str:
    text = f"LiteRT {metadata.version('ai-edge-litert')} on the host, {dataset.samples} samples of {dataset.source}"
    if farthest.not_finite:
        text += f"; NaN or infinite outputs in {farthest.not_finite} of {dataset.samples} samples"
    return text


def _agreement(expected: Sequence[Output], found: Sequence[Output]) -> float | None:
    """Of the first output that is one score per class."""
    for reference, output in zip(expected, found, strict=True):
        scores, others = class_scores(reference.values), class_scores(output.values)
        if scores is not None and others is not None:
            return top1_agreement(scores, others)
    return None


def _accuracy(outputs: Sequence[Output], dataset: Dataset, metric: str | None) -> Accuracy | None:
    scores = next((s for output in outputs if (s := class_scores(output.values)) is not None), None)
    if dataset.labels is None or scores is None:
        return None
    name = metric or _DEFAULT_METRIC
    return Accuracy(metric=name, value=METRICS[name](scores, dataset.labels), n=dataset.samples)
