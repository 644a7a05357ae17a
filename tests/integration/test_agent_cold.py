"""Cold launches on the LiteRT of this environment: what is timed, and XNNPACK's weight cache."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent
from harness.core.launch import LaunchFailure, LaunchRecord, MeasureSettings, Pass, WeightCache
from tests.support import models, unusual
from tests.support.models import write_model

from .agent_bench import QUICK, Agents, an_order, measured, wait_for_end

OFF, FILL, USE = WeightCache.OFF, WeightCache.FILL, WeightCache.USE


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where agents put their folders."""
    folder = tmp_path / "temporary 'ü' \\ folder"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def agents(temporary: Path) -> Agents:
    return Agents(LocalAgent(agents=temporary.parent))


@pytest.fixture
def device(agents: Agents) -> Iterator[AttachedDevice]:
    with agents.device() as entered:
        yield entered


@pytest.fixture
def cnn(tmp_path: Path) -> Path:
    return write_model(tmp_path, models.tiny_cnn())


def cold(
    device: AttachedDevice, model: Path, cache: WeightCache, unit: str = "cpu", settings: MeasureSettings = QUICK
) -> LaunchRecord | LaunchFailure:
    order = an_order(model, pass_=Pass.COLD, weight_cache=cache, unit=unit, settings=settings)
    return device.launch(order)


def words(outcome: LaunchRecord | LaunchFailure) -> str:
    assert isinstance(outcome, LaunchFailure), outcome
    return outcome.message


def caches(temporary: Path) -> list[Path]:
    return sorted(temporary.glob("*/*.xnnpack"))


def test_a_cold_launch_has_one_first_inference_and_a_few_warm_ones(device: AttachedDevice, cnn: Path) -> None:
    record = measured(cold(device, cnn, OFF))
    assert list(record.warmup_ns) == [record.load.first_ns]
    assert len(record.samples_ns) == len(record.cpu_ns) == len(record.starts_ns) == 5
    assert record.load.compile_ns > 0


def test_a_cold_launch_that_takes_long_has_one_warm_inference(device: AttachedDevice, cnn: Path) -> None:
    record = measured(cold(device, cnn, OFF, settings=MeasureSettings(max_launch_s=0.0)))
    assert len(record.samples_ns) == 1


def test_without_a_cache_nothing_is_written(device: AttachedDevice, cnn: Path, temporary: Path) -> None:
    measured(cold(device, cnn, OFF))
    assert list(temporary.iterdir()) == []


def test_a_cache_is_filled_and_then_used(device: AttachedDevice, cnn: Path, temporary: Path) -> None:
    filled = measured(cold(device, cnn, FILL))
    (written,) = caches(temporary)
    before = written.stat()
    used = measured(cold(device, cnn, USE))
    assert (filled.weight_cache, used.weight_cache) == (FILL, USE)
    assert written.stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_size > 0


def test_a_cache_is_filled_anew(device: AttachedDevice, cnn: Path, temporary: Path) -> None:
    measured(cold(device, cnn, FILL))
    (written,) = caches(temporary)
    written.write_bytes(b"")
    measured(cold(device, cnn, FILL))
    assert written.stat().st_size > 0


def test_each_unit_has_a_cache_of_its_own(device: AttachedDevice, cnn: Path, temporary: Path) -> None:
    for unit in ("cpu", "cpu:2"):
        measured(cold(device, cnn, FILL, unit))
    assert len(caches(temporary)) == 2


def test_a_cache_of_several_partitions_is_used(device: AttachedDevice, tmp_path: Path) -> None:
    split = write_model(tmp_path, models.partitioned())
    measured(cold(device, split, FILL))
    measured(cold(device, split, USE))


def test_there_must_be_a_cache_to_use(device: AttachedDevice, cnn: Path) -> None:
    assert words(cold(device, cnn, USE)) == "there is no weight cache to use; a launch that fills it goes before"


@pytest.mark.parametrize("damage", [b"", b"no cache at all" * 100])
def test_a_cache_that_was_not_used_is_no_measurement_of_one(
    device: AttachedDevice, cnn: Path, temporary: Path, damage: bytes
) -> None:
    measured(cold(device, cnn, FILL))
    caches(temporary)[0].write_bytes(damage)
    assert "weight cache" in words(cold(device, cnn, USE))


def test_kernels_that_pack_nothing_write_no_cache(device: AttachedDevice, cnn: Path) -> None:
    assert words(cold(device, cnn, FILL, "cpu/builtin")) == "LiteRT wrote no weight cache"


def test_what_the_interpreter_runs_has_no_cache(device: AttachedDevice, tmp_path: Path) -> None:
    lstm = write_model(tmp_path, unusual.lstm())
    assert measured(cold(device, lstm, OFF)).fallback is not None
    reason = "there is no weight cache through the Interpreter: LiteRT's compiled model alone takes one"
    assert words(cold(device, lstm, FILL)) == reason


def test_a_cache_is_for_the_cold_pass_alone(device: AttachedDevice, cnn: Path) -> None:
    outcome = device.launch(an_order(cnn, pass_=Pass.LATENCY, weight_cache=FILL))
    assert words(outcome) == "order: weight_cache goes with the pass cold, not latency"


def test_the_caches_are_their_owner_s_alone(device: AttachedDevice, cnn: Path, temporary: Path) -> None:
    measured(cold(device, cnn, FILL))
    (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_caches_end_with_the_agent(agents: Agents, cnn: Path, temporary: Path) -> None:
    with agents.device() as device:
        measured(cold(device, cnn, FILL))
    assert wait_for_end(agents.started[-1].pid)
    assert list(temporary.iterdir()) == []


def test_the_next_agent_removes_what_a_killed_one_left_and_no_more(
    agents: Agents, cnn: Path, tmp_path: Path, temporary: Path
) -> None:
    with agents.device() as dead, Agents(LocalAgent(agents=tmp_path)).device() as alive:
        measured(cold(dead, cnn, FILL))
        measured(cold(alive, cnn, FILL))
        assert len(list(temporary.iterdir())) == 2
        os.kill(agents.started[-1].pid, signal.SIGKILL)
        wait_for_end(agents.started[-1].pid)
        dead.launch(an_order(cnn))  # lost; the next one starts another agent
        measured(dead.launch(an_order(cnn)))
        assert len(list(temporary.iterdir())) == 1
        measured(cold(alive, cnn, USE))
