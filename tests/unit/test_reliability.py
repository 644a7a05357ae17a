"""The table of faults is the manual's, and each row has its test."""

import pytest

from tests.integration import (  # noqa: F401  (importing them marks what they prove)
    test_faults,
    test_kill_every_step,
    test_phone_faults,
    test_ssh_faults,
    test_store_faults,
)
from tests.support.faults import DOCUMENT, FAULTS, PROVEN, document


def test_the_manual_has_the_table_of_the_code() -> None:
    stored = DOCUMENT.read_text(encoding="utf-8")
    assert stored == document(stored), "run: python -m tests.support.faults"


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_proven_by_a_test(name: str) -> None:
    assert name in PROVEN
