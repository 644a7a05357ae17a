"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

from harness.core.deadline import Deadline


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Look until it holds. Fails where it does not in that time."""
    deadline = Deadline(seconds)
    while not holds():
        assert not deadline.expired, f"it did not happen in {seconds:g} s"
        time.sleep(0.02)
