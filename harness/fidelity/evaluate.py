"""Fidelity of a variant to its source, and its accuracy, by running both on this host."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.errors import ModelUnreadable
from harness.core.units import Seconds
from harness.core.variant import Accuracy, Fidelity
from harness.fidelity.array import Array
from harness.fidelity.evaluation import Dataset
from harness.fidelity.metrics import METRICS
from harness.fidelity.output import Output
from harness.fidelity.reference import reference_of
from harness.fidelity.scores import Distance, class_scores, distance, top1_agreement, worst
from harness.sources.tflite_file import shorten

_DEFAULT_METRIC = "top1"


def evaluate(
    variant: Path,
    source: Path,
    dataset: Dataset,
    *,
    metric: str | None,
    meaningful: bool,
    variant_signature: str | None = None,
    source_signature: str | None = None,
    limit_s: Seconds = 15.0,
) -> tuple[Fidelity, Accuracy | None]:
    """Compare a variant with its source over a dataset; accuracy is None without labels or without class scores.

    metric None is top1. meaningful False marks random weights. Signatures are keys, None for a file's first.
    limit_s bounds the run of each file where its reference can be ended. Strings and labels are not compared, nor
    outputs that the values size and that came out in different sizes.
    Raises ModelUnreadable where the reference refuses either file, or where their inputs or outputs differ in count or
    shape, and ReferenceUnable where this host has no reference for them.
    """
    reference = reference_of(source)
    expected = reference.run(source, dataset, source_signature, limit_s)
    outputs = _match_outputs(variant, expected, reference.run(variant, dataset, variant_signature, limit_s))
    fidelity = _fidelity(expected, outputs, dataset, reference.described)
    return replace(fidelity, meaningful=meaningful), _accuracy(outputs, dataset, metric)


def _match_outputs(variant: Path, expected: Sequence[Output], found: Sequence[Output]) -> tuple[Output, ...]:
    """The variant's outputs in the source's order: by name where the names are the same, else by position."""
    by_name = {output.name: output for output in found}
    if set(by_name) == {output.name for output in expected}:
        found = [by_name[output.name] for output in expected]
    if len(found) != len(expected) or any(map(_differ, expected, found)):
        shapes, wanted = ([_shape(output) for output in outputs] for outputs in (found, expected))
        raise ModelUnreadable(variant, f"its outputs have shapes {shapes} and the source's have {wanted}")
    return tuple(found)


def _differ(expected: Output, found: Output) -> bool:
    """Whether they cannot be the same output."""
    if expected.sized_by_values or found.sized_by_values:
        return False
    return _shape(expected) != _shape(found)


def _shape(output: Output) -> tuple[int, ...] | None:
    return None if output.values is None else output.values.shape[1:]


def _fidelity(expected: Sequence[Output], found: Sequence[Output], dataset: Dataset, ran: str) -> Fidelity:
    compared = [(e.name, _compare(e, f)) for e, f in zip(expected, found, strict=True)]
    distances = {name: result for name, result in compared if isinstance(result, Distance)}
    farthest = list(distances)[worst(list(distances.values()))] if distances else None
    remarks = [f"{shorten(name)} is not compared: it {why}" for name, why in compared if isinstance(why, str)]
    return Fidelity(
        snr_db=distances[farthest].snr_db if farthest is not None else None,
        top1_agreement=_agreement(expected, found),
        max_abs_error=_largest([it.max_abs_error for it in distances.values()]) if distances else None,
        worst_output=farthest if farthest is not None else expected[0].name,
        samples=dataset.samples,
        reference="; ".join(
            [_reference(ran, dataset, distances[farthest] if farthest is not None else None), *remarks]
        ),
    )


def _compare(expected: Output, found: Output) -> Distance | str:
    """How far apart the two are, or why that cannot be said."""
    if expected.values is None or found.values is None:
        return expected.unlike or found.unlike or "has no values"
    if expected.values.shape != found.values.shape:
        return "has another size than the source's"
    return distance(expected.values, found.values)


def _largest(errors: Sequence[float | None]) -> float | None:
    """None where one is: an error without a number is beyond every number."""
    known = [error for error in errors if error is not None]
    return max(known) if len(known) == len(errors) else None


def _reference(ran: str, dataset: Dataset, farthest: Distance | None) -> str:
    text = f"{ran}, {dataset.samples} samples of {dataset.source}"
    if farthest is not None and farthest.not_finite:
        text += f"; NaN or infinite outputs in {farthest.not_finite} of {dataset.samples} samples"
    return text


def _agreement(expected: Sequence[Output], found: Sequence[Output]) -> float | None:
    """Of the first output that is one score per class."""
    for reference, output in zip(expected, found, strict=True):
        scores, others = _scores(reference), _scores(output)
        if scores is not None and others is not None and scores.shape == others.shape:
            return top1_agreement(scores, others)
    return None


def _scores(output: Output) -> Array | None:
    return None if output.values is None else class_scores(output.values)


def _accuracy(outputs: Sequence[Output], dataset: Dataset, metric: str | None) -> Accuracy | None:
    scores = next((found for output in outputs if (found := _scores(output)) is not None), None)
    if dataset.labels is None or scores is None:
        return None
    name = metric or _DEFAULT_METRIC
    return Accuracy(metric=name, value=METRICS[name](scores, dataset.labels), n=dataset.samples)
