"""Which variant to ship."""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.core.campaign import CellResult
from harness.core.judgement import Verdict
from harness.core.outcome import Failed, Invalid, Measured
from harness.statistics.signed_rank import critical_value
from reports.answer import caveats, sentence
from reports.choice import Candidate, Choice, State, choose
from reports.quality import Judged, Quality
from tests.support.results import (
    LINUX,
    NO_DEVICE,
    a_cell_result,
    a_comparison,
    a_variant,
    some_unmeasured_cells,
)


def candidate(result: CellResult, quality: Quality = Quality.KEPT, *, why: str = "top1 0.08, source 0.98") -> Candidate:
    return Candidate(result=result, judged=Judged(quality=quality, why=why))


def chosen(*candidates: Candidate, source_grade: str = "A") -> Choice:
    return choose([candidate(a_cell_result("float32", grade=source_grade)), *candidates])


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [each.name for each in candidates]


def test_the_fastest_that_can_be_trusted_is_chosen() -> None:
    choice = chosen(candidate(a_cell_result("dynamic-int8")), candidate(a_cell_result("int8")))
    assert (choice.state, choice.chosen and choice.chosen.name) == (State.FASTER, "int8")


def test_broken_outputs_are_passed_over_with_the_reason() -> None:
    choice = chosen(candidate(a_cell_result("dynamic-int8")), candidate(a_cell_result("int8"), Quality.BROKEN))
    assert choice.chosen is not None
    assert choice.chosen.name == "dynamic-int8"
    assert [(p.variant, p.why) for p in choice.passed_over] == [("int8", "outputs broken: top1 0.08, source 0.98")]


def test_grade_d_is_passed_over_with_its_reasons() -> None:
    noisy = a_cell_result("int8", grade="D", grade_reasons=("preemption 12 %",))
    choice = chosen(candidate(a_cell_result("dynamic-int8")), candidate(noisy))
    assert [p.why for p in choice.passed_over] == ["grade D: preemption 12 %"]


def test_invalid_is_passed_over_with_its_reasons() -> None:
    good = a_cell_result("int8")
    assert isinstance(good.outcome, Measured)
    other = replace(good, outcome=Invalid(measurement=good.outcome.measurement, reasons=("ran on cpu/builtin",)))
    choice = chosen(candidate(a_cell_result("dynamic-int8")), candidate(other))
    assert [p.why for p in choice.passed_over] == ["not what was asked for: ran on cpu/builtin"]


def test_inconclusive_is_not_chosen() -> None:
    unsure = a_cell_result("int8", comparison=a_comparison(0.9, half=0.2, verdict=Verdict.INCONCLUSIVE))
    choice = chosen(candidate(unsure))
    assert (choice.state, choice.passed_over[0].why) == (State.SOURCE, "inconclusive")


def of_pairs(pairs: int) -> CellResult:
    return a_cell_result(
        "int8", comparison=replace(a_comparison(0.5, half=0.2, verdict=Verdict.INCONCLUSIVE), pairs=pairs)
    )


@pytest.mark.parametrize(("pairs", "words"), [(1, "1 launch"), (4, "4 launches")])
def test_too_few_launches_for_a_verdict_are_the_first_caveat(pairs: int, words: str) -> None:
    choice = chosen(candidate(of_pairs(pairs)))
    assert caveats(choice, simulated=False)[0] == f"{words}: a verdict needs 8 or more"
    assert sentence(choice) == "float32, for want of launches: no variant can be told from it"


def test_enough_launches_are_no_caveat() -> None:
    choice = chosen(candidate(of_pairs(8)))
    assert (choice.launches, sentence(choice)) == (None, "float32: no variant is both clearly faster and trustworthy")


def test_launches_that_a_verdict_needs_are_those_of_the_signed_rank_test() -> None:
    assert [critical_value(pairs, 0.01) is None for pairs in (7, 8)] == [True, False]


def test_the_source_is_the_answer_where_nothing_is_faster() -> None:
    choice = chosen(candidate(a_cell_result("float16")), candidate(a_cell_result("int16x8")))
    assert (choice.state, sentence(choice)) == (
        State.SOURCE,
        "float32: no variant is both clearly faster and trustworthy",
    )


def test_a_source_that_stands_alone_beat_nobody() -> None:
    choice = chosen()
    assert (choice.state, sentence(choice)) == (State.SOURCE, "float32: only the model itself was measured")


def test_only_disturbed_numbers_make_a_tentative_answer() -> None:
    choice = chosen(candidate(a_cell_result("int8", grade="D")))
    assert choice.state is State.TENTATIVE
    assert "too disturbed to act on" in caveats(choice, simulated=False)[0]


def test_a_source_of_grade_d_makes_every_answer_tentative() -> None:
    assert chosen(candidate(a_cell_result("int8")), source_grade="D").state is State.TENTATIVE


def test_an_invalid_variant_is_not_even_tentative() -> None:
    good = a_cell_result("int8")
    assert isinstance(good.outcome, Measured)
    other = replace(good, outcome=Invalid(measurement=good.outcome.measurement, reasons=("elsewhere",)))
    assert chosen(candidate(other)).state is State.SOURCE


def test_nothing_measured_gives_no_answer() -> None:
    choice = choose([candidate(a_cell_result("float32", outcome=Failed(error="crash")))])
    assert (choice.state, choice.chosen) == (State.NOTHING, None)


def test_without_a_source_there_is_no_answer() -> None:
    lone = replace(a_cell_result("int8"), comparison=None)
    assert choose([candidate(lone)]).state is State.NOTHING


def test_variants_whose_intervals_overlap_are_named_as_ties() -> None:
    near = a_cell_result("uint8", comparison=a_comparison(0.414))
    choice = chosen(candidate(a_cell_result("int8")), candidate(near), candidate(a_cell_result("dynamic-int8")))
    assert names(choice.ties) == ["uint8"]


def test_a_much_smaller_variant_that_is_no_slower_is_named() -> None:
    fast = a_cell_result("int8", built=a_variant("int8", source_bytes=2_500_000))
    choice = chosen(candidate(fast), candidate(a_cell_result("dynamic-int8")))
    assert choice.smallest is not None
    assert choice.smallest.name == "dynamic-int8"


def test_a_slower_variant_is_never_the_smallest_answer() -> None:
    choice = chosen(candidate(a_cell_result("int16x8")))
    assert choice.smallest is None


def test_every_doubt_is_a_caveat() -> None:
    doubtful = a_cell_result(
        "int8",
        grade="C",
        grade_reasons=("canary 7 %",),
        built=a_variant("int8", notes=("calibrated on random inputs",)),
    )
    choice = chosen(candidate(doubtful, Quality.REDUCED, why="top1 0.94, source 0.98"), source_grade="B")
    assert caveats(choice, simulated=True) == (
        "simulated device: the times are made up",
        "grade C: canary 7 %",
        "the source has grade B",
        "outputs reduced: top1 0.94, source 0.98",
        "calibrated on random inputs",
    )


def test_what_the_source_shares_is_said_once() -> None:
    shared = "no sensor for temperature"
    source = candidate(a_cell_result("float32", grade="B", grade_reasons=(shared,)))
    choice = choose([source, candidate(a_cell_result("int8", grade="B", grade_reasons=(shared,)))])
    assert caveats(choice, simulated=False) == (f"grade B: {shared}",)


def test_what_the_device_says_for_all_cells_is_no_caveat_again() -> None:
    shared = "no sensor for temperature"
    source, fast = (
        replace(candidate(a_cell_result(name, grade="B", grade_reasons=(shared,))), said=(shared,))
        for name in ("float32", "int8")
    )
    assert caveats(choose([source, fast]), simulated=False) == ()


def test_random_weights_are_a_caveat() -> None:
    choice = chosen(candidate(a_cell_result("int8"), Quality.MEANINGLESS))
    assert caveats(choice, simulated=False) == ("random weights: fidelity is not meaningful",)


def test_the_sentence_names_ratio_interval_and_size() -> None:
    choice = chosen(candidate(a_cell_result("int8")))
    assert sentence(choice).startswith("int8 takes 0.410")
    assert sentence(choice).endswith("the time of float32, 28 % of its size")


def unmeasured(
    *qualities: Quality, variants: tuple[str, ...] = ("float32", "float16", "int8", "sparse-75+int8")
) -> Choice:
    cells = some_unmeasured_cells(variants)
    why = "top1 0.969, source 0.975 (n = 360)"
    return choose(
        [candidate(cell, quality, why=why) for cell, quality in zip(cells, (Quality.KEPT, *qualities), strict=True)]
    )


def test_what_the_plan_skipped_is_unmeasured_with_the_reason() -> None:
    choice = unmeasured(Quality.KEPT, Quality.KEPT, Quality.BROKEN)
    assert (choice.state, choice.chosen, choice.skipped) == (State.UNMEASURED, None, NO_DEVICE)


def test_unmeasured_names_the_smallest_whose_outputs_are_kept() -> None:
    assert sentence(unmeasured(Quality.KEPT, Quality.REDUCED, Quality.BROKEN)) == (
        f"not measured: {NO_DEVICE}; the smallest whose outputs are kept is float16, 51 % of float32's size"
    )


def test_without_labels_outputs_agree_and_are_not_called_kept() -> None:
    choice = unmeasured(Quality.KEPT, Quality.REDUCED, Quality.BROKEN)
    assert choice.smallest is not None
    variant = choice.smallest.result.variant
    assert variant is not None
    cell = dataclasses.replace(choice.smallest.result, variant=dataclasses.replace(variant, accuracy=None))
    bare = dataclasses.replace(choice, smallest=dataclasses.replace(choice.smallest, result=cell))
    assert "the smallest whose outputs agree with the source's is float16" in sentence(bare)


def test_unmeasured_outputs_are_labelled_with_what_computed_them() -> None:
    choice = unmeasured(Quality.KEPT, Quality.KEPT, Quality.BROKEN)
    assert caveats(choice, simulated=False) == (f"int8: top1 0.969, source 0.975 (n = 360), computed by {LINUX}",)


def test_unmeasured_without_kept_outputs_names_nothing() -> None:
    choice = unmeasured(Quality.REDUCED, Quality.BROKEN, Quality.BROKEN)
    assert choice.smallest is None
    assert sentence(choice) == f"not measured: {NO_DEVICE}; no smaller variant has its outputs kept"


def test_a_variant_as_large_as_the_source_is_not_the_smallest() -> None:
    assert unmeasured(Quality.KEPT, variants=("float32", "sparse-50")).smallest is None


@pytest.mark.parametrize(
    ("quality", "said", "caveat"),
    [
        (Quality.MEANINGLESS, "the smallest is int8", "random weights: fidelity is not meaningful"),
        (Quality.UNKNOWN, "the smallest of unknown fidelity is int8", "fidelity unknown: top1 0.969"),
    ],
)
def test_unmeasured_of_unknown_fidelity_says_so(quality: Quality, said: str, caveat: str) -> None:
    choice = unmeasured(quality, variants=("float32", "int8"))
    assert said in sentence(choice)
    assert caveats(choice, simulated=False)[0].startswith(caveat)


def test_unmeasured_says_what_to_know_of_the_smallest() -> None:
    source, small = some_unmeasured_cells(("float32", "int8"))
    assert small.variant is not None
    noted = replace(small, variant=replace(small.variant, notes=("calibrated on random inputs",)))
    choice = choose([candidate(source), candidate(noted)])
    assert caveats(choice, simulated=False)[-1] == "calibrated on random inputs"


def test_a_failure_among_what_was_skipped_is_no_plan() -> None:
    skipped = some_unmeasured_cells(("float32", "float16"))
    choice = choose([*map(candidate, skipped), candidate(a_cell_result("int8", outcome=Failed(error="crash")))])
    assert (choice.state, sentence(choice)) == (
        State.NOTHING,
        "no answer: nothing was measured that compares with the source",
    )


def test_where_nothing_was_built_there_is_no_answer() -> None:
    skipped = [replace(cell, variant=None) for cell in some_unmeasured_cells()]
    assert choose([candidate(cell) for cell in skipped]).state is State.NOTHING
