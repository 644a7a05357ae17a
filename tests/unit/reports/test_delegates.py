"""How much a delegate took, in words."""

from dataclasses import asdict

import pytest

from harness.core.launch import Api, Delegation
from reports.delegates import cell_marks, delegate_extent, delegate_words
from reports.view import document
from tests.support.results import a_campaign_result, a_cell_result, a_told_cell_result


def told(
    delegate: str | None, full: bool | None, taken: int | None = None, total: int | None = None, pieces: int | None = 1
) -> Delegation:
    return Delegation(delegate=delegate, full=full, taken=taken, total=total, partitions=pieces)


@pytest.mark.parametrize(
    ("delegation", "words", "extent"),
    [
        (told("xnnpack", True, 65, 65), "XNNPACK 65/65", "full"),
        (told("xnnpack", False, 48, 65, 18), "XNNPACK 48/65 in 18", "partly"),
        (told("xnnpack", False, 64, 65), "XNNPACK 64/65 in 1", "partly"),
        (told(None, False, 0, 65, 0), "none", "none"),
        (told("webgpu", True), "WebGPU, all", "full"),
        (told("webgpu", False), "not all in WebGPU", "partly"),
        (told(None, False), "not all in a delegate", "partly"),
        (told("metal", True), "Metal, all", "full"),
        (told("dispatch", True, 5, 5), "NPU dispatch 5/5", "full"),
        (told("vendor", True, 3, 3), "vendor 3/3", "full"),
        (told(None, None), "unknown", "unknown"),
    ],
)
def test_a_delegation_in_words(delegation: Delegation, words: str, extent: str) -> None:
    assert both(asdict(delegation)) == (words, extent)


def both(delegation: dict[str, object] | None, unit: str = "cpu") -> tuple[str, str]:
    cell = {"delegation": delegation, "compute_unit": unit}
    return delegate_words(cell), delegate_extent(cell)


@pytest.mark.parametrize("delegation", [told(None, False), told(None, False, 0, 65, 0)])
@pytest.mark.parametrize("unit", ["cpu/builtin", "cpu/builtin:4"])
def test_builtin_kernels_that_were_asked_for_are_said(delegation: Delegation, unit: str) -> None:
    assert both(asdict(delegation), unit) == ("builtin kernels", "none")


def test_what_the_runtime_does_not_say_is_unknown() -> None:
    assert both(None) == ("unknown", "unknown")


def test_a_usual_cell_has_no_mark() -> None:
    cell = a_told_cell_result(api=Api.COMPILED_MODEL, delegation=told("xnnpack", True, 65, 65))
    assert marks(document(a_campaign_result([cell]))) == []


def test_a_cell_without_delegate_is_marked() -> None:
    cell = a_told_cell_result(delegation=told(None, False, 0, 65, 0))
    assert marks(document(a_campaign_result([cell]))) == ["no delegate", "Interpreter"]


def test_a_delegate_that_left_one_operator_is_marked() -> None:
    cell = a_told_cell_result(api=Api.COMPILED_MODEL, delegation=told("xnnpack", False, 64, 65))
    assert marks(document(a_campaign_result([cell]))) == ["XNNPACK 64/65 in 1"]


def test_a_cell_of_which_nothing_is_known_has_no_mark() -> None:
    assert marks(document(a_campaign_result([a_cell_result()]))) == []


def marks(made: dict[str, list[dict[str, object]]]) -> list[str]:
    return cell_marks(made["cells"][0])
