"""Two devices of one board in one campaign: its processor, and its Edge TPU by another name and another host key.

The board is this machine behind two real sshds that share its home and its leases; the Edge TPU is FakeEdgeTpu.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from devices.boards import Board, attach
from devices.device import AttachedDevice
from devices.transport.ssh import SshTransport
from harness.store import BlockState, Store, StoredCampaign
from tests.support.benches import beside
from tests.support.command import argv
from tests.support.edgetpu_models import build_fake_edgetpu, install_fake_compiler
from tests.support.four_devices import COMPILED, address_text
from tests.support.planted_boards import plant, raspberry_pi_5
from tests.support.sshd import Sshd, sshd

BOARD, CORAL = "board", "coral (FakeEdgeTpu)"
LIMIT_S = 240.0
CONFIG = """
name: two of a board
models: [digits]
variants: [float32, {compiled}]
units: [cpu, edgetpu]
measure: {{launches: 2, inferences: 10, warmup_s: 0.05, cold_starts: 0}}
limits: {{neighbours: null, canary: null}}
devices:
  - {{name: board, kind: ssh, {board}}}
  - {{name: coral, kind: edgetpu, accelerator: usb, library: {library}, compiler: {compiler}, {coral}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What came of it. agents are those that measured at the same time, at each look."""

    server: Sshd
    code: int
    said: str
    stored: StoredCampaign
    troubles: list[str]
    agents: list[set[int]]


class Watch(threading.Thread):
    """Looks all the time which agents hold the board's lease, or want it."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = str(home)
        self._done = threading.Event()
        self.seen: list[set[int]] = []

    def run(self) -> None:
        while not self._done.wait(0.05):
            self.seen.append(agents_of(self._home))

    def stop(self) -> None:
        self._done.set()
        self.join()


def agents_of(home: str) -> set[int]:
    """Their processes, without what one forks for a launch, which is called like it until it is another program."""
    parents = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            if "--lease" in words and any(home in word for word in words) and process.status() != psutil.STATUS_ZOMBIE:
                parents[process.pid] = process.ppid()
    return {pid for pid, parent in parents.items() if parent not in parents}


@contextmanager
def watched(home: Path) -> Iterator[Watch]:
    watch = Watch(home)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("two")
    bench = beside(built, folder / "bench")
    with sshd(folder / "board") as board, sshd(folder / "coral", of=board) as coral:
        config = folder / "two.yaml"
        config.write_text(
            CONFIG.format(
                compiled=COMPILED,
                board=address_text(board.address),
                coral=address_text(coral.address),
                library=build_fake_edgetpu(folder),
                compiler=install_fake_compiler(folder),
            )
        )
        words = argv("run", config, "--bench", bench)
        with watched(board.home) as watch:
            ran = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        with Store.open(bench / "bench.db") as store:
            latest = store.latest()
            assert latest is not None, ran.stderr
            yield Campaign(
                server=board,
                code=ran.returncode,
                said=ran.stdout + ran.stderr,
                stored=store.load(latest.id),
                troubles=[f"{trouble.name}: {trouble.kind} {trouble.words}" for trouble in store.troubles()],
                agents=watch.seen,
            )


def test_it_is_complete_with_both(campaign: Campaign) -> None:
    assert campaign.code == 0, campaign.said
    names = {cell.id: cell.device for cell in campaign.stored.cells}
    assert {names[launch.cell] for launch in campaign.stored.launches} == {BOARD, CORAL}


def test_no_agent_is_lost_and_no_trouble_is_on_record(campaign: Campaign) -> None:
    assert campaign.troubles == []


def test_every_block_is_whole(campaign: Campaign) -> None:
    assert {block.state for block in campaign.stored.blocks} == {BlockState.COMPLETE}


def test_one_is_measured_after_the_other(campaign: Campaign) -> None:
    devices = [block.device for block in campaign.stored.blocks]
    assert sum(before != after for before, after in pairwise(devices)) == 1


def test_at_no_time_is_there_more_than_one_agent(campaign: Campaign) -> None:
    assert max(map(len, campaign.agents)) == 1


def test_no_agent_is_ended_by_force_or_taken_over(campaign: Campaign) -> None:
    """Who takes over says so."""
    for words in ("was still there", "was broken", "without giving it back"):
        assert words not in campaign.said


def test_nothing_is_left_running_or_leased(campaign: Campaign) -> None:
    assert agents_of(str(campaign.server.home)) == set()
    assert (campaign.server.leases / "device.lock").read_text().strip() == ""
    assert list(campaign.server.leases.glob("*.prepared")) == []


def test_each_switches_the_governor_for_its_turn_and_puts_it_back(tmp_path: Path) -> None:
    file = "sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
    planted = plant(tmp_path / "root", {**raspberry_pi_5(), file: "ondemand\n"})
    governor = tmp_path / "root" / file
    with sshd(tmp_path / "board") as server:
        address = server.address

        def a_device(name: str) -> AttachedDevice:
            board = Board(name, lambda: SshTransport(name, address), sys.executable, ("--root", planted))
            return attach(board, name, prepare=True)

        with a_device("one") as one, a_device("other") as other:
            for device in (one, other, one):
                assert device.conditions().prepared
                assert governor.read_text().strip() == "performance"
                assert (one.notices, other.notices) == ([], [])
        assert governor.read_text().strip() == "ondemand"
        assert list(server.leases.glob("*.prepared")) == []
