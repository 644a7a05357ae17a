"""`cpu:N` for any N, in both of LiteRT's faces: XNNPACK gets as many threads, also more than there are cores."""

from pathlib import Path

import pytest

from tests.support import models
from tests.support.models import write_model
from tests.support.run_unit import run_unit

MANY = 19


@pytest.mark.parametrize("api", ["compiled-model", "interpreter"])
def test_the_threads_that_are_asked_for_are_there(api: str, tmp_path: Path) -> None:
    model = write_model(tmp_path, models.tiny_cnn())
    alone = run_unit(model, {"threads": 1}, api=api)["threads"]
    assert run_unit(model, {"threads": MANY}, api=api)["threads"] - alone == MANY - 1
