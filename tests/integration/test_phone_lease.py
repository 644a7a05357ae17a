"""Two hosts that want one phone: the real adb, and a phone whose programs wait where a test wants them to."""

import shutil
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from devices.families.android_lease import PhoneLease
from devices.transport.adb import AdbTransport
from harness.core.errors import DeviceBusy
from tests.support.phones import Bed
from tests.support.waiting import until

pytestmark = pytest.mark.waits

_PROGRAMS = ("mkdir", "flock", "cut", "cat", "rm", "mv")
# Counts down, and waits at 0. One that finds the lock taken leaves a mark.
_SLOW = """#!/bin/sh
state=$ANDROID_ROOT/state
if [ -e "$state/steps" ]; then
  read -r left < "$state/steps"
  if [ "$left" = 0 ]; then
    {rm} "$state/steps"; : > "$state/waits"
    while [ ! -e "$state/go" ]; do sleep 0.01; done
  else echo $((left - 1)) > "$state/steps"; fi
fi
{program} "$@"; c=$?
[ {name} != flock ] || [ $c = 0 ] || : > "$state/locked_out"
exit $c
"""


@pytest.fixture(autouse=True)
def slow_programs(bed: Bed) -> None:
    for name in _PROGRAMS:
        program = bed.phone.root / "system/bin" / name
        program.write_text(_SLOW.format(rm=shutil.which("rm"), program=shutil.which(name), name=name))
        program.chmod(0o755)


def a_host(bed: Bed) -> PhoneLease:
    assert bed.spec.adb is not None
    return PhoneLease(AdbTransport(bed.spec.name, bed.spec.adb))


def leave_a_stale_lease(bed: Bed) -> None:
    """Of a host that is gone, whose time is over."""
    uptime, lease = bed.phone.root / "proc/uptime", bed.folder / "lease"
    if not (bed.folder / "stale").exists():
        uptime.write_text("5000.00 1.00\n")
        a_host(bed).take()
        lease.rename(bed.folder / "stale")
        uptime.write_text("9000.00 1.00\n")
    shutil.rmtree(lease, ignore_errors=True)
    shutil.copytree(bed.folder / "stale", lease)


def take(lease: PhoneLease) -> bool:
    try:
        lease.take()
    except DeviceBusy:
        return False
    return True


def holder(bed: Bed) -> str:
    """Its token, as it stands on the phone."""
    return (bed.folder / "lease/token").read_text().strip()


def clear(bed: Bed) -> None:
    for name in ("steps", "waits", "go", "locked_out"):
        (bed.state / name).unlink(missing_ok=True)


def interleave(bed: Bed, first: PhoneLease, second: PhoneLease, step: int) -> tuple[bool, bool] | None:
    """The first host stops before its program number `step`, the second goes as far as it can, then both go on.

    Who got the lease; None where the first one has not so many steps.
    """
    clear(bed)
    (bed.state / "steps").write_text(f"{step}\n")
    with ThreadPoolExecutor() as pool:
        one: Future[bool] = pool.submit(take, first)
        try:
            until(lambda: one.done() or (bed.state / "waits").exists())
            if not (bed.state / "waits").exists():
                assert one.result()
                return None
            two = pool.submit(take, second)
            until(lambda: two.done() or (bed.state / "locked_out").exists())
        finally:
            (bed.state / "go").touch()
        return one.result(), two.result()


def test_of_two_hosts_that_break_a_stale_lease_one_gets_it_wherever_the_other_is(bed: Bed) -> None:
    steps = 0
    while True:
        leave_a_stale_lease(bed)
        first, second = a_host(bed), a_host(bed)
        got = interleave(bed, first, second, steps)
        clear(bed)
        if got is None:
            break
        assert sorted(got) == [False, True], steps
        winner, loser = (first, second) if got[0] else (second, first)
        assert holder(bed) == winner.token, steps
        with pytest.raises(DeviceBusy, match="lost to somebody else"):
            loser.keep()
        loser.give_back()
        assert holder(bed) == winner.token, steps
        steps += 1
    assert steps > 10


def test_a_host_that_ends_while_it_takes_the_lease_keeps_nobody_out(bed: Bed) -> None:
    """Its adb goes, and adbd ends what runs: of its lock nothing is left, and half a lease is none."""
    steps = 0
    while True:
        leave_a_stale_lease(bed)
        clear(bed)
        (bed.state / "steps").write_text(f"{steps}\n")
        first, second = a_host(bed), a_host(bed)
        with ThreadPoolExecutor() as pool:
            one = pool.submit(first.take)
            until(lambda: one.done() or (bed.state / "waits").exists())  # noqa: B023 (it is done before the next one)
            if not (bed.state / "waits").exists():
                break
            first.phone.close()
            assert one.exception() is not None
        until(lambda: not bed.phone.pids)
        clear(bed)
        assert take(second)
        assert holder(bed) == second.token
        steps += 1
    assert steps > 10


def test_a_phone_without_flock_has_a_lease_all_the_same(bed: Bed) -> None:
    """Android 7 and before."""
    (bed.phone.root / "system/bin/flock").write_text('#!/bin/sh\necho "sh: flock: not found" >&2\nexit 127\n')
    first, second = a_host(bed), a_host(bed)
    assert (take(first), take(second)) == (True, False)
    assert holder(bed) == first.token
