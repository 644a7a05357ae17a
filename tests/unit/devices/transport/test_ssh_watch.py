"""The deadlines of a connection, which one thread watches."""

import threading
from contextlib import ExitStack

from devices.transport.ssh_watch import Watch
from harness.core.deadline import Deadline
from tests.support.waiting import until

SOON, LATER = 0.05, 600.0


def test_a_deadline_that_passes_cuts_and_is_marked() -> None:
    cut = threading.Event()
    with Watch(cut.set).until(Deadline(SOON)) as bound:
        assert cut.wait(20.0)
    assert bound.expired


def test_what_ends_in_time_cuts_nothing_when_another_is_late() -> None:
    cuts: list[str] = []
    watch = Watch(lambda: cuts.append("cut"))
    with watch.until(Deadline(SOON / 5)) as early:
        pass
    with watch.until(Deadline(SOON)) as late:
        until(lambda: late.expired)
    until(lambda: cuts)
    assert (early.expired, cuts) == (False, ["cut"])


def test_a_nearer_deadline_is_not_kept_waiting_by_a_further_one() -> None:
    cut = threading.Event()
    watch = Watch(cut.set)
    with watch.until(Deadline(LATER)) as further, watch.until(Deadline(SOON)) as nearer:
        assert cut.wait(20.0)
    assert (nearer.expired, further.expired) == (True, False)


def test_all_deadlines_share_one_thread() -> None:
    watch, before = Watch(lambda: None), threading.active_count()
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(watch.until(Deadline(LATER)))
        assert threading.active_count() == before + 1


def test_a_watch_that_is_idle_has_no_thread_and_starts_one_again() -> None:
    cut = threading.Event()
    watch, before = Watch(cut.set, idle_s=SOON), threading.active_count()
    with watch.until(Deadline(LATER)):
        assert threading.active_count() == before + 1
    with watch.until(Deadline(SOON)):
        assert cut.wait(20.0)
    until(lambda: threading.active_count() == before)
    cut.clear()
    with watch.until(Deadline(SOON)):
        assert cut.wait(20.0)
