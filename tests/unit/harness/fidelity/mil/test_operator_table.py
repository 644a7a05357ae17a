"""Which operators the reference has, against coremltools' own registry."""

import re
from pathlib import Path

from harness.fidelity.mil.operators.table import FAMILIES
from harness.fidelity.mil.rounding import COMMUTES, KEEPS
from harness.fidelity.mil.translation import KNOWN
from harness.toolkit import import_coremltools

_LEFT_OUT = {"_const_symbolic"}
"""Of coremltools' core operators: never written to a file (docs/reference.md)."""

_OF_FILES = {"coreml_update_state", "write_state"}
"""Not among the core operators: a write to a state, as coremltools reads it and as a file has it."""

_DOCUMENT = Path(__file__).parents[5] / "docs" / "reference.md"


def _core() -> set[str]:
    import_coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    return set(SSAOpRegistry.core_ops)


def test_every_core_operator_is_known_or_left_out_by_name() -> None:
    assert _core() - KNOWN == _LEFT_OUT


def test_nothing_is_known_that_coremltools_does_not_have() -> None:
    assert KNOWN - _core() == _OF_FILES


def test_no_operator_is_in_two_families() -> None:
    names = [name for family in FAMILIES for name in family]
    assert len(names) == len(set(names))


def test_what_needs_no_rounding_are_operators() -> None:
    assert KEEPS <= KNOWN
    assert COMMUTES <= KEEPS


def test_the_document_names_what_is_left_out() -> None:
    (row,) = re.findall(r"^Left out: (.*)$", _DOCUMENT.read_text(), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == _LEFT_OUT
