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
from tests.support.fault_bench import NEIGHBOUR, WAIT_S, Moment
from tests.support.faults import proves
from tests.support.phone_fault_bench import PHONE, PhoneFaultBench, a_phone_bench
from tests.support.phones import SERIAL, an_adb_server
from tests.support.waiting import until

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]
FIRST_SAVED = Moment(step="saved")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One adb server for all of them."""
    with an_adb_server(tmp_path_factory.mktemp("adb") / "home") as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, port: int) -> Iterator[PhoneFaultBench]:
    with a_phone_bench(tmp_path, port) as one:
        yield one


def check_survived(bench: PhoneFaultBench) -> None:
    bench.check_whole()
    bench.check_nothing_left()


def check_resumed(bench: PhoneFaultBench, given_up: tuple[str, ...], words: str) -> None:
    """The phone was given up with these words, the neighbour was not, and a resume does the rest."""
    (reason,) = given_up
    assert reason.startswith(PHONE)
    assert words in reason
    assert "\n" not in reason
    assert bench.missing(NEIGHBOUR) == {}
    assert bench.missing(PHONE) != {}
    bench.bed.phone.is_mute, bench.bed.phone.is_authorised = False, True
    bench.bed.phone.drop()
    assert bench.run() == ()
    check_survived(bench)


@proves("phone_rebooted_in_launch")
def test_a_phone_that_restarts_in_a_launch_costs_the_block_another_try(bench: PhoneFaultBench) -> None:
    assert bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.reboot)) == ()
    assert bench.failures() == []
    check_survived(bench)


@proves("phone_link_broken_in_launch")
def test_a_connection_that_breaks_in_a_launch_costs_the_block_another_try(bench: PhoneFaultBench) -> None:
    assert bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.drop)) == ()
    assert bench.failures() == []
    check_survived(bench)


@proves("phone_gone_in_launch")
def test_a_phone_that_stays_away_is_given_up(bench: PhoneFaultBench) -> None:
    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(bench.bed.phone.cut))
    bench.bed.phone.restore()
    check_resumed(bench, given_up, bench.bed.phone.address)


@proves("phone_offline")
def test_a_phone_that_is_offline_is_given_up(bench: PhoneFaultBench) -> None:
    def fall_silent() -> None:
        bench.bed.phone.is_mute = True
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(fall_silent))
    check_resumed(bench, given_up, bench.bed.phone.address)


@proves("phone_unauthorised")
def test_a_phone_that_takes_its_authorisation_back_is_given_up(bench: PhoneFaultBench) -> None:
    def revoke() -> None:
        bench.bed.phone.is_authorised = False
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(revoke))
    check_resumed(bench, given_up, "accept the prompt")


@proves("phone_killed_by_system")
def test_a_launch_that_the_system_kills_costs_itself(bench: PhoneFaultBench) -> None:
    assert bench.run(at=Moment(step="saved", number=1), strike=bench.in_launch(bench.kill_launch)) == ()
    (failure,) = bench.failures()
    assert failure.kind is FailureKind.CRASH
    assert "the system killed it (exit code 137)" in failure.message
    check_survived(bench)


@proves("phone_full")
def test_a_full_phone_is_given_up_and_a_resume_needs_only_space(bench: PhoneFaultBench) -> None:
    def fill() -> None:
        bench.bed.phone.quota = 1

    given_up = bench.run(at=FIRST_SAVED, strike=fill)
    assert bench.failures() == []
    bench.bed.phone.quota = None
    check_resumed(bench, given_up, f"no space is left on the phone ({FOLDER}/files/")


@proves("phone_replaced")
def test_another_phone_at_the_address_is_not_measured_on(bench: PhoneFaultBench) -> None:
    properties = bench.bed.state / "properties"
    ours = properties.read_text()

    def replace_it() -> None:
        properties.write_text(ours.replace(SERIAL, "OTHER"))
        bench.bed.phone.drop()

    given_up = bench.run(at=FIRST_SAVED, strike=bench.in_launch(replace_it))
    properties.write_text(ours)
    check_resumed(bench, given_up, f"another phone answers at its address (serial OTHER, it was {SERIAL})")


@proves("two_hosts_phone")
def test_a_phone_that_another_host_measures_on_is_not_measured_on(bench: PhoneFaultBench, tmp_path: Path) -> None:
    other = replace(bench.bed, leases=tmp_path / "of another host")
    other.leases.mkdir()
    with other.open():
        given_up = bench.run()
    check_resumed(bench, given_up, "has measured on it for")


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
    check_survived(bench)
