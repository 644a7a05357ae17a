"""Short lists for the terminal and for scripts: devices, variants, plans."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from harness.core.campaign import ModelFailed
from harness.core.cell import Cell
from harness.core.device import DeviceFacts, Exclusion
from harness.core.units import Seconds
from harness.core.variant import BuildFailed, BuildOutcome, Fidelity, Variant
from reports.cell_view import cell_identity
from reports.device_view import summary_text, told_lines
from reports.names import clipped
from reports.numbers import percent, size
from reports.op_view import Fields


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest entry, two spaces apart, no more."""
    lines = [tuple(head), *(tuple(_one_line(entry) for entry in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(entry.ljust(width) for entry, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _one_line(text: str, limit: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def device_fields(facts: DeviceFacts) -> Fields:
    return {**asdict(facts), "units": [str(unit) for unit in facts.units]}


def devices_text(found: Iterable[DeviceFacts]) -> str:
    return "\n\n".join(_device_text(facts) for facts in found)


def _device_text(facts: DeviceFacts) -> str:
    fields = {**device_fields(facts), "units": facts.offered}
    nothing = [(name, "none") for name in ("runtimes", "units") if not fields[name]]
    lines = [*told_lines(fields), *nothing]
    lines += [("not", reason) for reason in by_reason((e.what, e.reason) for e in facts.exclusions)]
    names = [clipped(name, 24) for name, _ in lines]
    width = max(map(len, names))
    told = (f"  {name.ljust(width)}  {clipped(text, 400)}" for name, (_, text) in zip(names, lines, strict=True))
    return "\n".join([clipped(f"{facts.name}: {summary_text(fields)}", 400), *told])


def variant_fields(variant: Variant) -> Fields:
    """The keys that `variants --json` promises; size_bytes counts all files of the artefact."""
    return {
        **artefact_fields(variant),
        "fidelity": asdict(variant.fidelity) if variant.fidelity else None,
        "accuracy": asdict(variant.accuracy) if variant.accuracy else None,
        "path": str(variant.path),
    }


def variants_fields(built: Sequence[BuildOutcome]) -> Fields:
    """What `variants --json` prints."""
    failed = [{"model": f.model, "variant": f.name, "error": f.error} for f in built if isinstance(f, BuildFailed)]
    return {"variants": [variant_fields(each) for each in built if isinstance(each, Variant)], "failed": failed}


def artefact_fields(variant: Variant) -> Fields:
    """What was built, in `variants --json` and in the document alike."""
    return {
        "model": variant.model,
        "format": variant.format,
        "variant": variant.name,
        "technique": variant.recipe,
        "size_bytes": variant.size_bytes,
        "zip_bytes": variant.zip_bytes,
        "weights_compressed": variant.weights_compressed,
        "weights_total": variant.weights_total,
        "parameters": variant.parameters,
        "build_s": variant.build_s,
        "digest": variant.digest,
        "calibration": variant.calibration,
        "target": str(variant.target) if variant.target else None,
        "notes": list(variant.notes),
    }


def variants_text(built: Iterable[BuildOutcome]) -> str:
    """What each model is, a table, and below it in full what cannot stand in a column: notes, and why something was not
    built."""
    head = ("model", "variant", "target", "size", "zip", "weights", "SNR", "top-1 same", "accuracy", "built in")
    outcomes = list(built)
    remarks = by_reason((f"{o.model} {o.name}", remark) for o in outcomes for remark in _remarks(o))
    table = table_text(*_without_empty(head, [_variant_row(outcome) for outcome in outcomes]))
    return "\n".join([*_models_text(outcomes), "", table, *[""][: len(remarks)], *remarks])


def _without_empty(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns that hold something in some row."""
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    return [head[column] for column in kept], [[row[column] for column in kept] for row in rows]


def _models_text(outcomes: Iterable[BuildOutcome]) -> list[str]:
    """A line a model: its format, its parameters, and what its variants were compared by."""
    sources: dict[str, Variant] = {}
    for outcome in outcomes:
        if isinstance(outcome, Variant):
            sources.setdefault(outcome.model, outcome)  # the source is built first
    return [
        f"{name}: .{v.format}, {_count(v.parameters)} parameters{_compared_by(v.fidelity)}"
        for name, v in sources.items()
    ]


def _compared_by(fidelity: Fidelity | None) -> str:
    if fidelity is None:
        return ""
    return f"; fidelity by {fidelity.reference}" if fidelity.meaningful else "; random weights: no fidelity to speak of"


def _count(number: int) -> str:
    """`25.6 M`, `61.4 k`, `120`."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if number >= unit:
            return f"{number / unit:.1f}{name}"
    return str(number)


def _remarks(outcome: BuildOutcome) -> tuple[str, ...]:
    return (outcome.error,) if isinstance(outcome, BuildFailed) else outcome.notes


def _variant_row(outcome: BuildOutcome) -> tuple[str, ...]:
    if isinstance(outcome, BuildFailed):
        return (outcome.model, outcome.name, "", "refused" if outcome.refused else "failed", *[""] * 6)
    accuracy = outcome.accuracy
    fidelity = outcome.fidelity
    agreement = fidelity.top1_agreement if fidelity and fidelity.meaningful else None
    return (
        outcome.model,
        outcome.name,
        str(outcome.target or ""),
        size(outcome.size_bytes),
        size(outcome.zip_bytes),
        f"{outcome.weights_compressed} of {outcome.weights_total}",
        _snr(fidelity),
        percent(agreement, 1) if agreement is not None else "",
        f"{percent(accuracy.value, 1)} {accuracy.metric}" if accuracy else "",
        f"{outcome.build_s:.1f} s" if outcome.build_s else "",
    )


def _snr(fidelity: Fidelity | None) -> str:
    if fidelity is None:
        return "unknown"
    if not fidelity.meaningful:
        return "not meaningful"
    if fidelity.max_abs_error == 0:
        return "identical"
    return "unknown" if fidelity.snr_db is None else f"{fidelity.snr_db:.1f} dB"


def plan_fields(
    cells: Iterable[Cell],
    skipped: Mapping[str, str],
    exclusions: Iterable[Exclusion],
    estimate_s: Seconds,
    *,
    warnings: Iterable[Exclusion] = (),
) -> Fields:
    return {
        "cells": [{**_cell_fields(cell), "skipped": skipped.get(cell.id)} for cell in cells],
        "exclusions": [asdict(exclusion) for exclusion in exclusions],
        "warnings": [asdict(warning) for warning in warnings],
        "estimate_s": round(estimate_s, 1),
    }


def _cell_fields(cell: Cell) -> Fields:
    return {
        "id": cell.id,
        **cell_identity(cell),
        "launches": cell.settings.launches,
        "inferences": cell.settings.inferences,
    }


def plan_text(
    cells: Sequence[Cell],
    skipped: Mapping[str, str],
    exclusions: Iterable[Exclusion],
    estimate_s: Seconds,
    *,
    warnings: Iterable[Exclusion] = (),
) -> str:
    head = ("model", "variant", "device", "unit", "launches")
    rows = [(c.model, c.variant, c.device, str(c.unit), _launches(c, skipped)) for c in cells]
    runs = len(cells) - len(skipped)
    several = len({c.device for c in cells}) > 1
    reasons = by_reason((_named(c, several), skipped[c.id]) for c in cells if c.id in skipped)
    left_out = [
        *warning_lines(warnings),
        *(f"skipped: {line}" for line in reasons),
        *(f"left out: {line}" for line in _left_out(exclusions)),
    ]
    total = f"{runs} cells to measure, {len(skipped)} skipped; about {duration(estimate_s)} of measuring"
    return "\n".join([table_text(head, rows), "", *left_out, total])


def _left_out(exclusions: Iterable[Exclusion]) -> list[str]:
    """A short line each; what leaves out several things at once, such as a device that is gone, is said once and
    whole."""
    whats: dict[str, list[str]] = {}
    for exclusion in exclusions:
        whats.setdefault(exclusion.reason, []).append(exclusion.what)
    shared = [pair for why, held in whats.items() if len(held) > 1 for pair in ((what, why) for what in held)]
    single = [_one_line(f"{held[0]}: {why}", 100) for why, held in whats.items() if len(held) == 1]
    return [*single, *by_reason(shared)]


def _named(cell: Cell, several_devices: bool) -> str:
    device = f"{cell.device} " if several_devices else ""
    return f"{cell.model} {cell.variant} {device}{cell.unit}"


def _launches(cell: Cell, skipped: Mapping[str, str]) -> str:
    return "skipped" if cell.id in skipped else str(cell.settings.launches)


def warning_lines(warnings: Iterable[Exclusion]) -> list[str]:
    """What will surprise, one line a surprise."""
    return [f"warning: {line}" for line in by_reason((warning.what, warning.reason) for warning in warnings)]


def absent_lines(devices: Iterable[DeviceFacts]) -> list[str]:
    """Devices that did not answer, each with the reason."""
    return [f"{each.name}: not measured: {each.exclusions[0].reason}" for each in devices if each.is_absent]


def unread_lines(models: Iterable[ModelFailed]) -> list[str]:
    """Models that could not be read, each with the reason."""
    return [f"{model.name}: not measured: {model.error}" for model in models]


def by_reason(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """One line a reason, after the first of those that it holds for. reasons are pairs of what and why."""
    whats: dict[str, list[str]] = {}
    for what, why in reasons:
        whats.setdefault(why, []).append(_one_line(what))
    return [
        f"{', '.join(held[:2])}{f' and {len(held) - 2} more' if len(held) > 2 else ''}: {why}"
        for why, held in whats.items()
    ]


def duration(seconds: Seconds) -> str:
    """A time to wait in words: `40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
