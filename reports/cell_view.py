"""One cell as scripts read it. The keys are a contract: docs/report.md describes each."""

from dataclasses import asdict
from typing import assert_never

from harness.core.campaign import CellResult
from harness.core.cell import Cell
from harness.core.judgement import ColdStart, LatencySummary, LaunchSummary, LoadSummary, StartFigures
from harness.core.launch import MemoryReading
from harness.core.outcome import Failed, Invalid, Measured, Measurement, Outcome, Skipped, measurement_of
from harness.core.variant import Variant
from reports.op_view import Fields, mapping_fields, op_fields
from reports.quality import Judged


def cell_fields(result: CellResult, judged: Judged, source: CellResult | None) -> Fields:
    """The contract's keys first, then what the page needs besides."""
    measurement = measurement_of(result.outcome)
    return {
        **_identity(result, measurement),
        **_outcome(result),
        "latency_ns": _latency(result.latency),
        "load_ns": _load(result.load),
        "memory_bytes": _memory(measurement.memory if measurement else None),
        **_artefact(result.variant),
        "vs_float": _against_source(result, source),
        "conditions": _conditions(measurement),
        "ops": op_fields(measurement.ops) if measurement and measurement.ops else [],
        **_execution(result.cell, measurement),
        "cold_start": _cold_start(result.cold),
        "explanation": list(result.explanation),
        "target": str(result.variant.target) if result.variant and result.variant.target else None,
        "id": result.cell.id,
        "is_source": result.cell.is_source,
        "settings": asdict(result.cell.settings),
        "quality": str(judged.quality),
        "quality_why": judged.why,
        "launches": [_launch(launch) for launch in result.launches],
        **_measurement_details(measurement),
        **_failure_details(result.outcome),
    }


def cell_identity(cell: Cell) -> Fields:
    """What names a cell, in the document and in `plan --json` alike."""
    return {
        "model": cell.model,
        "format": cell.format,
        "variant": cell.variant,
        "technique": cell.recipe,
        "device": cell.device,
        "family": cell.family,
        "compute_unit": str(cell.unit),
    }


def _identity(result: CellResult, measurement: Measurement | None) -> Fields:
    observed = measurement.observed if measurement else None
    return {
        **cell_identity(result.cell),
        "planned_unit": None,  # LiteRT on the cpu has no plan that could be read before it runs
        "observed_unit": None if observed is None else str(observed),
        "backend": measurement.backend if measurement else None,
        "threads": result.cell.unit.threads,
    }


def _outcome(result: CellResult) -> Fields:
    match result.outcome:
        case Measured():
            name, reason = "measured", None
        case Skipped(reason=why):
            name, reason = "skipped", why
        case Invalid(reasons=reasons):
            name, reason = "invalid", "; ".join(reasons)
        case Failed(error=error):
            name, reason = "failed", error
        case _:
            assert_never(result.outcome)
    grade = result.grade
    return {
        "outcome": name,
        "reason": reason,
        "grade": str(grade.letter) if grade else None,
        "grade_reasons": list(grade.reasons) if grade else [],
    }


def _latency(summary: LatencySummary | None) -> Fields | None:
    if summary is None:
        return None
    return {
        "median": summary.median,
        "p10": summary.p10,
        "p90": summary.p90,
        "p99": summary.p99,
        "min": summary.min,
        "ci95": list(summary.ci95) if summary.ci95 else None,
        "launches": summary.launches,
        "samples": summary.samples,
        "cv": summary.cv,
        "raw": summary.raw,
        "resolution": summary.resolution,
    }


def _load(load: LoadSummary | None) -> Fields | None:
    return None if load is None else asdict(load)


def _memory(memory: MemoryReading | None) -> Fields | None:
    return None if memory is None else asdict(memory)


def _artefact(variant: Variant | None) -> Fields:
    fidelity = asdict(variant.fidelity) if variant and variant.fidelity else None
    accuracy = asdict(variant.accuracy) if variant and variant.accuracy else None
    return {
        "size_bytes": variant.size_bytes if variant else None,
        "zip_bytes": variant.zip_bytes if variant else None,
        "weights_compressed": variant.weights_compressed if variant else None,
        "weights_total": variant.weights_total if variant else None,
        "fidelity": fidelity,
        "accuracy": accuracy,
    }


def _against_source(result: CellResult, source: CellResult | None) -> Fields | None:
    """The source stands at a ratio of 1 to itself, by definition and so without interval or verdict."""
    comparison = result.comparison
    by_definition = 1.0 if result is source and result.latency is not None else None
    ratio = comparison.ratio if comparison else by_definition
    if ratio is None and result.size_ratio is None:
        return None
    return {
        "latency_ratio": ratio,
        "ci95": list(comparison.ci95) if comparison and comparison.ci95 else None,
        "verdict": str(comparison.verdict) if comparison else None,
        "size_ratio": result.size_ratio,
        "ci99": list(comparison.ci99) if comparison and comparison.ci99 else None,
        "detectable": comparison.detectable if comparison else None,
        "pairs": comparison.pairs if comparison else None,
        "unit": str(result.compared_on) if result.compared_on else None,
    }


def _execution(cell: Cell, measurement: Measurement | None) -> Fields:
    """Through which face of the runtime it ran, and what a delegate took of it."""
    delegation = measurement.delegation if measurement else None
    return {
        "api": str(measurement.api) if measurement and measurement.api else None,
        "fallback": measurement.fallback if measurement else None,
        "delegation": asdict(delegation) if delegation else None,
        "adapter": measurement.adapter if measurement else None,
        "signature": cell.signature,
        "op_settings": [asdict(setting) for setting in cell.op_settings],
    }


def _cold_start(cold: ColdStart | None) -> Fields | None:
    if cold is None:
        return None
    return {
        "off": _start(cold.off),
        "filled": _start(cold.filled),
        "used": _start(cold.used),
        "unavailable": cold.unavailable,
        "idle": cold.idle,
    }


def _start(figures: StartFigures | None) -> Fields | None:
    if figures is None:
        return None
    return {
        "environment_ns": figures.environment,
        "compile_ns": figures.compile,
        "first_ns": figures.first,
        "total_ns": figures.total,
        "warm_ns": figures.warm,
        "launches": figures.launches,
    }


def _conditions(measurement: Measurement | None) -> Fields:
    launches = measurement.launches if measurement else ()
    return {
        "before": asdict(launches[0].record.before) if launches else None,
        "after": asdict(launches[-1].record.after) if launches else None,
    }


def _measurement_details(measurement: Measurement | None) -> Fields:
    table = measurement.ops if measurement else None
    return {
        "runtime": measurement.runtime if measurement else None,
        "launches_lost": measurement.lost if measurement else None,
        "ops_unavailable": measurement.ops_unavailable if measurement else None,
        "ops_mapping": mapping_fields(table) if table else None,
    }


def _launch(launch: LaunchSummary) -> Fields:
    """A launch in figures; the raw samples stay in the store."""
    return {
        "block": launch.block,
        "position": launch.position,
        "started_at": launch.started_at,
        "wall_s": launch.wall_s,
        "samples": launch.samples,
        "median_ns": launch.median,
        "p10_ns": launch.p10,
        "p90_ns": launch.p90,
        "wall_over_cpu": launch.wall_over_cpu,
        "canary_before_ns": launch.canary_before,
        "canary_after_ns": launch.canary_after,
        "told": asdict(launch.told) if launch.told else None,
    }


def _failure_details(outcome: Outcome) -> Fields:
    if not isinstance(outcome, Failed):
        return {"failure": None}
    return {
        "failure": {
            "kind": str(outcome.kind) if outcome.kind else None,
            "exit_code": outcome.exit_code,
            "stderr_tail": outcome.stderr_tail,
        }
    }
