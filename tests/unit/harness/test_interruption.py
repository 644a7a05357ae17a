"""Being asked to end."""

import signal

import pytest

from harness.core.interruption import Interruption


def test_signal_is_taken_down_and_raised_at_the_next_safe_point_once() -> None:
    interruption = Interruption()
    interruption.check()
    interruption(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interruption.check()
    interruption.check()


def test_impatient_second_signal_changes_nothing() -> None:
    now = [0.0]
    interruption = Interruption(lambda: now[0])
    interruption(signal.SIGINT, None)
    now[0] = 1.0
    interruption(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interruption.check()


def test_second_signal_raises_where_the_first_was_not_heard() -> None:
    now = [0.0]
    interruption = Interruption(lambda: now[0])
    interruption(signal.SIGINT, None)
    now[0] = 4.0
    with pytest.raises(KeyboardInterrupt):
        interruption(signal.SIGTERM, None)
    interruption(signal.SIGTERM, None)
