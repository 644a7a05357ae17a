"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import TypeVar

from harness.core.deadline import Deadline

T = TypeVar("T")


def until(find: Callable[[], T], seconds: float = 20.0) -> T:
    """Look until what is found is true, and answer it. Fails where it is not in that time."""
    deadline = Deadline(seconds)
    while not (found := find()):
        assert not deadline.expired, f"it did not happen in {seconds:g} s"
        time.sleep(0.02)
    return found
