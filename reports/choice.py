"""Which variant to ship: one answer for each model on each compute unit of each device."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.core.campaign import CellResult
from harness.core.judgement import Comparison, Grade, GradeLetter, Verdict
from harness.core.outcome import Invalid, Measured
from reports.names import clipped
from reports.numbers import percent, span, times
from reports.quality import Judged, Quality

# Differences of one sign that are rare enough at 99 %; harness.statistics.signed_rank.critical_value(8, 0.01) is 0.
_VERDICT_PAIRS = 8


class State(StrEnum):
    """faster: a variant that can be trusted beats the source. source: none does. tentative: one seems to, in
    numbers that cannot be trusted. nothing: no latency at all."""

    FASTER = "faster"
    SOURCE = "source"
    TENTATIVE = "tentative"
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

    ties cannot be told from the chosen one. smallest is the smallest variant that is no slower than the source,
    None where that is the chosen one. alone: of its cells only the source's was measured. launches: the most that any
    cell shares with the source where that is too few for a verdict, else None.
    """

    state: State
    source: Candidate | None
    chosen: Candidate | None
    ties: tuple[Candidate, ...] = ()
    smallest: Candidate | None = None
    passed_over: tuple[PassedOver, ...] = ()
    alone: bool = False
    launches: int | None = None


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Choose among the cells of one model on one unit of one device, the source among them."""
    source = next((c for c in candidates if c.result.cell.is_source), None)
    timed = [c for c in candidates if c.result.latency is not None]
    if not timed:
        return Choice(state=State.NOTHING, source=source, chosen=None)
    state, chosen = _pick(source, [c for c in timed if c.comparison is not None])
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
    )


def _too_few(comparisons: Sequence[Comparison]) -> int | None:
    most = max((comparison.pairs for comparison in comparisons), default=_VERDICT_PAIRS)
    unsure = any(comparison.verdict is Verdict.INCONCLUSIVE for comparison in comparisons)
    return most if unsure and most < _VERDICT_PAIRS else None


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


def caveats(choice: Choice, *, simulated: bool) -> tuple[str, ...]:
    """What a reader must know before acting on the answer, weightiest first."""
    return tuple(_caveats(choice, simulated))


def _caveats(choice: Choice, simulated: bool) -> Iterable[str]:
    chosen = choice.chosen
    if simulated:
        yield "simulated device: the times are made up"
    if chosen is None:
        return
    if choice.launches is not None:
        count = "1 launch" if choice.launches == 1 else f"{choice.launches} launches"
        yield f"{count}: a verdict needs {_VERDICT_PAIRS} or more"
    if choice.state is State.TENTATIVE:
        yield "the numbers are too disturbed to act on; measure again on a quiet machine"
    yield from _grade_caveats(chosen, choice.source)
    if chosen.judged.quality is Quality.REDUCED:
        yield f"outputs reduced: {chosen.judged.why}"
    if chosen.judged.quality is Quality.MEANINGLESS:
        yield "random weights: fidelity is not meaningful"
    if chosen.judged.quality is Quality.UNKNOWN:
        yield f"fidelity unknown: {chosen.judged.why}"
    yield from chosen.result.variant.notes if chosen.result.variant else ()


def _grade_caveats(chosen: Candidate, source: Candidate | None) -> Iterable[str]:
    """What kept the two grades from an A; of the source only what does not hold for the chosen one as well."""
    own = chosen.doubts
    if chosen.grade and chosen.grade.letter is not GradeLetter.A and (own or not chosen.said):
        yield f"grade {chosen.grade.letter}: {'; '.join(own) or 'no reason given'}"
    if source is None or source is chosen or source.grade is None or source.grade.letter is GradeLetter.A:
        return
    other = [reason for reason in source.doubts if reason not in own]
    if other or chosen.grade is None or chosen.grade.letter is not source.grade.letter:
        yield f"the source has grade {source.grade.letter}" + (f": {'; '.join(other)}" if other else "")


def sentence(choice: Choice) -> str:
    """The answer in one sentence, the same in the page, the terminal and the exports."""
    chosen, source = choice.chosen, clipped(choice.source.name, 48) if choice.source else "the source"
    if chosen is None:
        return "no answer: nothing was measured that compares with the source"
    name = clipped(chosen.name, 48)
    if choice.alone:
        return f"{name}: only the model itself was measured"
    if choice.state is State.SOURCE and choice.launches is not None:
        return f"{name}, for want of launches: no variant can be told from it"
    if choice.state is State.SOURCE:
        return f"{name}: no variant is both clearly faster and trustworthy"
    if chosen.comparison is None:
        return f"{name}, but only for want of a trustworthy comparison"
    ratio, ci = chosen.comparison.ratio, chosen.comparison.ci95
    interval = f" ({span(ratio, ci)})" if ci else ""
    kept = f", {percent(chosen.result.size_ratio)} of its size" if chosen.result.size_ratio is not None else ""
    lead = f"{name} seems to take" if choice.state is State.TENTATIVE else f"{name} takes"
    return f"{lead} {times(ratio, ci)}{interval} the time of {source}{kept}"
