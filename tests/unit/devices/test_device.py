"""A device with an agent: when the lease is held, when the agent is started, and what is asked again."""

import json
import sys
import threading
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from devices.device import AttachedDevice
from devices.runtimes.litert_ops import op_table
from devices.transport.local import ProcessLines
from devices.turns import Turn, machine_of, turn_on
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts
from harness.core.errors import DeviceBusy, DeviceLost
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, MeasureSettings, Pass
from tests.support.waiting import until

HELLO = {"v": 3, "say": "hello", "pid": 7, "python": "3.7.3"}
BEAT = {"v": 3, "say": "heartbeat"}
CONDITIONS = {
    "taken_at": 1.0,
    "temperatures": {},
    "clocks_mhz": {},
    "governor": None,
    "load": None,
    "power": None,
    "memory_available_bytes": None,
    "throttled": None,
    "clock_caps_mhz": {},
    "battery_percent": None,
    "thermal_status": None,
    "neighbours": None,
    "prepared": {},
}
FACTS = DeviceFacts(name="board", family="linux", simulated=False)


PLAY = """
import sys
messages, wait, log = sys.argv[1:]
if messages:
    print(messages, flush=True)
if wait == "wait":
    with open(log, "w", buffering=1) as stream:
        for line in sys.stdin:
            stream.write(line)
"""


class Play:
    """Starts a process that says what it was given and then waits, or ends where the last word is None."""

    def __init__(self, folder: Path, *messages: object) -> None:
        self._ends = messages[-1:] == (None,)
        self._lines = [m if isinstance(m, str) else json.dumps(m) for m in messages if m is not None]
        self._log = folder / f"{id(self)}.log"
        self.process = 0

    def __call__(self) -> ProcessLines:
        words = ("\n".join(self._lines), "end" if self._ends else "wait", str(self._log))
        transport = ProcessLines("board", (sys.executable, "-I", "-S", "-c", PLAY, *words))
        self.process = transport.pid
        return transport

    @property
    def is_running(self) -> bool:
        return psutil.pid_exists(self.process)

    @property
    def heard(self) -> list[str]:
        """What it was asked to do; all of it once it has ended."""
        asked = self._log.read_text() if self._log.exists() else ""
        return [json.loads(line)["do"] for line in asked.splitlines(keepends=True) if line.endswith("\n")]


class Lease:
    def __init__(self) -> None:
        self.held = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.held = True
        yield
        self.held = False


class Taken(Lease):
    @contextmanager
    def __call__(self) -> Iterator[None]:
        if not self.held:
            raise DeviceBusy("board", "held")
        yield


def a_device(*plays: Play, lease: Lease | None = None, turn: Turn | None = None) -> AttachedDevice:
    waiting = deque(plays)
    return AttachedDevice(FACTS, lambda: waiting.popleft()(), lease or Lease(), op_table, turn=turn)


def canary(identity: str, *samples: object) -> dict[str, object]:
    return {"v": 3, "id": identity, "say": "canary", "samples_ns": list(samples)}


def an_order() -> LaunchOrder:
    return LaunchOrder(
        attempt="a1",
        variant=Path("m.tflite"),
        variant_digest="d",
        pass_=Pass.MEMORY,
        unit=ComputeUnit(kind="cpu"),
        settings=MeasureSettings(),
        deadline_s=5.0,
    )


def test_the_lease_is_held_while_the_device_is_entered(tmp_path: Path) -> None:
    lease = Lease()
    with a_device(Play(tmp_path, HELLO), lease=lease):
        assert lease.held
    assert not lease.held


def test_leaving_ends_the_agent(tmp_path: Path) -> None:
    play = Play(tmp_path, HELLO)
    with a_device(play):
        assert play.is_running
    assert not play.is_running


def test_an_agent_that_does_not_start_gives_the_lease_back(tmp_path: Path) -> None:
    lease, play = Lease(), Play(tmp_path, None)
    with pytest.raises(DeviceLost, match="the agent ended"):
        a_device(play, lease=lease).__enter__()
    assert not play.is_running
    assert not lease.held


def test_a_program_that_is_not_there_is_a_lost_device() -> None:
    with pytest.raises(DeviceLost, match="cannot be started with /no/such/python: No such file"):
        ProcessLines("board", ("/no/such/python",))


def test_a_busy_device_starts_no_agent(tmp_path: Path) -> None:
    play = Play(tmp_path, HELLO)
    with pytest.raises(DeviceBusy):
        a_device(play, lease=Taken()).__enter__()
    assert play.process == 0


def test_an_agent_of_another_version_is_lost_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="protocol version 1, this end speaks 3"):
        a_device(Play(tmp_path, {**HELLO, "v": 1})).__enter__()


def test_heartbeats_and_leftovers_of_older_requests_are_passed_over(tmp_path: Path) -> None:
    with a_device(Play(tmp_path, HELLO, BEAT, canary("0", 9), BEAT, canary("1", 3, 1, 2))) as device:
        assert device.canary().median_ns == 2


def test_a_question_is_asked_again_of_a_new_agent(tmp_path: Path) -> None:
    first, second = Play(tmp_path, HELLO, None), Play(tmp_path, HELLO, canary("1", 5))
    with a_device(first, second) as device:
        assert device.canary().samples_ns == (5,)
        assert not first.is_running


def test_a_question_is_not_asked_a_third_time(tmp_path: Path) -> None:
    plays = [Play(tmp_path, HELLO, *words) for words in ([None], [None], [canary("1", 5)])]
    with a_device(*plays) as device, pytest.raises(DeviceLost):
        device.canary()


def test_a_launch_is_not_repeated(tmp_path: Path) -> None:
    second = Play(tmp_path, HELLO, canary("1", 5))
    with a_device(Play(tmp_path, HELLO, None), second) as device:
        outcome = device.launch(an_order())
        device.canary()
    assert isinstance(outcome, LaunchFailure)
    assert (outcome.attempt, outcome.pass_, outcome.kind) == ("a1", Pass.MEMORY, FailureKind.LOST)
    assert second.heard == ["canary"]


def test_no_agent_is_started_before_the_device_is_entered(tmp_path: Path) -> None:
    play = Play(tmp_path, HELLO)
    with pytest.raises(DeviceLost, match="board: it is closed; enter it"):
        a_device(play).launch(an_order())
    assert play.process == 0


def test_leaving_ends_an_agent_that_is_still_starting(tmp_path: Path) -> None:
    mute = Play(tmp_path)
    lease = Lease()
    device = a_device(Play(tmp_path, HELLO, None), mute, lease=lease)
    with ThreadPoolExecutor(1) as pool:
        with device:
            question = pool.submit(device.canary)
            until(lambda: mute.process != 0)
        assert not mute.is_running
        assert not lease.held
    with pytest.raises(DeviceLost, match="closed"):
        question.result(10)


def test_a_question_under_way_when_the_device_is_left_is_not_asked_again(tmp_path: Path) -> None:
    first, second = Play(tmp_path, HELLO), Play(tmp_path, HELLO, canary("1", 5))
    device = a_device(first, second)
    with ThreadPoolExecutor(1) as pool, device:
        question = pool.submit(device.canary)
        until(lambda: "canary" in first.heard)
    with pytest.raises(DeviceLost, match="closed"):
        question.result(10)
    assert second.process == 0


@pytest.mark.parametrize("key", ["temperatures", "clocks_mhz"])
def test_a_reading_that_is_no_number_is_nonsense_too(tmp_path: Path, key: str) -> None:
    before = {**CONDITIONS, key: {"cpu0": "hot"}}
    started = {"v": 3, "id": "1", "say": "started", "pid": 7, "before": before}
    with a_device(Play(tmp_path, HELLO, started)) as device:
        outcome = device.launch(an_order())
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.LOST
    assert "make no sense: conditions: cpu0 is 'hot'" in outcome.message


def test_an_order_that_the_agent_refuses_is_a_failure_in_its_words(tmp_path: Path) -> None:
    refusal = {"v": 3, "id": "1", "say": "refused", "error": "LiteRT was not found"}
    with a_device(Play(tmp_path, HELLO, refusal)) as device:
        outcome = device.launch(an_order())
    assert isinstance(outcome, LaunchFailure)
    assert (outcome.kind, outcome.message) == (FailureKind.ERROR, "LiteRT was not found")


@pytest.mark.parametrize(
    "nonsense",
    [
        "%!",
        {"v": 3, "id": "1", "say": "canary", "samples_ns": [1], "mood": "good"},
        {"v": 3, "id": "1"},
        canary("1"),
        canary("1", "soon"),
        canary("1", None),
        canary("1", True),
        canary("1", 2.5),
        canary("1", 5, 0),
    ],
)
def test_an_agent_that_talks_nonsense_is_lost(tmp_path: Path, nonsense: object) -> None:
    plays = Play(tmp_path, HELLO, nonsense), Play(tmp_path, HELLO, nonsense)
    with a_device(*plays) as device, pytest.raises(DeviceLost, match="the agent's words make no sense"):
        device.canary()


def test_leaving_ends_a_rest(tmp_path: Path) -> None:
    with a_device(Play(tmp_path, HELLO)) as device:
        leaver = threading.Thread(target=device.__exit__, args=(None, None, None))
        leaver.start()
        with pytest.raises(DeviceLost, match="closed; enter it"):
            device.rest(60.0)
        leaver.join(10)


def test_devices_of_one_machine_run_their_agents_one_after_another(tmp_path: Path) -> None:
    turn = Turn()
    first, second, again = Play(tmp_path, HELLO), Play(tmp_path, HELLO), Play(tmp_path, HELLO, canary("1", 5))
    with a_device(first, again, turn=turn) as one, a_device(second, turn=turn):
        assert (first.is_running, second.is_running) == (False, True)
        assert one.canary().samples_ns == (5,)
        assert (second.is_running, again.is_running) == (False, True)


def test_a_device_that_waits_for_its_turn_can_be_left(tmp_path: Path) -> None:
    turn = Turn()
    waiting = a_device(Play(tmp_path, HELLO), turn=turn)
    with turn.taken(a_device(), lambda: None), ThreadPoolExecutor() as pool:
        entering = pool.submit(waiting.__enter__)
        with pytest.raises(TimeoutError):
            entering.result(0.3)
        waiting.__exit__(None, None, None)
        with pytest.raises(DeviceLost, match="it is closed"):
            entering.result(20.0)


def test_only_devices_of_one_machine_have_the_same_turn() -> None:
    assert turn_on("one") is (held := turn_on("one"))
    assert turn_on("other") is not held


def test_a_machine_keeps_the_name_that_its_running_system_was_met_under() -> None:
    system = uuid.uuid4().hex
    assert machine_of(system, "board 1") == "board 1"
    assert machine_of(system, "board 2") == "board 1"
    assert machine_of(uuid.uuid4().hex, "board 2") == "board 2"
