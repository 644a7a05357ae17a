"""A short run of `make fuzz`: models damaged at random go through load, variants and launches of one campaign."""

from pathlib import Path

import pytest

from tests.fuzz.campaign import throw
from tests.fuzz.sources import sources

COUNT, SEED = 48, 20_261_120


pytestmark = pytest.mark.thorough


def test_damaged_models_end_as_measured_or_failed_with_one_line_each(tmp_path: Path) -> None:
    survived = throw(sources(), tmp_path, count=COUNT, seed=SEED)
    assert survived.faults == ()
    assert sum(survived.ends.values()) == COUNT
    assert {"measured", "failed", "unreadable"} <= set(survived.ends)
