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
        (told("xnnpack", False, 64, 65), "XNNPACK 64/65 in 1", "full"),
        (told(None, False, 0, 65, 0), "none", "none"),
        (told("webgpu", True), "WebGPU, all", "full"),
        (told("webgpu", False), "WebGPU, in part", "partly"),
        (told("vendor", True, 3, 3), "vendor 3/3", "full"),
        (told(None, None), "unknown", "unknown"),
    ],
)
def test_a_delegation_in_words(delegation: Delegation, words: str, extent: str) -> None:
    assert (delegate_words(asdict(delegation)), delegate_extent(asdict(delegation))) == (words, extent)


def test_what_the_runtime_does_not_say_is_unknown() -> None:
    assert (delegate_words(None), delegate_extent(None)) == ("unknown", "unknown")


def test_a_usual_cell_has_no_mark() -> None:
    cell = a_told_cell_result(api=Api.COMPILED_MODEL, delegation=told("xnnpack", True, 65, 65))
    assert marks(document(a_campaign_result([cell]))) == []


def test_a_cell_without_delegate_is_marked() -> None:
    cell = a_told_cell_result(delegation=told(None, False, 0, 65, 0))
    assert marks(document(a_campaign_result([cell]))) == ["no delegate", "Interpreter"]


def test_a_cell_of_which_nothing_is_known_has_no_mark() -> None:
    assert marks(document(a_campaign_result([a_cell_result()]))) == []


def marks(made: dict[str, list[dict[str, object]]]) -> list[str]:
    return cell_marks(made["cells"][0])
