"""Everything that the table of docs/reliability.md says of phones: the real adb, an emulated phone, a real LiteRT.

Each test looks at the same four things: what the user is told, that the neighbour's part is complete, that a resume
makes the phone's part whole with no launch lost or doubled, and that nothing is left running or switched on there.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.families.android_folder import FOLDER
from harness.core.launch import FailureKind
from tests.support.fault_bench import WAIT_S, Moment
from tests.support.faults import proves
from tests.support.phone_fault_bench import PhoneFaultBench, a_phone_bench
from tests.support.phones import SERIAL
from tests.support.waiting import until

pytestmark = [pytest.mark.waits, pytest.mark.thorough]

ROOT = Path(__file__).parents[2]
FIRST_SAVED = Moment(step="saved")


@pytest.fixture
def bench(tmp_path: Path, port: int) -> Iterator[PhoneFaultBench]:
    with a_phone_bench(tmp_path, port) as one:
        yield one


@proves("phone_rebooted_in_launch")
def test_a_phone_that_restarts_in_a_launch_costs_the_block_another_try(bench: PhoneFaultBench) -> None:
    assert bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.reboot)) == ()
    assert bench.failures() == []
    bench.check_survived()


@proves("phone_link_broken_in_launch")
def test_a_connection_that_breaks_in_a_launch_costs_the_block_another_try(bench: PhoneFaultBench) -> None:
    assert bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.drop)) == ()
    assert bench.failures() == []
    bench.check_survived()


@proves("phone_gone_in_launch")
def test_a_phone_that_stays_away_is_given_up(bench: PhoneFaultBench) -> None:
    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.cut))
    bench.bed.phone.restore()
    bench.check_resumed(given_up, bench.bed.phone.address, bench.heal)


@proves("phone_offline")
def test_a_phone_that_is_offline_is_given_up(bench: PhoneFaultBench) -> None:
    def fall_silent() -> None:
        bench.bed.phone.is_mute = True
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(fall_silent))
    bench.check_resumed(given_up, bench.bed.phone.address, bench.heal)


@proves("phone_unauthorised")
def test_a_phone_that_takes_its_authorisation_back_is_given_up(bench: PhoneFaultBench) -> None:
    def revoke() -> None:
        bench.bed.phone.is_authorised = False
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(revoke))
    bench.check_resumed(given_up, "accept the prompt", bench.heal)


@proves("phone_killed_by_system")
def test_a_launch_that_the_system_kills_costs_itself(bench: PhoneFaultBench) -> None:
    assert bench.run(at=Moment(step="saved", number=1), strike=bench.in_launch(bench.kill_launch)) == ()
    (failure,) = bench.failures()
    assert failure.kind is FailureKind.CRASH
    assert "the system killed it (exit code 137)" in failure.message
    bench.check_survived()


@proves("phone_full")
def test_a_full_phone_is_given_up_and_a_resume_needs_only_space(bench: PhoneFaultBench) -> None:
    def fill() -> None:
        bench.bed.phone.quota = 1

    given_up = bench.run(at=FIRST_SAVED, strike=fill)
    assert bench.failures() == []
    bench.bed.phone.quota = None
    bench.check_resumed(given_up, f"no space is left on the phone ({FOLDER}/files/", bench.heal)


@proves("phone_replaced")
def test_another_phone_at_the_address_is_not_measured_on(bench: PhoneFaultBench) -> None:
    properties = bench.bed.state / "properties"
    ours = properties.read_text()

    def replace_it() -> None:
        properties.write_text(ours.replace(SERIAL, "OTHER"))
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(replace_it))
    properties.write_text(ours)
    bench.check_resumed(given_up, f"another phone answers at its address (serial OTHER, it was {SERIAL})", bench.heal)


@proves("two_hosts_phone")
def test_a_phone_that_another_host_measures_on_is_not_measured_on(bench: PhoneFaultBench, tmp_path: Path) -> None:
    other = replace(bench.bed, leases=tmp_path / "of another host")
    other.leases.mkdir()
    with other.open():
        given_up = bench.run()
    bench.check_resumed(given_up, "has measured on it for", bench.heal)


@proves("host_killed_over_adb")
def test_a_host_that_is_killed_leaves_nothing_on_the_phone(bench: PhoneFaultBench) -> None:
    adb = bench.bed.spec.adb
    assert adb is not None
    words = ("-m", "tests.support.phone_fault_host", bench.folder, adb.address, adb.server_port)
    with subprocess.Popen((sys.executable, *map(str, words)), cwd=ROOT, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "hangs\n"
        host.kill()
    until(lambda: not bench.bed.phone.pids, WAIT_S)
    assert bench.run() == ()
    bench.check_survived()
