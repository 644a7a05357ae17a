"""A campaign over a board that things happen to and a neighbour to which nothing happens, and what came of it.

The board is this machine behind a real sshd and a proxy that plays the network: a double of a board, with the real
agent and a real LiteRT. Its campaign goes through the same calls as a run's and a resume's.
"""

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from devices.boards import Board, attach
from devices.device import AttachedDevice
from devices.opening import enter_devices
from devices.simulated import SimulatedDevice
from devices.transport.bundle import bundle_file
from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from harness.campaign import run_campaign
from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import Canary, SshAddress
from harness.core.judgement import Grade
from harness.core.launch import LaunchFailure, LaunchOutcome, MeasureSettings, Pass
from harness.core.ports import Device
from harness.journal import Journal
from harness.launching import Loadable
from harness.plan import Block, Plan, make_plan, schedule
from harness.results import assemble
from harness.sources.tflite import read_graph
from harness.store import BlockRecord, Store, StoredLaunch
from tests.support.campaigns import CAMPAIGN, a_built_variant, a_scenario, begin_simulated
from tests.support.models import tiny_cnn, write_model
from tests.support.plans import a_model, some_rules, some_wishes
from tests.support.sshd import Sshd, sshd
from tests.support.tcp_proxy import TcpProxy, proxy_to
from tests.support.waiting import until

BOARD, NEIGHBOUR = "board", "neighbour"
LAUNCHES = 2
SOON = Patience(connect_s=5.0, dead_s=2.0, silence_s=3.0, keepalive_s=1)
WAIT_S = 60.0
_QUICK = MeasureSettings(
    launches=LAUNCHES, inferences=5, warmup_s=0.0, warmup_max_s=0.1, max_launch_s=1.0, cold_starts=0
)
_PASSES = {Pass.LATENCY: LAUNCHES, Pass.OPS: 1, Pass.MEMORY: 1}
_MOODY = Path(__file__).with_name("moody_launch.py")

Strike = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A step of the board's campaign: `begun` a block, `saved` a launch; number counts from 0."""

    step: str
    number: int = 0


class StruckJournal(Journal):
    """Strikes once, at a moment of the board."""

    def __init__(self, store: Store, campaign: str, moment: Moment | None, strike: Strike) -> None:
        super().__init__(store, store.load(campaign))
        self._moment, self._strike = moment, strike
        self._seen: Counter[str] = Counter()
        self._mine: set[str] = set()

    def begin(self, block: Block, canary: Canary | None, *, waited_s: float = 0.0, doubt: str | None = None) -> str:
        identity = super().begin(block, canary, waited_s=waited_s, doubt=doubt)
        if block.device == BOARD:
            self._mine.add(identity)
            self._step("begun")
        return identity

    def save(self, block: str, cell: str, position: int, outcome: LaunchOutcome) -> None:
        super().save(block, cell, position, outcome)
        if block in self._mine:
            self._step("saved")

    def _step(self, step: str) -> None:
        if self._moment == Moment(step=step, number=self._seen[step]):
            self._strike()
        self._seen[step] += 1


class FaultBench:
    """One board, one neighbour, one campaign. folder holds all of it, home is that of the board's user."""

    def __init__(self, folder: Path, address: SshAddress, home: Path) -> None:
        self.folder, self.address, self.home = folder, address, home
        self._agent = bundle_file(folder / "agents")
        self._loadables = self._make_loadables()
        (folder / "moods").touch()

    def board(self, patience: Patience = SOON) -> AttachedDevice:
        """The board, asked for its facts and ready to be entered. Raises DeviceError."""
        launch = (sys.executable, "-I", "-S", str(_MOODY), str(self.folder), str(self._agent))
        options = ("--launch", json.dumps(list(launch)))
        board = Board(BOARD, lambda: SshTransport(BOARD, self.address, patience), sys.executable, options)
        return attach(board, BOARD, prepare=True)

    @property
    def neighbour(self) -> SimulatedDevice:
        return SimulatedDevice(replace(a_scenario(unit_factors={"cpu": 1.0}), name=NEIGHBOUR))

    def set_moods(self, *moods: str) -> None:
        (self.folder / "moods").write_text("\n".join(moods))

    def launch_pid(self, mood: str) -> int:
        """The process of the launch that is in this mood, once there is one."""
        return until(lambda: self._pid_in(mood), WAIT_S)

    def _pid_in(self, mood: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((self.folder / "pid").read_text())
            if told["mood"] == mood:
                return int(told["pid"])
        return 0

    def run(self, *, at: Moment | None = None, strike: Strike = lambda: None) -> tuple[str, ...]:
        """Run the campaign, or what is left of it; why devices were given up."""
        with contextlib.ExitStack() as stack:
            devices = enter_devices([self.board(), self.neighbour], stack)
            with Store.open(self.folder / "bench.db") as store:
                plan = self._plan(devices)
                if not store.campaigns():
                    begin_simulated(store, plan, *devices.values())
                store.tear_open_blocks(CAMPAIGN)
                journal = StruckJournal(store, CAMPAIGN, at, strike)
                blocks = schedule(plan.runnable(), 0)
                return run_campaign(blocks, self._loadables, devices, journal, lambda _: None)

    def launches(self, device: str) -> list[StoredLaunch]:
        """What counts of a device, in order."""
        with Store.open(self.folder / "bench.db") as store:
            stored = store.load(CAMPAIGN)
        cells = {cell.id for cell in stored.cells if cell.device == device}
        return [launch for launch in stored.launches if launch.cell in cells]

    def blocks(self) -> tuple[BlockRecord, ...]:
        with Store.open(self.folder / "bench.db") as store:
            return store.load(CAMPAIGN).blocks

    def grades(self) -> list[Grade]:
        """Of the board's cells, as a report has them."""
        with Store.open(self.folder / "bench.db") as store:
            cells = assemble(store.load(CAMPAIGN)).cells
        return [each.grade for each in cells if each.cell.device == BOARD and each.grade]

    def failures(self, device: str = BOARD) -> list[LaunchFailure]:
        return [each.outcome for each in self.launches(device) if isinstance(each.outcome, LaunchFailure)]

    def missing(self, device: str) -> dict[tuple[str, Pass], int]:
        """Launches that a whole campaign has more, by variant and pass; below 0 where one was doubled."""
        with Store.open(self.folder / "bench.db") as store:
            stored = store.load(CAMPAIGN)
        names = {cell.id: cell.variant for cell in stored.cells if cell.device == device}
        expected = Counter({(name, pass_): count for name in names.values() for pass_, count in _PASSES.items()})
        found = Counter((names[launch.cell], launch.outcome.pass_) for launch in self.launches(device))
        return {key: expected[key] - found[key] for key in expected | found if expected[key] != found[key]}

    def check_whole(self) -> None:
        """Each cell of both devices has its launches, none twice; every attempt is another."""
        assert self.missing(NEIGHBOUR) == {}
        assert self.missing(BOARD) == {}
        attempts = [launch.outcome.attempt for launch in (*self.launches(BOARD), *self.launches(NEIGHBOUR))]
        assert len(attempts) == len(set(attempts))

    def check_survived(self) -> None:
        """All of it is there, and nothing is left on the device."""
        self.check_whole()
        self.check_nothing_left()

    def check_resumed(self, given_up: tuple[str, ...], words: str, heal: Strike) -> None:
        """The device was given up with these words, the neighbour was not; once it is well a resume does the rest."""
        (reason,) = given_up
        assert reason.startswith(BOARD)
        assert words in reason
        assert "\n" not in reason
        assert self.missing(NEIGHBOUR) == {}
        assert self.missing(BOARD) != {}
        heal()
        assert self.run() == ()
        self.check_survived()

    def check_nothing_left(self) -> None:
        """No process of ours on the board, no lease, no part of a file."""
        deadline = Deadline(WAIT_S)
        while left := self._processes():
            assert not deadline.expired, left
            time.sleep(0.05)
        files = self.home / ".weighbridge" / "files"
        assert [path.name for path in files.glob(".*") if path.name.endswith(".part")] == []
        with self.board():
            pass  # whoever held the lease would keep us out

    def _processes(self) -> list[str]:
        ours = (str(self.folder), str(self.home))
        found = []
        for process in psutil.process_iter(["cmdline"]):
            argv = process.info["cmdline"] or []
            words = " ".join(argv)
            if {"supervise", "launch", str(_MOODY)} & set(argv) and any(folder in words for folder in ours):
                found.append(words)
        return found

    def _plan(self, devices: dict[str, Device]) -> Plan:
        wishes = replace(some_wishes("float32", "int8", units=(ComputeUnit(kind="cpu"),)), settings=_QUICK)
        return make_plan(wishes, [a_model()], [device.facts for device in devices.values()], some_rules())

    def _make_loadables(self) -> dict[tuple[str, str], Loadable]:
        found = {}
        for seed, name in enumerate(("float32", "int8")):
            path = write_model(self.folder, tiny_cnn(seed), f"{name}.tflite")
            variant = a_built_variant(name, path, digest.of_file(path))
            found["m", name] = Loadable(variant=variant, inputs=(), graph=read_graph(path))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A bench with what a test may strike at."""

    bench: FaultBench
    server: Sshd
    proxy: TcpProxy

    def check_resumed(self, given_up: tuple[str, ...], words: str) -> None:
        self.bench.check_resumed(given_up, words, self.proxy.restore)

    def supervisors(self) -> list[int]:
        """Agents that run on the board."""
        found = []
        for process in psutil.process_iter(["cmdline", "pid"]):
            words = process.info["cmdline"] or []
            if "supervise" in words and any(str(self.bench.home) in word for word in words):
                found.append(int(process.info["pid"]))
        return found


@contextmanager
def struck_bench(folder: Path, variables: Sequence[str] = ()) -> Iterator[Struck]:
    """One for the duration. variables are further ones of the board's environment."""
    with sshd(folder / "sshd", variables=variables) as server, proxy_to(server.port) as proxy:
        try:
            bench = FaultBench(folder, server.through(proxy.port), server.home)
            yield Struck(bench=bench, server=server, proxy=proxy)
        finally:
            proxy.restore()


def later(strike: Strike, when: Callable[[], object]) -> Strike:
    """A strike in a thread of its own, once `when` has returned."""

    def begin() -> None:
        def act() -> None:
            when()
            strike()

        threading.Thread(target=act, daemon=True).start()

    return begin
