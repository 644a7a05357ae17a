"""A campaign as one document of plain values: what `report --format json` prints and every other view is made from."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from harness.core.campaign import Campaign, CampaignResult, CellResult
from harness.core.model import Model
from harness.core.variant import Variant, WeightTensor
from reports.answer import caveats, sentence
from reports.cell_view import cell_fields
from reports.choice import Candidate, Choice, choose, source_elsewhere
from reports.doubts import doubts_by_device
from reports.listings import artefact_fields, device_fields
from reports.op_view import Fields
from reports.quality import Judged, judge_quality

SCHEMA_VERSION = 1
Group = tuple[str, str, str]


def document(result: CampaignResult) -> dict[str, Any]:
    """The whole campaign. Every value is a JSON value; unknown is None; no NaN, no infinity, no lone surrogate."""
    judged = judge_cells(result)
    doubts = doubts_by_device(result.cells)
    groups = group_cells(result.cells)
    content = {
        "schema_version": SCHEMA_VERSION,
        "campaign": _campaign(result.campaign),
        "environment": dict(result.environment),
        "headlines": [_headline(result, group, cells, judged, doubts) for group, cells in groups.items()],
        "cells": [cell_fields(c, judged[id(c)], _source(groups[_group(c)])) for c in result.cells],
        "variants": [_variant(variant) for variant in _variants(result)],
        "models": [_model(model) for model in result.models],
        "devices": [{**device_fields(d), "doubts": doubts.get(d.name, ())} for d in result.devices],
        "exclusions": [asdict(exclusion) for exclusion in result.exclusions],
        "models_failed": [asdict(failed) for failed in result.models_failed],
        "builds_failed": [asdict(failed) for failed in result.builds_failed],
    }
    return {key: as_json(value) for key, value in content.items()}


def as_json(value: object) -> object:
    """value in JSON's own types: a number that is not finite becomes None, a lone surrogate the replacement mark."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int():
            return value
        case Mapping():
            return {str(key): as_json(item) for key, item in value.items()}
        case PurePath():
            return as_json(str(value))
        case list() | tuple():
            return [as_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in the document: {value!r}")


def judge_cells(result: CampaignResult) -> Mapping[int, Judged]:
    """What each cell's variant kept of its source's outputs, by the cell's identity in memory."""
    random_weights = {model.name for model in result.models if model.random_weights}
    sources = {c.cell.model: c.variant for c in result.cells if c.cell.is_source and c.variant is not None}
    return {
        id(c): judge_quality(c.variant, sources.get(c.cell.model), random_weights=c.cell.model in random_weights)
        for c in result.cells
    }


def group_cells(cells: Iterable[CellResult]) -> dict[Group, list[CellResult]]:
    """Cells that compare with one another: one model on one unit of one device, in the plan's order."""
    groups: dict[Group, list[CellResult]] = {}
    for result in cells:
        groups.setdefault(_group(result), []).append(result)
    return groups


def _group(result: CellResult) -> Group:
    return result.cell.model, result.cell.device, str(result.cell.unit)


def _source(cells: Iterable[CellResult]) -> CellResult | None:
    return next((result for result in cells if result.cell.is_source), None)


def _headline(
    result: CampaignResult,
    group: Group,
    cells: Sequence[CellResult],
    judged: Mapping[int, Judged],
    doubts: Mapping[str, tuple[str, ...]],
) -> Fields:
    model, device, unit = group
    simulated = any(facts.simulated for facts in result.devices if facts.name == device)
    sources = [c for c in result.cells if _is_source_of(c, model, device)]
    told = {id(c): Candidate(result=c, judged=judged[id(c)], said=doubts.get(device, ())) for c in (*cells, *sources)}
    reference = _reference(cells, sources)
    choice = choose([told[id(c)] for c in cells], told[id(reference)] if reference else None)
    elsewhere = source_elsewhere(choice, sources)
    return {
        "model": model,
        "device": device,
        "compute_unit": unit,
        "simulated": simulated,
        **_choice(choice),
        "source_elsewhere": asdict(elsewhere) if elsewhere else None,
        "caveats": list(caveats(choice, simulated=simulated, elsewhere=elsewhere)),
    }


def _reference(cells: Iterable[CellResult], sources: Iterable[CellResult]) -> CellResult | None:
    """The source on the unit that these cells are compared on, where that is another than theirs."""
    unit = next((c.compared_on for c in cells if c.compared_on), None)
    return next((c for c in sources if unit is not None and c.cell.unit == unit), None)


def _is_source_of(result: CellResult, model: str, device: str) -> bool:
    return result.cell.is_source and (result.cell.model, result.cell.device) == (model, device)


def _choice(choice: Choice) -> Fields:
    chosen = choice.chosen
    comparison = chosen.comparison if chosen else None
    return {
        "state": str(choice.state),
        "sentence": sentence(choice),
        "variant": chosen.name if chosen else None,
        "cell": chosen.result.cell.id if chosen else None,
        "source": choice.source.name if choice.source else None,
        "source_cell": choice.source.result.cell.id if choice.source else None,
        "compared_on": choice.compared_on,
        "latency_ratio": comparison.ratio if comparison else None,
        "ci95": list(comparison.ci95) if comparison and comparison.ci95 else None,
        "grade": str(chosen.grade.letter) if chosen and chosen.grade else None,
        "grade_reasons": list(chosen.grade.reasons) if chosen and chosen.grade else [],
        "size_ratio": chosen.result.size_ratio if chosen else None,
        "quality": str(chosen.judged.quality) if chosen else None,
        "quality_why": chosen.judged.why if chosen else None,
        "explanation": list(chosen.result.explanation) if chosen else [],
        "ties": [tie.name for tie in choice.ties],
        "smallest": _smallest(choice.smallest) if choice.smallest else None,
        "passed_over": [asdict(passed) for passed in choice.passed_over],
    }


def _smallest(candidate: Candidate) -> Fields:
    return {
        "variant": candidate.name,
        "size_ratio": candidate.result.size_ratio,
        "latency_ratio": candidate.ratio if candidate.result.latency is not None else None,
        "ci95": list(candidate.comparison.ci95) if candidate.comparison and candidate.comparison.ci95 else None,
        "quality": str(candidate.judged.quality),
    }


def _campaign(campaign: Campaign) -> Fields:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "started_at": campaign.started_at,
        "ended_at": campaign.ended_at,
        "duration_s": None if campaign.ended_at is None else campaign.ended_at - campaign.started_at,
        "config": campaign.config,
        "command": campaign.command,
        "seed": campaign.seed,
        "version": campaign.version,
        "bands": {"effect": campaign.bands.effect, "same": campaign.bands.same},
    }


def _variants(result: CampaignResult) -> Iterable[Variant]:
    built = [c.variant for c in result.cells if c.variant is not None]
    return {(variant.model, variant.name): variant for variant in built}.values()


def _variant(variant: Variant) -> Fields:
    elements = sum(tensor.elements for tensor in variant.tensors)
    zeros = sum(tensor.zeros for tensor in variant.tensors)
    return {
        **artefact_fields(variant),
        "sparsity": zeros / elements if elements else None,
        "tensors": [_tensor(tensor) for tensor in variant.tensors],
    }


def _tensor(tensor: WeightTensor) -> Fields:
    return {**asdict(tensor), "sparsity": tensor.zeros / tensor.elements if tensor.elements else None}


def _model(model: Model) -> Fields:
    return {
        "model": model.name,
        "format": model.format,
        "path": model.path,
        "digest": model.digest,
        "size_bytes": model.size_bytes,
        "precision": model.precision,
        "parameters": model.parameters,
        "metric": model.metric,
        "data": model.data,
        "random_weights": model.random_weights,
        "signature": model.signature,
        "signatures": list(model.signatures),
        "notes": list(model.notes),
        "target": str(model.target) if model.target else None,
        "inputs": [asdict(spec) for spec in model.inputs],
        "outputs": [asdict(spec) for spec in model.outputs],
    }
