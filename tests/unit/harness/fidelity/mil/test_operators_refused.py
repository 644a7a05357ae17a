"""Operations that no reference can have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ReferenceUnable
from harness.fidelity.mil.operators.random_values import TRANSLATIONS
from tests.support.mil_cases import case, counted, whole
from tests.support.mil_oracle import Array, measure

pytestmark = pytest.mark.thorough

RANDOM_VALUES: dict[str, Mapping[str, Array]] = {
    "random_bernoulli": {"shape": whole(2, 3)},
    "random_categorical": {"x": counted(2, 3)},
    "random_normal": {"shape": whole(2, 3)},
    "random_uniform": {"shape": whole(2, 3)},
}


@pytest.mark.parametrize("op", RANDOM_VALUES)
def test_random_values_are_refused_with_the_reason(op: str, tmp_path: Path) -> None:
    def expect(**_: Any) -> Array:  # noqa: ANN401 (never asked)
        return np.zeros(1)

    with pytest.raises(ReferenceUnable, match=f"{op}, whose values are random"):
        measure([case(op, expect, **RANDOM_VALUES[op])], tmp_path)


def test_every_random_operation_is_refused() -> None:
    assert set(TRANSLATIONS) == set(RANDOM_VALUES)
