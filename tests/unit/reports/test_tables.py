"""The shapes of the report's tables."""

from dataclasses import replace
from typing import Any

from harness.core.outcome import Failed
from reports.tables import broken_variants, cell_words, groups, matrices, outcome_counts, pareto_front, unplanned
from reports.view import document
from tests.support.results import (
    NO_DEVICE,
    a_campaign_result,
    a_cell_result,
    a_rich_campaign_result,
    a_variant,
    some_cells,
    some_unmeasured_cells,
)

RICH = document(a_rich_campaign_result())


def cells(*variants: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(a_campaign_result(some_cells(variants, ["cpu"])))["cells"]
    return found


def test_there_is_a_matrix_for_each_model() -> None:
    assert [matrix.model["model"] for matrix in matrices(RICH)] == ["digits", "mobilenet_v2"]


def test_the_source_is_the_first_row() -> None:
    made = document(a_campaign_result(some_cells(["int8", "float32"], ["cpu"])))
    assert [row.variant for row in matrices(made)[0].rows] == ["float32", "int8"]


def test_a_cell_that_was_not_planned_is_an_empty_place() -> None:
    made = document(a_campaign_result([a_cell_result("float32"), a_cell_result("int8", unit="cpu/builtin")]))
    assert [[cell is None for cell in row.cells] for row in matrices(made)[0].rows] == [[False, True], [True, False]]


def test_variants_that_were_not_built_stand_with_their_model() -> None:
    assert [failed["name"] for failed in matrices(RICH)[1].not_built] == ["palette-9"]


def test_a_row_takes_its_size_from_a_cell_that_knows_it() -> None:
    failed = a_cell_result("int8", outcome=Failed(error="crash"))
    made = document(a_campaign_result([failed, a_cell_result("int8", unit="cpu/builtin")]))
    assert matrices(made)[0].rows[0].first["size_bytes"] == 70_000


def test_the_front_leaves_out_what_is_beaten_in_both() -> None:
    found = cells("float32", "float16", "dynamic-int8", "int8", "weight-int8")
    front = pareto_front(found)
    assert [cell["variant"] for cell in found if cell["id"] in front] == ["int8", "weight-int8"]


def test_broken_outputs_are_not_on_the_front() -> None:
    broken = a_cell_result("int8", built=a_variant("int8", accuracy=0.1))
    found = document(a_campaign_result([a_cell_result("float32"), broken]))["cells"]
    assert pareto_front(found) == {found[0]["id"]}


def test_a_place_that_compares_with_nothing_has_its_median_alone() -> None:
    (cell,) = document(a_campaign_result([replace(a_cell_result("int8"), comparison=None)]))["cells"]
    assert cell_words(cell, verdicts={}, grade="[{}]")[0].endswith("ms")


def test_a_place_of_the_matrix_in_words() -> None:
    source, other = cells("float32", "int8")
    words = {"faster": "FAST"}
    assert cell_words(source, verdicts=words, grade="<{}>")[-1] == "<A>"
    assert cell_words(other, verdicts=words, grade="<{}>")[:2] == ["0.410\u00d7", "FAST"]
    assert cell_words(None, verdicts=words, grade="<{}>") == []


def test_a_broken_variant_is_listed_once() -> None:
    assert [cell["variant"] for cell in broken_variants(RICH)] == ["sparse-75+int8"]


def test_groups_are_model_device_and_unit() -> None:
    assert len(groups(RICH)) == 6


def test_outcomes_are_counted() -> None:
    assert outcome_counts(RICH) == {"measured": 52, "invalid": 1, "failed": 1, "skipped": 0}


def test_what_plan_and_device_both_leave_out_is_listed_once() -> None:
    device = {
        "name": "local",
        "exclusions": [{"what": "gpu", "reason": "none found"}, {"what": "npu", "reason": "none"}],
    }
    planned = [{"what": "local: gpu", "reason": "none found"}]
    assert unplanned([device], planned) == [{"what": "local: npu", "reason": "none"}]


def test_a_column_that_the_plan_left_out_has_one_reason() -> None:
    cells = (
        *some_cells(("float32", "int8"), ["cpu"]),
        *some_unmeasured_cells(("float32", "int8"), model="digits", device="mac"),
    )
    assert matrices(document(a_campaign_result(cells)))[0].skipped == (None, NO_DEVICE)


def test_a_column_with_a_place_that_was_not_planned_has_no_reason() -> None:
    cells = (
        *some_cells(("float32", "int8"), ["cpu"]),
        *some_unmeasured_cells(("float32",), model="digits", device="mac"),
    )
    assert matrices(document(a_campaign_result(cells)))[0].skipped == (None, None)
