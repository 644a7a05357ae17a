"""A thread that tells an agent that its host lives."""

import threading

from devices.runtimes.keep_alive import KeepAlive
from harness.core.errors import DeviceLost


def test_it_says_so_again_and_again_until_it_is_stopped() -> None:
    said = threading.Semaphore(0)
    alive = KeepAlive(lambda: said.release(), interval_s=0.01)
    assert all(said.acquire(timeout=10) for _ in range(3))
    alive.stop()
    alive._thread.join(10)
    assert not alive._thread.is_alive()


def test_it_ends_with_the_connection() -> None:
    def lost() -> None:
        raise DeviceLost("board", "gone")

    alive = KeepAlive(lost, interval_s=0.01)
    alive._thread.join(10)
    assert not alive._thread.is_alive()
