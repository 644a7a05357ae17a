"""Models that no attached device can run."""

from dataclasses import replace
from typing import Any

from harness.core.campaign import CellResult
from harness.core.outcome import Failed, Skipped
from reports.tables import matrices
from reports.unmeasured import Figures, figures, said, title
from reports.view import document
from tests.support.results import (
    LINUX,
    NO_DEVICE,
    a_campaign_result,
    a_cell_result,
    some_cells,
    some_unmeasured_cells,
)


def made_of(*cells: CellResult) -> dict[str, Any]:
    return document(a_campaign_result(cells))


def shown_of(*cells: CellResult) -> Figures | None:
    return figures(matrices(made_of(*cells))[0])


def texts(shown: Figures | None, place: int) -> dict[str, str]:
    assert shown is not None
    return dict(zip(shown.heads, (figure.text for figure in shown.rows[place][1]), strict=True))


def without_fidelity(cell: CellResult) -> CellResult:
    assert cell.variant is not None
    return replace(cell, variant=replace(cell.variant, fidelity=None))


def without_labels_or_target(cell: CellResult) -> CellResult:
    assert cell.variant is not None
    return replace(cell, variant=replace(cell.variant, target=None, accuracy=None))


def test_a_variant_has_a_figure_for_all_that_is_known_without_a_device() -> None:
    assert texts(shown_of(*some_unmeasured_cells()), 2) == {
        "size": "70.0 kB",
        "zip": "65.1 kB",
        "weights": "4 of 4",
        "SNR": "27.0 dB",
        "top-1 same": "96.9 %",
        "accuracy": "96.9 %",
        "target": "iOS18",
    }


def test_a_size_stands_with_its_share_of_the_source() -> None:
    shown = shown_of(*some_unmeasured_cells())
    assert shown is not None
    assert [found[0].note for _, found in shown.rows] == ["", "51 %", "28 %", "28 %"]


def test_outputs_that_are_the_source_s_are_identical() -> None:
    assert texts(shown_of(*some_unmeasured_cells()), 0)["SNR"] == "identical"


def test_a_column_of_which_nothing_is_known_is_left_out() -> None:
    shown = shown_of(*map(without_labels_or_target, some_unmeasured_cells()))
    assert shown is not None
    assert shown.heads == ("size", "zip", "weights", "SNR", "top-1 same")


def test_random_weights_have_no_fidelity_to_show() -> None:
    shown = shown_of(*some_unmeasured_cells(random_weights=True))
    assert shown is not None
    assert (shown.heads, title(shown)) == (("size", "zip", "weights", "target"), "sizes, not latencies")


def test_without_fidelity_it_is_unknown_and_the_title_names_sizes_alone() -> None:
    source, small = some_unmeasured_cells(("float32", "int8"))
    shown = shown_of(without_fidelity(source), without_fidelity(small))
    assert shown is not None
    assert title(shown) == "sizes, not latencies"
    assert texts(shown_of(source, without_fidelity(small)), 1)["SNR"] == "\N{EN DASH}"


def test_the_title_names_what_computed_the_outputs() -> None:
    shown = shown_of(*some_unmeasured_cells())
    assert shown is not None
    assert title(shown) == f"sizes and fidelity by {LINUX}, not latencies"


def test_a_reason_is_named_once_and_every_device_s_is() -> None:
    other = some_unmeasured_cells(device="board", reason="board runs .tflite alone")
    shown = shown_of(*some_unmeasured_cells(), *other)
    assert shown is not None
    assert shown.reasons == (NO_DEVICE, "board runs .tflite alone")


def test_a_model_measured_somewhere_stays_in_the_matrix_of_latencies() -> None:
    elsewhere = some_unmeasured_cells(model="digits", device="board")
    assert shown_of(*some_cells(("float32", "int8"), ["cpu"]), *elsewhere) is None


def test_a_model_that_failed_somewhere_stays_in_the_matrix_of_latencies() -> None:
    failed = a_cell_result("int8", model="program", outcome=Failed(error="crash"))
    assert shown_of(*some_unmeasured_cells(("float32",)), failed) is None


def test_a_model_of_which_nothing_was_built_has_no_figures() -> None:
    assert shown_of(*(replace(cell, variant=None) for cell in some_unmeasured_cells())) is None


def test_a_variant_that_was_refused_is_no_row_and_no_reason() -> None:
    source, small, other, _ = some_unmeasured_cells()
    refused = replace(other, variant=None, outcome=Skipped(reason="not for iOS15"))
    shown = shown_of(source, small, refused)
    assert shown is not None
    assert ([row.variant for row, _ in shown.rows], shown.reasons) == (["float32", "float16"], (NO_DEVICE,))


def test_what_is_said_of_the_model_is_not_said_of_other_models() -> None:
    made = made_of(*some_unmeasured_cells(), *some_cells(("float32", "int8"), ["cpu"]))
    assert said(made) == {("program", NO_DEVICE)}
