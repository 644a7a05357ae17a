"""Builds use one thread each."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from harness.variants.one_thread import one_thread


def pools() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info()]


def test_every_pool_has_one_thread_inside_and_its_own_again_afterwards() -> None:
    before = pools()
    assert before
    with one_thread():
        assert set(pools()) == {1}
    assert pools() == before


def test_libraries_that_are_loaded_later_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with one_thread():
        assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("1", "1")
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
