"""One cell as scripts read it. The keys are a contract: docs/report.md describes each."""

import statistics
from dataclasses import asdict
from typing import assert_never

from harness.core.campaign import CellResult
from harness.core.judgement import LatencySummary, LoadSummary
from harness.core.launch import MemoryReading, OpRecord, OpTable
from harness.core.outcome import BlockLaunch, Failed, Invalid, Measured, Measurement, Outcome, Skipped
from harness.core.variant import Variant
from reports.quality import Judged

Fields = dict[str, object]


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
        "ops": [_op(op) for op in measurement.ops.ops] if measurement and measurement.ops else [],
        "id": result.cell.id,
        "is_source": result.cell.is_source,
        "settings": asdict(result.cell.settings),
        "quality": str(judged.quality),
        "quality_why": judged.why,
        **_measurement_details(measurement),
        **_failure_details(result.outcome),
    }


def measurement_of(outcome: Outcome) -> Measurement | None:
    match outcome:
        case Measured(measurement=measurement) | Invalid(measurement=measurement):
            return measurement
        case Skipped() | Failed():
            return None
        case _:
            assert_never(outcome)


def _identity(result: CellResult, measurement: Measurement | None) -> Fields:
    cell = result.cell
    observed = measurement.observed if measurement else None
    return {
        "model": cell.model,
        "format": cell.format,
        "variant": cell.variant,
        "technique": cell.recipe,
        "device": cell.device,
        "family": cell.family,
        "compute_unit": str(cell.unit),
        "planned_unit": str(cell.unit),
        "observed_unit": None if observed is None else str(observed),
        "backend": measurement.backend if measurement else None,
        "threads": cell.unit.threads,
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
    }


def _conditions(measurement: Measurement | None) -> Fields:
    launches = measurement.launches if measurement else ()
    return {
        "before": asdict(launches[0].record.before) if launches else None,
        "after": asdict(launches[-1].record.after) if launches else None,
    }


def _op(op: OpRecord) -> Fields:
    return {
        "index": op.index,
        "name": op.name,
        "type": op.type,
        "shape": list(op.shape),
        "kernels": list(op.kernels),
        "placed_on": op.placed_on,
        "latency_ns": op.latency_ns,
        "label": op.label,
        "share": op.share,
        "macs": op.macs,
        "bytes": op.bytes,
    }


def _measurement_details(measurement: Measurement | None) -> Fields:
    table = measurement.ops if measurement else None
    return {
        "runtime": measurement.runtime if measurement else None,
        "launches_lost": measurement.lost if measurement else None,
        "launches": [_launch(launch) for launch in measurement.launches] if measurement else [],
        "ops_unavailable": measurement.ops_unavailable if measurement else None,
        "ops_mapping": _mapping(table) if table else None,
    }


def _mapping(table: OpTable) -> Fields:
    return {
        "coverage": table.coverage,
        "cost": table.mapping_cost,
        "approximate": table.approximate,
        "partitions": table.partitions,
        "runs": table.runs,
        "resolution_ns": table.resolution_ns,
        "unmapped_ns": sum(op.latency_ns or 0.0 for op in table.ops if op.index < 0),
    }


def _launch(launch: BlockLaunch) -> Fields:
    """A launch in figures; the raw samples stay in the store."""
    record = launch.record
    samples = sorted(record.samples_ns)
    cpu = sum(record.cpu_ns)
    return {
        "block": launch.block,
        "position": launch.position,
        "started_at": record.started_at,
        "wall_s": record.wall_s,
        "samples": len(samples),
        "median_ns": statistics.median(samples) if samples else None,
        "p10_ns": samples[len(samples) // 10] if samples else None,
        "p90_ns": samples[9 * len(samples) // 10] if samples else None,
        "wall_over_cpu": sum(samples) / cpu if cpu else None,
        "canary_before_ns": launch.canary_before.median_ns if launch.canary_before else None,
        "canary_after_ns": launch.canary_after.median_ns if launch.canary_after else None,
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
