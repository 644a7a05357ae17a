"""From what the store holds to what views show: outcomes, summaries, comparisons and grades. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from harness.core.campaign import CampaignResult, CellResult
from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.judgement import Bands, ColdStart, Comparison, LatencySummary
from harness.core.launch import Delegation, LaunchFailure, LaunchOutcome, LaunchRecord, Pass
from harness.core.limits import NO_LIMITS, Limits
from harness.core.outcome import BlockLaunch, Failed, Invalid, Measured, Measurement, Outcome, Skipped, measurement_of
from harness.core.trouble import Trouble, TroubleKind
from harness.core.units import Nanoseconds
from harness.core.variant import BuildFailed, Variant
from harness.explain import explain
from harness.inside import with_inside
from harness.journal import is_hopeless
from harness.placement import complete_delegation, is_another_unit
from harness.plan import compared_on, has_weight_cache
from harness.statistics.grades import grade
from harness.statistics.paired import compare
from harness.statistics.summaries import (
    coarsest_step,
    summarise_cold_start,
    summarise_latency,
    summarise_launch,
    summarise_load,
    timed,
)
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch

Builds = Mapping[tuple[str, str], Variant | BuildFailed]


def assemble(stored: StoredCampaign) -> CampaignResult:
    """Everything that a view may show of a campaign. Launches of torn blocks do not count."""
    bands = stored.campaign.bands
    builds: Builds = {(build.model, build.name): build for build in stored.builds}
    complete = {block.id: block for block in stored.blocks if block.state is BlockState.COMPLETE}
    launches = _by_cell(stored.launches, complete)
    references = _canary_references(complete.values())
    given_up = _given_up(stored.troubles)
    facts = {device.name: device for device in stored.devices}
    outcomes = {
        cell.id: with_inside(
            _outcome(cell, stored.skipped, builds, launches.get(cell.id, ()), given_up.get(cell.device)),
            builds.get((cell.model, cell.variant)),
        )
        for cell in stored.cells
    }
    sources = {_place(cell): cell for cell in stored.cells if cell.is_source}
    results = []
    for cell in stored.cells:
        source = _source(cell, sources)
        elsewhere = source is not None and source.unit != cell.unit
        variant = builds.get((cell.model, cell.variant))
        reference = measurement_of(outcomes[source.id]) if source and not (cell.is_source or elsewhere) else None
        original = builds.get((cell.model, source.variant)) if source else None
        outcome = outcomes[cell.id]
        results.append(
            _result(
                cell,
                outcome,
                variant=variant if isinstance(variant, Variant) else None,
                comparison=None if source is None or cell.is_source else _compare(outcomes[source.id], outcome, bands),
                original=original if isinstance(original, Variant) else None,
                canary_reference=references.get(cell.device),
                reference=reference,
                limits=stored.campaign.limits.get(cell.device, NO_LIMITS),
                facts=facts.get(cell.device),
                compared_on=source.unit if source and elsewhere else None,
            )
        )
    return CampaignResult(
        campaign=stored.campaign,
        environment=stored.environment,
        devices=stored.devices,
        models=stored.models,
        models_failed=stored.models_failed,
        builds_failed=tuple(build for build in stored.builds if isinstance(build, BuildFailed)),
        exclusions=stored.exclusions,
        cells=tuple(results),
    )


def _given_up(troubles: Sequence[Trouble]) -> dict[str, str]:
    """Why devices were given up, by name, in the words of the last time."""
    return {trouble.name: trouble.words for trouble in troubles if trouble.kind is not TroubleKind.AGENT}


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.model, cell.device, str(cell.unit)


def _source(cell: Cell, sources: Mapping[tuple[str, str, str], Cell]) -> Cell | None:
    """The source on the same unit. An Edge TPU's variants stand against it on the processor of the same device."""
    unit = cell.unit if cell.is_source else compared_on(cell.unit)
    return sources.get((cell.model, cell.device, str(unit)))


Placed = tuple[StoredLaunch, BlockRecord]


def _by_cell(launches: Sequence[StoredLaunch], complete: Mapping[str, BlockRecord]) -> dict[str, list[Placed]]:
    placed: dict[str, list[Placed]] = {}
    for launch in launches:
        block = complete.get(launch.block)
        if block is not None:
            placed.setdefault(launch.cell, []).append((launch, block))
    return placed


def _canary_references(blocks: Iterable[BlockRecord]) -> dict[str, Nanoseconds]:
    """The median of all canaries of this campaign, by device."""
    taken: dict[str, list[Nanoseconds]] = {}
    for block in blocks:
        for canary in (block.canary_before, block.canary_after):
            if canary is not None:
                taken.setdefault(block.device, []).append(canary.median_ns)
    return {device: median(values) for device, values in taken.items()}


def _outcome(
    cell: Cell,
    skipped: Mapping[str, str],
    builds: Builds,
    launches: Sequence[Placed],
    given_up: str | None,
) -> Outcome:
    build = builds.get((cell.model, cell.variant))
    if isinstance(build, BuildFailed) and not build.refused:
        return Failed(error=f"not built: {build.error}")
    if cell.id in skipped:
        return Skipped(reason=skipped[cell.id])
    if isinstance(build, BuildFailed):
        return Skipped(reason=build.error)
    timed = [launch.outcome for launch, _ in launches if launch.outcome.pass_ is Pass.LATENCY]
    failures = [outcome for outcome in timed if isinstance(outcome, LaunchFailure)]
    measured = _measurement(launches)
    if measured is None:
        return _failed(failures, cell.device, given_up)
    reasons = _misplaced(measured, cell.unit) + _two_faced(measured)
    if is_hopeless(timed):
        reasons += (f"{len(failures)} of {len(timed)} launches failed, the last two in a row: {failures[-1].message}",)
    return Invalid(measurement=measured, reasons=reasons) if reasons else Measured(measurement=measured)


def _misplaced(measurement: Measurement, asked: ComputeUnit) -> tuple[str, ...]:
    """Why a measurement is not of the unit that was asked for; nothing where the runtime does not say."""
    observed = measurement.observed
    if observed is None:
        return ()
    otherwise = asked.backend is not None and observed.backend not in (None, asked.backend)
    return (f"asked for {asked}, ran on {observed}",) if is_another_unit(observed, asked) or otherwise else ()


def _two_faced(measurement: Measurement) -> tuple[str, ...]:
    """The faces of the runtime that its launches went through, where there was more than one: no median is of both."""
    faces = Counter(str(launch.record.api) for launch in measurement.launches if launch.record.api)
    if len(faces) < 2:
        return ()
    told = ", ".join(f"{face} in {count}" for face, count in sorted(faces.items()))
    return (f"launches went through both faces: {told}",)


def _failed(failures: Sequence[LaunchFailure], device: str, given_up: str | None) -> Failed:
    if not failures:
        why = "the campaign stopped before this cell" if given_up is None else f"{device} was given up: {given_up}"
        return Failed(error=f"not measured: {why}; `run --resume` measures it")
    first = failures[0]
    return Failed(error=first.message, kind=first.kind, exit_code=first.exit_code, stderr_tail=first.stderr_tail)


def _measurement(launches: Sequence[Placed]) -> Measurement | None:
    records = [
        (launch, block, launch.outcome) for launch, block in launches if isinstance(launch.outcome, LaunchRecord)
    ]
    timed = sorted(
        (
            BlockLaunch(
                block=block.index,
                position=launch.position,
                record=record,
                canary_before=block.canary_before,
                canary_after=block.canary_after,
                doubt=block.doubt,
            )
            for launch, block, record in records
            if record.pass_ is Pass.LATENCY
        ),
        key=lambda launch: launch.block,
    )
    if not timed:
        return None
    last = timed[-1].record
    ops = next((record for _, _, record in records if record.pass_ is Pass.OPS), None)
    memory = next((record for _, _, record in records if record.pass_ is Pass.MEMORY), None)
    cold = tuple(record for _, _, record in records if record.pass_ is Pass.COLD)
    return Measurement(
        launches=tuple(timed),
        ops=ops.ops if ops else None,
        ops_unavailable=ops.ops_unavailable if ops else _why_missing(launches, Pass.OPS),
        memory=memory.memory if memory else None,
        memory_unavailable=None if memory else _why_missing(launches, Pass.MEMORY),
        observed=(ops and ops.observed) or last.observed,
        backend=(ops and ops.backend) or last.backend,
        runtime=last.runtime,
        lost=sum(_is_lost(launch.outcome) for launch, _ in launches),
        api=last.api,
        fallback=last.fallback,
        delegation=complete_delegation((ops and ops.delegation) or last.delegation, ops.ops if ops else None),
        adapter=last.adapter,
        cold=cold,
        cold_unavailable=_why_cold_missing(launches, cold),
    )


def _why_cold_missing(launches: Sequence[Placed], cold: Sequence[LaunchRecord]) -> str | None:
    failed = any(isinstance(launch.outcome, LaunchFailure) for launch, block in launches if block.pass_ is Pass.COLD)
    return _why_missing(launches, Pass.COLD) if failed or not cold else None


def _is_lost(outcome: LaunchOutcome) -> bool:
    return isinstance(outcome, LaunchFailure) and outcome.pass_ is Pass.LATENCY


def _why_missing(launches: Sequence[Placed], pass_: Pass) -> str:
    for launch, _ in launches:
        if isinstance(launch.outcome, LaunchFailure) and launch.outcome.pass_ is pass_:
            return launch.outcome.message
    if is_hopeless([launch.outcome for launch, _ in launches]):
        return "not measured: the cell was given up after launches that failed"
    return "not measured: the campaign stopped before this pass; `run --resume` measures it"


def _medians(outcome: Outcome) -> dict[int, Nanoseconds]:
    measured = measurement_of(outcome)
    launches = measured.launches if measured else ()
    known = ((launch.block, launch.record.median_ns) for launch in launches)
    return {block: ns for block, ns in known if ns is not None}


def _step(outcome: Outcome) -> Nanoseconds:
    measured = measurement_of(outcome)
    return coarsest_step(measured.launches) if measured else 0.0


def _compare(source: Outcome, other: Outcome, bands: Bands) -> Comparison | None:
    before, after = _medians(source), _medians(other)
    if not before.keys() & after.keys():
        return None
    return compare(before, after, bands, steps=(_step(source), _step(other)))


def _result(
    cell: Cell,
    outcome: Outcome,
    *,
    variant: Variant | None,
    comparison: Comparison | None,
    original: Variant | None,
    canary_reference: Nanoseconds | None,
    reference: Measurement | None,
    limits: Limits,
    facts: DeviceFacts | None,
    compared_on: ComputeUnit | None,
) -> CellResult:
    measured = measurement_of(outcome)
    letter = None
    if measured:
        letter = grade(measured, asked=cell.unit, canary_reference_ns=canary_reference, limits=limits, facts=facts)
    return CellResult(
        cell=cell,
        outcome=outcome,
        variant=variant,
        latency=_latency(measured) if measured else None,
        load=summarise_load([launch.record.load for launch in measured.launches]) if measured else None,
        grade=letter,
        comparison=comparison,
        size_ratio=variant.size_bytes / original.size_bytes if variant and original else None,
        launches=tuple(map(summarise_launch, measured.launches)) if measured else (),
        cold=_cold_start(cell, measured),
        explanation=explain(cell, measured, reference, None if compared_on else comparison) if measured else (),
        compared_on=compared_on if comparison else None,
    )


def _latency(measured: Measurement) -> LatencySummary | None:
    """None where no launch has a median: a tool need not tell one."""
    if all(launch.record.median_ns is None for launch in measured.launches):
        return None
    return summarise_latency([timed(launch.record) for launch in measured.launches])


def _cold_start(cell: Cell, measured: Measurement | None) -> ColdStart | None:
    if measured is None or not cell.settings.cold_starts:
        return None
    if not has_weight_cache(cell.unit):
        why = "XNNPACK's weight cache is not a thing of this unit"
        return summarise_cold_start(measured.cold, measured.cold_unavailable or why)
    idle = _is_nothing_in_xnnpack(measured.delegation)
    return summarise_cold_start(measured.cold, measured.cold_unavailable, idle=idle)


def _is_nothing_in_xnnpack(state: Delegation | None) -> bool | None:
    """Whether the weight cache has nothing to hold; None where the runtime does not say what was taken."""
    if state is None or (state.taken is None and not state.full):
        return None
    return state.taken == 0
