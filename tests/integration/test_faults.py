"""Everything that the table of docs/reliability.md says of boards, host and link. A real sshd, a real agent, a real
LiteRT; the board is this machine, the network a proxy.

Each test looks at the same four things: what the user is told, that the neighbour's part is complete, that a resume
makes the board's part whole with no launch lost or doubled, and that nothing is left on the board.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import psutil
import pytest

from devices.runtimes.owner import Owner, tenure_words
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceRefused
from harness.core.launch import FailureKind
from tests.support.boards import board_spec
from tests.support.command import run_bench
from tests.support.fault_bench import BOARD, NEIGHBOUR, FaultBench, Moment, Struck, later, struck_bench
from tests.support.faults import proves
from tests.support.jumping_clock import JumpingClock
from tests.support.passwords import password_server
from tests.support.small_disk import ballast, fill, small_disk
from tests.support.sshd import make_key

pytestmark = [pytest.mark.waits, pytest.mark.thorough]

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
FIRST_SAVED, SECOND_BEGUN = Moment(step="saved"), Moment(step="begun", number=1)


@pytest.fixture
def struck(tmp_path: Path) -> Iterator[Struck]:
    with struck_bench(tmp_path) as one:
        yield one


@pytest.fixture
def bench(struck: Struck) -> FaultBench:
    return struck.bench


def kill_supervisors(struck: Struck) -> None:
    for pid in struck.supervisors():
        os.kill(pid, signal.SIGKILL)


def a_host(struck: Struck, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """The same campaign, driven by a process of its own, which says `begun` after the board's first launch."""
    bench = struck.bench
    words = ("-m", "tests.support.fault_host", bench.folder, bench.home, struck.proxy.port, struck.server.user)
    argv = (sys.executable, *map(str, words))
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables})


@proves("host_killed_over_ssh")
def test_a_host_that_is_killed_leaves_nothing_on_the_board(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    with a_host(struck, {}) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "begun\n"
        launched = bench.launch_pid("hang")
        host.kill()
    assert not psutil.pid_exists(launched) or psutil.Process(launched).wait(LIMIT_S) is None
    bench.check_nothing_left()
    assert bench.run() == ()
    bench.check_survived()


@pytest.mark.parametrize("seconds", [-18_000, 18_000])
@proves("clock_jumps_on_device")
def test_a_clock_that_jumps_on_the_board_is_in_the_grade_and_stops_nothing(tmp_path: Path, seconds: int) -> None:
    clock = JumpingClock(tmp_path)
    variables = [f"{name}={value}" for name, value in clock.variables.items()]
    with struck_bench(tmp_path, variables) as struck:
        bench = struck.bench
        bench.set_moods("well", "slowly")
        strike = later(lambda: clock.jump(seconds), lambda: bench.launch_pid("slowly"))
        assert bench.run(at=FIRST_SAVED, strike=strike) == ()
        bench.check_survived()
        assert bench.failures() == []
        assert any("clock" in reason for grade in bench.grades() for reason in grade.reasons)


@pytest.mark.parametrize("seconds", [-18_000, 18_000])
@proves("clock_jumps_on_host")
def test_a_clock_that_jumps_on_the_host_stops_nothing(struck: Struck, bench: FaultBench, seconds: int) -> None:
    clock = JumpingClock(bench.folder)
    with a_host(struck, clock.variables) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "begun\n"
        clock.jump(seconds)
        output, _ = host.communicate(timeout=LIMIT_S)
    assert (host.returncode, output.strip()) == (0, "")
    bench.check_survived()


@proves("supervisor_killed")
def test_a_supervisor_that_is_killed_costs_the_block_another_try(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    strike = later(lambda: kill_supervisors(struck), lambda: bench.launch_pid("hang"))
    assert bench.run(at=FIRST_SAVED, strike=strike) == ()
    assert bench.failures() == []
    bench.check_survived()


@pytest.mark.parametrize(
    ("mood", "kind", "words"),
    [
        ("out_of_memory", FailureKind.CRASH, "the process died by signal 9 (exit code 137)"),
        ("segfault", FailureKind.CRASH, "the process died by signal 11 (exit code 139)"),
        ("hang", FailureKind.DEADLINE, "killed: did not end in"),
        ("talk_forever", FailureKind.PROTOCOL, "killed: it said more than a launch has to say"),
        ("garbage", FailureKind.PROTOCOL, "killed: not a JSON line"),
    ],
)
@proves("launch_killed", "segfault", "hang", "endless_output", "garbage")
def test_a_bad_launch_costs_itself(bench: FaultBench, mood: str, kind: FailureKind, words: str) -> None:
    bench.set_moods("well", "well", mood)
    assert bench.run() == ()
    (failure,) = bench.failures()
    assert failure.kind is kind
    assert words in failure.message
    bench.check_survived()


@proves("link_reset_in_launch")
def test_a_connection_that_is_reset_in_a_launch_costs_the_block_another_try(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    strike = later(struck.proxy.reset, lambda: bench.launch_pid("hang"))
    assert bench.run(at=FIRST_SAVED, strike=strike) == ()
    assert bench.failures() == []
    bench.check_survived()


@proves("link_cut_in_launch")
def test_a_link_that_stays_cut_gives_the_board_up(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    strike = later(struck.proxy.cut, lambda: bench.launch_pid("hang"))
    struck.check_resumed(bench.run(at=FIRST_SAVED, strike=strike), "127.0.0.1")


@proves("link_stalls_in_launch")
def test_a_link_that_stays_stalled_gives_the_board_up(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    strike = later(struck.proxy.stall, lambda: bench.launch_pid("hang"))
    struck.check_resumed(bench.run(at=FIRST_SAVED, strike=strike), "127.0.0.1")


@proves("link_cut_and_restored")
def test_a_run_that_comes_back_to_life_is_fenced_off(struck: Struck, bench: FaultBench) -> None:
    """The old connections stay stalled, so that their agent lives on; new ones are fine."""
    bench.set_moods("well", "hang")
    old: list[int] = []

    def strike() -> None:
        old.extend(struck.supervisors())
        struck.proxy.abandon()

    assert bench.run(at=FIRST_SAVED, strike=later(strike, lambda: bench.launch_pid("hang"))) == ()
    assert len(old) == 1
    assert old[0] not in struck.supervisors()
    assert bench.failures() == []
    bench.check_survived()


@proves("link_slowed")
def test_a_slow_link_only_takes_longer(struck: Struck, bench: FaultBench) -> None:
    struck.proxy.weather.latency_s = 0.05
    assert bench.run() == ()
    bench.check_survived()


def cut_in_push(struck: Struck, *, for_good: bool) -> None:
    """After some of the second model's bytes, whatever else passes."""
    struck.proxy.weather.refusing = for_good
    struck.proxy.weather.cut_after = struck.proxy.passed + 200


@proves("link_reset_in_push")
def test_a_connection_that_is_reset_in_a_push_costs_the_block_another_try(struck: Struck, bench: FaultBench) -> None:
    def strike() -> None:
        cut_in_push(struck, for_good=False)
        later(struck.proxy.restore, lambda: struck.proxy.await_reset(LIMIT_S))()

    assert bench.run(at=Moment(step="begun"), strike=strike) == ()
    bench.check_survived()


@proves("link_cut_in_push")
def test_a_link_that_is_cut_in_a_push_gives_the_board_up(struck: Struck, bench: FaultBench) -> None:
    given_up = bench.run(at=Moment(step="begun"), strike=lambda: cut_in_push(struck, for_good=True))
    struck.check_resumed(given_up, "127.0.0.1")


@proves("sshd_killed")
def test_a_killed_sshd_gives_the_board_up(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")
    strike = later(struck.server.stop, lambda: bench.launch_pid("hang"))
    given_up = bench.run(at=FIRST_SAVED, strike=strike)
    struck.server.start()
    struck.check_resumed(given_up, "127.0.0.1")


@proves("two_hosts")
def test_a_board_that_another_host_measures_on_is_not_measured_on(struck: Struck, bench: FaultBench) -> None:
    owner = Owner(host="tower", user="ann", pid=7, purpose="campaign X", since=0.0, token="theirs")
    agent = next((bench.folder / "agents").glob("*.pyz"))
    lease = struck.server.folder / "leases" / "device.lock"
    words = (sys.executable, str(agent), "supervise", *tenure_words(str(lease), owner, None))
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as theirs:
        assert theirs.stdout is not None
        assert "hello" in theirs.stdout.readline()
        given_up = bench.run()
        theirs.communicate(timeout=LIMIT_S)
    struck.check_resumed(given_up, "ann@tower (campaign X, pid 7) has measured on it for")


@pytest.fixture
def board_disk(struck: Struck) -> Iterator[Path]:
    """Where the board keeps its files: 4 MB."""
    with small_disk(struck.bench.home / ".weighbridge", mebibytes=4) as folder:
        yield folder


@proves("device_full")
def test_a_full_disk_gives_the_board_up_and_a_resume_needs_only_space(struck: Struck, board_disk: Path) -> None:
    given_up = struck.bench.run(at=Moment(step="begun"), strike=lambda: fill(board_disk))
    ballast(board_disk).unlink()
    struck.check_resumed(given_up, "no space is left")


@proves("replaced")
def test_another_board_at_the_address_is_noticed(struck: Struck, bench: FaultBench) -> None:
    bench.set_moods("well", "hang")

    def strike() -> None:
        struck.server.stop()
        struck.server.become_another()
        struck.server.start()

    with bench.board() as board:
        strike()
        with pytest.raises(DeviceRefused, match="another"):
            board.canary()


def run_beside_a_neighbour(spec: DeviceSpec, folder: Path) -> CompletedProcess[str]:
    """A run of the command line over a board and a simulated device; its results are below folder."""
    address = spec.ssh
    assert address is not None
    board = {
        "name": BOARD,
        "kind": "ssh",
        "python": str(spec.python),
        **{key: str(value) for key, value in dataclasses.asdict(address).items() if value is not None},
        "port": address.port,
    }
    config = {
        "models": ["digits"],
        "variants": ["float32"],
        "devices": [board, {"name": NEIGHBOUR, "kind": "simulated"}],
        "measure": {"launches": 2, "inferences": 5, "cold_starts": 0},
    }
    path = folder / "bench.yaml"
    path.write_text(json.dumps(config))
    return run_bench("run", path, "--bench", folder / "bench", BOARD_PASSWORD="not this one")


def check_neighbour_measured(done: CompletedProcess[str], folder: Path) -> None:
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    shown = run_bench("report", "--format", "json", "-o", "-", "--bench", folder / "bench")
    outcomes = [(cell["device"], cell["outcome"]) for cell in json.loads(shown.stdout)["cells"]]
    assert {outcome for device, outcome in outcomes if device == NEIGHBOUR} == {"measured"}
    assert [outcome for device, outcome in outcomes if device == BOARD] == []


@proves("wrong_host_key")
def test_a_board_with_another_host_key_is_left_alone(struck: Struck, tmp_path: Path) -> None:
    spec = board_spec(struck.server, BOARD)
    assert spec.ssh is not None
    assert spec.ssh.known_hosts is not None
    make_key(tmp_path / "another")
    kind, key = (tmp_path / "another.pub").read_text().split()[:2]
    spec.ssh.known_hosts.write_text(f"[127.0.0.1]:{struck.server.port} {kind} {key}\n")
    done = run_beside_a_neighbour(spec, tmp_path)
    check_neighbour_measured(done, tmp_path)
    assert "ssh-keygen -R" in done.stdout + done.stderr
    assert not (struck.server.home / ".weighbridge").exists()


@proves("wrong_password")
def test_a_board_that_refuses_the_password_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "door").mkdir()
    with password_server(tmp_path / "door") as address:
        done = run_beside_a_neighbour(DeviceSpec(name=BOARD, kind="ssh", ssh=address), tmp_path)
    check_neighbour_measured(done, tmp_path)
    assert "BOARD_PASSWORD" in done.stdout + done.stderr
    assert "not this one" not in done.stdout + done.stderr
