"""`kill -9`, then `run --resume`: the same cells, nothing measured twice, nothing lost, nothing left over."""

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.core.deadline import Deadline
from harness.core.launch import LaunchFailure, Pass
from harness.plan import schedule
from harness.store import Store, StoredCampaign
from tests.support.command import argv, run_bench
from tests.support.launch_count import saved_launches

pytestmark = pytest.mark.thorough

_PATIENCE_S = 120.0
_SIMULATED = """
models: [digits]
variants: [float16, int8]
devices: [{name: sim, kind: simulated}]
measure: {launches: 20, inferences: 50}
"""
_REAL = """
models: [digits]
variants: [int8]
units: [cpu]
measure: {launches: 4, inferences: 20, warmup_s: 0.2}
"""


@contextlib.contextmanager
def started(*arguments: object, output: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv(*arguments), stdout=output, stderr=output, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_launches(database: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: saved_launches(database) >= count, process)


def wait_until(there: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = Deadline(_PATIENCE_S)
    while not there():
        assert process.poll() is None, f"ended with {process.returncode} before its time"
        assert not deadline.expired
        time.sleep(0.01)


def stored(database: Path) -> StoredCampaign:
    with Store.open(database) as store:
        (campaign,) = store.campaigns()
        return store.load(campaign.id)


def attempts(campaign: StoredCampaign) -> set[str]:
    return {launch.outcome.attempt for launch in campaign.launches}


def test_killed_twice_and_resumed_is_whole(tmp_path: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(_SIMULATED)
    kept: set[str] = set()
    for arguments, until in (((), 5), (("--resume",), 70)):
        with started("run", config, "--bench", bench, *arguments) as process:
            wait_for_launches(bench / "bench.db", until, process)
            process.send_signal(signal.SIGKILL)
        before = stored(bench / "bench.db")
        assert before.campaign.ended_at is None
        assert kept <= attempts(before)
        kept = attempts(before)
    done = run_bench("run", config, "--resume", "--bench", bench)
    assert done.returncode == 0, done.stderr
    whole = stored(bench / "bench.db")
    assert kept <= attempts(whole)
    assert launches_by_cell(whole) == expected_launches(whole, latency=20)


def test_killed_host_leaves_no_process_and_no_lease(tmp_path: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(_REAL)
    with started("run", config, "--bench", bench) as process:
        wait_for_launches(bench / "bench.db", 2, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    assert children
    _, alive = psutil.wait_procs(children, timeout=_PATIENCE_S)
    assert alive == []
    done = run_bench("run", "--resume", "--bench", bench)
    assert done.returncode == 0, done.stderr
    assert len(stored(bench / "bench.db").launches) == 2 * (4 + 1 + 1 + 7)  # 7: cold starts


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_its_first_block_nothing_is_lost(tmp_path: Path, ending: signal.Signals, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(_REAL)
    with started("run", config, "--bench", bench, output=subprocess.PIPE) as process:
        wait_for_launches(bench / "bench.db", 1, process)
        process.send_signal(ending)
        output, errors = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 3
    assert b"Traceback" not in errors
    assert b"--resume" in errors
    assert Path(output.splitlines()[-1].decode()).is_file()
    assert saved_launches(bench / "bench.db") <= 2
    assert run_bench("run", "--resume", "--bench", bench).returncode == 0
    whole = stored(bench / "bench.db")
    assert [launch for launch in whole.launches if isinstance(launch.outcome, LaunchFailure)] == []
    assert launches_by_cell(whole) == expected_launches(whole, latency=4)


def test_interrupted_while_building_ends_without_a_traceback(tmp_path: Path) -> None:
    config, bench = tmp_path / "c.yaml", tmp_path / "b"
    config.write_text(_SIMULATED)
    with started("run", config, "--bench", bench, output=subprocess.PIPE) as process:
        wait_until((bench / "variants" / "scratch").is_dir, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its group, and people press twice
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 3
    assert b"Traceback" not in errors, errors.decode()
    assert Path(output.splitlines()[-1].decode()).is_file()
    assert run_bench("run", "--resume", "--bench", bench).returncode == 0


def launches_by_cell(campaign: StoredCampaign) -> Counter[tuple[str, Pass]]:
    return Counter((launch.cell, launch.outcome.pass_) for launch in campaign.launches)


def expected_launches(campaign: StoredCampaign, latency: int) -> dict[tuple[str, Pass], int]:
    each = {Pass.LATENCY: latency, Pass.OPS: 1, Pass.MEMORY: 1}
    once = {(cell.id, pass_): count for cell in campaign.cells for pass_, count in each.items()}
    cold = [block for block in schedule(campaign.cells, 0) if block.pass_ is Pass.COLD]
    return once | {(block.cells[0].id, Pass.COLD): len(block.cells) for block in cold}


def test_campaign_that_is_being_run_is_not_resumed_beside_it(tmp_path: Path, bench: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(_SIMULATED.replace("launches: 20", "launches: 1000"))
    with started("run", config, "--bench", bench) as process:
        wait_for_launches(bench / "bench.db", 1, process)
        second = run_bench("run", "--resume", "--bench", bench)
    assert second.returncode == 3
    assert len(second.stderr.splitlines()) == 1
    assert str(process.pid) in second.stderr


def test_second_run_on_this_machine_is_told_who_measures(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(_REAL)
    with started("run", config, "--bench", tmp_path / "first") as process:
        wait_for_launches(tmp_path / "first" / "bench.db", 1, process)
        second = run_bench("run", config, "--bench", tmp_path / "second")
        assert second.returncode == 3
        assert len(second.stderr.splitlines()) == 1
        assert str(process.pid) in second.stderr
