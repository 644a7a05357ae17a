"""A bad launch costs itself and nothing else: how each ends, and that the next one works."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from harness.core.errors import DeviceLost
from harness.core.launch import FailureKind, LaunchFailure, LaunchOutcome

from .agent_bench import Agents, an_order, is_running, measured, misbehaving, wait_for_end, wait_for_pid

SOON_S = 1.0


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachedDevice]:
    with misbehaving(tmp_path_factory.mktemp("agents")).device() as entered:
        yield entered


def failure(outcome: LaunchOutcome) -> LaunchFailure:
    assert isinstance(outcome, LaunchFailure), outcome
    return outcome


def run(device: AttachedDevice, what: str, variant: Path, deadline_s: float = 20.0) -> LaunchFailure:
    return failure(device.launch(an_order(variant, attempt=what, deadline_s=deadline_s)))


@pytest.mark.parametrize(
    ("what", "kind", "exit_code", "words"),
    [
        ("segfault", FailureKind.CRASH, 139, "signal 11"),
        ("exit_three", FailureKind.CRASH, 3, "exit code 3"),
        ("hang", FailureKind.DEADLINE, 137, "did not end in 1 s"),
        ("hang_deaf", FailureKind.DEADLINE, 137, "did not end in 1 s"),
        ("close_stdout_and_hang", FailureKind.DEADLINE, 137, "did not end in 1 s"),
        ("flood_stdout", FailureKind.PROTOCOL, 137, "more than a launch has to say"),
        ("talk_forever", FailureKind.PROTOCOL, 137, "more than a launch has to say"),
        ("garbage", FailureKind.PROTOCOL, 137, "Segmentation fault (core dumped) %!"),
        ("unknown_key", FailureKind.PROTOCOL, 137, "mood"),
        ("other_version", FailureKind.PROTOCOL, 137, "protocol version 1, this end speaks 3"),
        ("speak_for_another", FailureKind.PROTOCOL, 137, "speaks for 'another'"),
        ("say_nothing", FailureKind.PROTOCOL, 0, "without saying begun, loaded, samples, done"),
    ],
)
def test_a_bad_launch_ends_as_what_it_was_and_the_next_one_works(
    device: AttachedDevice, tmp_path: Path, what: str, kind: FailureKind, exit_code: int, words: str
) -> None:
    ended = run(device, what, tmp_path / "m", SOON_S if kind is FailureKind.DEADLINE else 20.0)
    assert (ended.kind, ended.exit_code) == (kind, exit_code)
    assert words in ended.message
    assert not is_running(wait_for_pid(tmp_path / "m"))
    assert measured(device.launch(an_order(tmp_path / "n", attempt="behave"))).samples_ns == (4, 5)


def test_the_last_words_on_stderr_are_kept(device: AttachedDevice, tmp_path: Path) -> None:
    assert run(device, "exit_three", tmp_path / "m").stderr_tail == "first words\nlast words\n"


def test_of_a_flood_on_stderr_the_end_is_kept(device: AttachedDevice, tmp_path: Path) -> None:
    ended = run(device, "flood_stderr", tmp_path / "m")
    assert ended.stderr_tail.endswith("x\nthe end of the flood\n")
    assert len(ended.stderr_tail) == 8192


def test_a_flood_on_stderr_does_not_hold_up_a_good_launch(device: AttachedDevice, tmp_path: Path) -> None:
    assert measured(device.launch(an_order(tmp_path / "m", attempt="flood_stderr_and_behave"))).samples_ns == (4, 5)


def test_where_memory_runs_out_a_launch_is_the_first_to_go(device: AttachedDevice, tmp_path: Path) -> None:
    expected = "1000\n" if sys.platform.startswith("linux") else "no such thing"
    assert run(device, "tell_oom_score", tmp_path / "m").stderr_tail == expected


def test_a_child_that_fled_does_not_hold_up_the_end(device: AttachedDevice, tmp_path: Path) -> None:
    ended = run(device, "leave_a_child_behind", tmp_path / "m")
    fled = wait_for_pid(tmp_path / "m")
    try:
        assert (ended.kind, ended.exit_code) == (FailureKind.CRASH, 3)
    finally:
        os.kill(fled, signal.SIGKILL)


def launch_and_strike(agents: Agents, device: AttachedDevice, variant: Path, sign: signal.Signals) -> LaunchFailure:
    """Send a signal to the supervisor while a launch hangs."""

    def strike() -> None:
        wait_for_pid(variant)
        os.kill(agents.started[-1].pid, sign)

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        return failure(device.launch(an_order(variant, attempt="hang")))
    finally:
        striker.join()


def test_a_launch_under_a_killed_supervisor_is_lost_and_dies(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    with agents.device() as device:
        ended = launch_and_strike(agents, device, tmp_path / "m", signal.SIGKILL)
        assert (ended.kind, ended.exit_code) == (FailureKind.LOST, None)
        assert "exit code 137" in ended.message
        assert wait_for_end(wait_for_pid(tmp_path / "m"))


def test_after_a_killed_supervisor_the_next_call_starts_another(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    with agents.device() as device:
        launch_and_strike(agents, device, tmp_path / "m", signal.SIGKILL)
        assert measured(device.launch(an_order(tmp_path / "n", attempt="behave"))).samples_ns == (4, 5)
        assert len(agents.started) == 2


def test_a_supervisor_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path, silence_s=2.5)
    with agents.device() as device:
        ended = launch_and_strike(agents, device, tmp_path / "m", signal.SIGSTOP)
        assert ended.kind is FailureKind.LOST
        assert "said nothing for 2.5 s (still running" in ended.message
        assert wait_for_end(wait_for_pid(tmp_path / "m"))


def test_a_question_to_a_killed_supervisor_is_asked_again_of_another(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    with agents.device() as device:
        os.kill(agents.started[0].pid, signal.SIGKILL)
        assert len(device.canary().samples_ns) == 9
        assert len(agents.started) == 2


def test_a_device_whose_agent_cannot_be_started_again_is_lost(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    with agents.device() as device:
        (file,) = tmp_path.glob("*.pyz")
        file.unlink()
        tmp_path.joinpath(file.name).mkdir()  # no agent can be put there any more
        os.kill(agents.started[0].pid, signal.SIGKILL)
        with pytest.raises(DeviceLost):
            device.canary()


def launch_until_left(agents: Agents, device: AttachedDevice, variant: Path) -> Future[LaunchOutcome]:
    """A launch that hangs in a thread of its own while the device is left."""
    with ThreadPoolExecutor(1) as pool:
        with device:
            launch = pool.submit(device.launch, an_order(variant, attempt="hang"))
            wait_for_pid(variant)
        assert not is_running(wait_for_pid(variant))
        assert not is_running(agents.started[-1].pid)
    return launch


def test_leaving_a_device_ends_a_launch_that_runs_and_its_caller_hears_that_the_device_is_gone(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    launch = launch_until_left(agents, agents.device(), tmp_path / "m")
    with pytest.raises(DeviceLost, match="closed"):
        launch.result(20)


def test_after_a_launch_that_was_left_no_agent_is_started_until_the_device_is_entered(tmp_path: Path) -> None:
    agents = misbehaving(tmp_path)
    device = agents.device()
    launch_until_left(agents, device, tmp_path / "m")
    with pytest.raises(DeviceLost, match="closed"):
        device.launch(an_order(tmp_path / "n", attempt="behave"))
    assert len(agents.started) == 1
    with device:
        assert measured(device.launch(an_order(tmp_path / "n", attempt="behave"))).samples_ns == (4, 5)
