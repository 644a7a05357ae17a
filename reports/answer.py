"""The answer for one group of cells in words, the same in the page, the terminal and the exports."""

from collections.abc import Iterable

from harness.core.judgement import GradeLetter
from reports.choice import VERDICT_PAIRS, Candidate, Choice, Elsewhere, State
from reports.names import clipped
from reports.numbers import percent, span, times
from reports.quality import Quality


def caveats(choice: Choice, *, simulated: bool, elsewhere: Elsewhere | None = None) -> tuple[str, ...]:
    """What a reader must know before acting on the answer, weightiest first."""
    told = (elsewhere_words(elsewhere),) if elsewhere else ()
    return (*told, *_caveats(choice, simulated), *_compared(choice))


def elsewhere_words(elsewhere: Elsewhere) -> str:
    """`0.12x float32 on cpu of this device, a ratio of medians that were not measured in pairs`."""
    ratio = times(elsewhere.ratio)
    place = f"{clipped(elsewhere.variant, 48)} on {elsewhere.unit} of this device"
    return f"{ratio} the time of {place}: two medians, not paired launches"


def _compared(choice: Choice) -> Iterable[str]:
    """Beside what it stands, where that ran on another unit."""
    if choice.compared_on and choice.source and choice.chosen is not choice.source:
        yield f"compared with {_source_words(choice)} of this device, launch by launch in the same blocks"


def _source_words(choice: Choice) -> str:
    """`float32`, or `float32 on cpu` where that is another unit."""
    name = clipped(choice.source.name, 48) if choice.source else "the source"
    return f"{name} on {choice.compared_on}" if choice.compared_on else name


def _caveats(choice: Choice, simulated: bool) -> Iterable[str]:
    chosen = choice.chosen
    if simulated:
        yield "simulated device: the times are made up"
    if choice.state is State.UNMEASURED and choice.smallest is not None:
        yield from _evidence(choice.smallest)
    if chosen is None:
        return
    if choice.launches is not None:
        count = "1 launch" if choice.launches == 1 else f"{choice.launches} launches"
        yield f"{count}: a verdict needs {VERDICT_PAIRS} or more"
    if choice.state is State.TENTATIVE:
        yield "the numbers are too disturbed to act on; measure again on a quiet machine"
    yield from _grade_caveats(chosen, choice.source)
    yield from _quality_caveats(chosen)


def _quality_caveats(candidate: Candidate) -> Iterable[str]:
    if candidate.judged.quality is Quality.REDUCED:
        yield f"outputs reduced: {candidate.judged.why}"
    if candidate.judged.quality is Quality.MEANINGLESS:
        yield "random weights: fidelity is not meaningful"
    if candidate.judged.quality is Quality.UNKNOWN:
        yield f"fidelity unknown: {candidate.judged.why}"
    yield from candidate.result.variant.notes if candidate.result.variant else ()


def _evidence(candidate: Candidate) -> Iterable[str]:
    """What its outputs were judged by, and what computed them: no device did."""
    fidelity = candidate.result.variant.fidelity if candidate.result.variant else None
    if candidate.judged.quality is Quality.KEPT and fidelity is not None:
        yield f"{candidate.name}: {candidate.judged.why}, computed by {fidelity.reference}"
    yield from _quality_caveats(candidate)


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
    """The answer in one sentence."""
    chosen, source = choice.chosen, _source_words(choice)
    if choice.state is State.UNMEASURED:
        return f"not measured: {choice.skipped}; {_without_device(choice.smallest, source)}"
    if chosen is None:
        return "no answer: nothing was measured that compares with the source"
    name = source if chosen is choice.source else clipped(chosen.name, 48)
    if choice.state is State.UNCOMPARED:
        return f"{name} is the fastest that was measured; {source} has no time on this unit to compare with"
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


_SMALLEST = {
    Quality.KEPT: "the smallest whose outputs are kept",
    Quality.MEANINGLESS: "the smallest",
    Quality.UNKNOWN: "the smallest of unknown fidelity",
}


def _without_device(smallest: Candidate | None, source: str) -> str:
    """What size and fidelity alone say."""
    if smallest is None:
        return "no smaller variant has its outputs kept"
    share = smallest.result.size_ratio
    kept = f", {percent(share)} of {source}'s size" if share is not None else ""
    what = _SMALLEST[smallest.judged.quality]
    if smallest.judged.quality is Quality.KEPT and not (smallest.result.variant and smallest.result.variant.accuracy):
        what = "the smallest whose outputs agree with the source's"  # no labels say that they are right
    return f"{what} is {clipped(smallest.name, 48)}{kept}"
