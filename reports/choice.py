"""Which variant to ship: one answer for each model on each compute unit of each device."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.core.campaign import CellResult
from harness.core.judgement import Comparison, Grade, GradeLetter, Verdict
from harness.core.outcome import Invalid, Measured, Skipped
from reports.quality import Judged, Quality

# Differences of one sign that are rare enough at 99 %; harness.statistics.signed_rank.critical_value(8, 0.01) is 0.
VERDICT_PAIRS = 8


class State(StrEnum):
    """faster: a variant that can be trusted beats the source. source: none does. tentative: one seems to, in
    numbers that cannot be trusted. uncompared: the source has no latency to stand against, as a float model has none
    on an NPU that takes int8 alone. unmeasured: the plan skipped every cell, though variants were built. nothing: no
    latency at all."""

    FASTER = "faster"
    SOURCE = "source"
    TENTATIVE = "tentative"
    UNCOMPARED = "uncompared"
    UNMEASURED = "unmeasured"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A cell with what the choice needs to know about its variant. said: grade reasons that the device's views say
    once for all of its cells."""

    result: CellResult
    judged: Judged
    said: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.result.cell.variant

    @property
    def comparison(self) -> Comparison | None:
        return self.result.comparison

    @property
    def grade(self) -> Grade | None:
        return self.result.grade

    @property
    def doubts(self) -> tuple[str, ...]:
        """What kept the grade from an A and is not said elsewhere."""
        return tuple(reason for reason in (self.grade.reasons if self.grade else ()) if reason not in self.said)

    @property
    def reliable(self) -> bool:
        """Measured as asked, and not so disturbed that its numbers mean nothing."""
        measured = isinstance(self.result.outcome, Measured) and self.result.latency is not None
        return measured and self.grade is not None and self.grade.letter is not GradeLetter.D

    @property
    def shippable(self) -> bool:
        return self.reliable and self.judged.quality is not Quality.BROKEN

    @property
    def ratio(self) -> float:
        return self.comparison.ratio if self.comparison else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A variant that looked at least as fast as the one chosen, and why it was not."""

    variant: str
    ratio: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The answer for one group of cells. chosen None: nothing was measured.

    Of an uncompared group the chosen one has the lowest median of those that can be trusted. ties cannot be told from
    the chosen one. smallest is the smallest variant that is no slower than the source,
    None where that is the chosen one; of an unmeasured group, the smallest whose outputs are kept. alone: of its cells
    only the source's was measured. launches: the most that any cell shares with the source where that is too few for a
    verdict, else None. skipped: why the plan left all of it out, None where it did not. compared_on: the unit of the
    source, where that is another than the group's.
    """

    state: State
    source: Candidate | None
    chosen: Candidate | None
    ties: tuple[Candidate, ...] = ()
    smallest: Candidate | None = None
    passed_over: tuple[PassedOver, ...] = ()
    alone: bool = False
    launches: int | None = None
    skipped: str | None = None
    compared_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The source's fastest unit on the same device, where it does not run on the chosen one's; ratio of two medians."""

    variant: str
    unit: str
    ratio: float


def source_elsewhere(choice: Choice, sources: Iterable[CellResult]) -> Elsewhere | None:
    """sources are the cells of the same model's source on the same device; None unless the choice is uncompared."""
    latency = choice.chosen.result.latency if choice.chosen and choice.state is State.UNCOMPARED else None
    timed = [(c.latency.median, c.cell) for c in sources if c.latency and isinstance(c.outcome, Measured)]
    if latency is None or not timed:
        return None
    fastest, cell = min(timed, key=lambda found: found[0])
    return Elsewhere(variant=cell.variant, unit=str(cell.unit), ratio=latency.median / fastest)


def choose(candidates: Sequence[Candidate], reference: Candidate | None = None) -> Choice:
    """Choose among the cells of one model on one unit of one device, the source among them.

    reference is the source on another unit, where these are compared with that: an Edge TPU's with the processor's.
    """
    source = next((c for c in candidates if c.result.cell.is_source), None)
    timed = [c for c in candidates if c.result.latency is not None]
    if not timed:
        return _untimed(source, candidates)
    source = reference or source
    state, chosen = _pick(source, [c for c in timed if c.comparison is not None])
    if chosen is None and source is not None and source.result.latency is None:
        state, chosen = _fastest(timed)
    if chosen is None:
        return Choice(state=State.NOTHING, source=source, chosen=None, passed_over=_passed_over(timed, None))
    return Choice(
        state=state,
        source=source,
        chosen=chosen,
        ties=tuple(_ties(chosen, timed)) if state is State.FASTER else (),
        smallest=_smallest(chosen, timed),
        passed_over=_passed_over(timed, chosen),
        alone=all(c is source for c in timed),
        launches=_too_few([c.comparison for c in timed if c.comparison is not None]),
        compared_on=str(reference.result.cell.unit) if reference else None,
    )


def _untimed(source: Candidate | None, candidates: Sequence[Candidate]) -> Choice:
    """No latency: by plan, where every cell was skipped and something was built, or because something failed."""
    built = [c for c in candidates if c.result.variant is not None]
    skips = [c.result.outcome.reason for c in candidates if isinstance(c.result.outcome, Skipped)]
    if not built or len(skips) < len(candidates):
        return Choice(state=State.NOTHING, source=source, chosen=None)
    main = (source or built[0]).result.outcome
    return Choice(
        state=State.UNMEASURED,
        source=source,
        chosen=None,
        smallest=_smallest_built(source, built),
        skipped=main.reason if isinstance(main, Skipped) else skips[0],
    )


def _smallest_built(source: Candidate | None, built: Sequence[Candidate]) -> Candidate | None:
    """Smaller than the source, its outputs kept; of unknown fidelity only where none is known to keep them."""
    limit = _bytes(source) if source else float("inf")
    smaller = [c for c in built if c is not source and _bytes(c) < limit]
    for fitting in ((Quality.KEPT,), (Quality.MEANINGLESS, Quality.UNKNOWN)):
        if found := [c for c in smaller if c.judged.quality in fitting]:
            return min(found, key=_bytes)
    return None


def _too_few(comparisons: Sequence[Comparison]) -> int | None:
    most = max((comparison.pairs for comparison in comparisons), default=VERDICT_PAIRS)
    unsure = any(comparison.verdict is Verdict.INCONCLUSIVE for comparison in comparisons)
    return most if unsure and most < VERDICT_PAIRS else None


def _pick(source: Candidate | None, compared: Sequence[Candidate]) -> tuple[State, Candidate | None]:
    faster = sorted((c for c in compared if _verdict(c) is Verdict.FASTER), key=lambda c: c.ratio)
    trusted = [c for c in faster if c.shippable]
    if trusted and source is not None and source.reliable:
        return State.FASTER, trusted[0]
    whole = [c for c in faster if c.judged.quality is not Quality.BROKEN and isinstance(c.result.outcome, Measured)]
    if whole:
        return State.TENTATIVE, whole[0]
    if source is not None and source.result.latency is not None:
        return (State.SOURCE if source.reliable else State.TENTATIVE), source
    return State.NOTHING, None


def _fastest(timed: Iterable[Candidate]) -> tuple[State, Candidate | None]:
    """By median alone, where there is no source to stand against."""
    trusted = [c for c in timed if c.shippable]
    chosen = min(trusted, key=lambda c: c.result.latency.median if c.result.latency else float("inf"), default=None)
    return (State.UNCOMPARED if chosen else State.NOTHING), chosen


def _ties(chosen: Candidate, timed: Iterable[Candidate]) -> Iterable[Candidate]:
    bounds = chosen.comparison.ci95 if chosen.comparison else None
    for other in timed:
        theirs = other.comparison.ci95 if other.comparison else None
        if other is not chosen and other.shippable and bounds and theirs and theirs[0] <= bounds[1]:
            yield other


def _smallest(chosen: Candidate, timed: Iterable[Candidate]) -> Candidate | None:
    fitting = [c for c in timed if c.shippable and _verdict(c) in (Verdict.FASTER, Verdict.SAME) and c.result.variant]
    smallest = min((c for c in fitting), key=_bytes, default=None)
    # Under a tenth, a smaller file is no reason to take the slower variant.
    return smallest if smallest and _bytes(smallest) < 0.9 * _bytes(chosen) else None


def _passed_over(timed: Iterable[Candidate], chosen: Candidate | None) -> tuple[PassedOver, ...]:
    limit = chosen.ratio if chosen else 1.0
    rivals = [c for c in timed if c is not chosen and c.comparison is not None and c.ratio < limit]
    found = ((c, _objection(c)) for c in sorted(rivals, key=lambda c: c.ratio))
    return tuple(PassedOver(variant=c.name, ratio=c.ratio, why=why) for c, why in found if why)


def _objection(candidate: Candidate) -> str | None:
    if candidate.judged.quality is Quality.BROKEN:
        return f"outputs broken: {candidate.judged.why}"
    if isinstance(candidate.result.outcome, Invalid):
        return f"not what was asked for: {'; '.join(candidate.result.outcome.reasons)}"
    if not candidate.reliable:
        return f"grade D: {'; '.join(candidate.doubts or candidate.grade.reasons)}" if candidate.grade else "no grade"
    return "inconclusive" if _verdict(candidate) is Verdict.INCONCLUSIVE else None


def _verdict(candidate: Candidate) -> Verdict | None:
    return candidate.comparison.verdict if candidate.comparison else None


def _bytes(candidate: Candidate) -> float:
    return candidate.result.variant.size_bytes if candidate.result.variant else float("inf")
