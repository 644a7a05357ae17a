"""A device with an agent: when the lease is held, when the agent is started, and what is asked again."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.runtimes.litert_ops import op_table
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import DeviceFacts
from harness.core.errors import DeviceBusy, DeviceLost
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, MeasureSettings, Pass

HELLO = {"v": 1, "say": "hello", "pid": 7, "python": "3.7.3"}
BEAT = {"v": 1, "say": "heartbeat"}
FACTS = DeviceFacts(name="board", family="linux", simulated=False)


class Line:
    """A connection that plays what it was given; `None` is the end of the agent."""

    def __init__(self, *messages: object) -> None:
        self._messages = deque(messages)
        self.sent: list[dict[str, object]] = []
        self.closed = False

    def send(self, line: bytes) -> None:
        self.sent.append(json.loads(line))

    def receive(self, _: Deadline) -> bytes:
        message = self._messages.popleft()
        if message is None:
            raise DeviceLost("board", "the agent ended")
        return message if isinstance(message, bytes) else json.dumps(message).encode()

    def close(self) -> None:
        self.closed = True


class Lease:
    def __init__(self) -> None:
        self.held = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.held = True
        yield
        self.held = False


def a_device(*lines: Line, lease: Lease | None = None) -> AttachedDevice:
    waiting = deque(lines)
    return AttachedDevice(FACTS, waiting.popleft, lease or Lease(), op_table)


def canary(identity: str, *samples: object) -> dict[str, object]:
    return {"v": 1, "id": identity, "say": "canary", "samples_ns": list(samples)}


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


def test_the_lease_is_held_while_the_device_is_entered() -> None:
    lease = Lease()
    with a_device(Line(HELLO), lease=lease):
        assert lease.held
    assert not lease.held


def test_leaving_closes_the_connection() -> None:
    line = Line(HELLO)
    with a_device(line):
        assert not line.closed
    assert line.closed


def test_an_agent_that_does_not_start_gives_the_lease_back() -> None:
    lease, line = Lease(), Line(None)
    with pytest.raises(DeviceLost):
        a_device(line, lease=lease).__enter__()
    assert line.closed
    assert not lease.held


def test_a_busy_device_starts_no_agent() -> None:
    class Taken(Lease):
        @contextmanager
        def __call__(self) -> Iterator[None]:
            if not self.held:
                raise DeviceBusy("board", "held")
            yield

    line = Line(HELLO)
    with pytest.raises(DeviceBusy):
        a_device(line, lease=Taken()).__enter__()
    assert line.receive(Deadline(1.0)) == json.dumps(HELLO).encode()


def test_an_agent_of_another_version_is_lost_with_the_reason() -> None:
    with pytest.raises(DeviceLost, match="protocol version 2, this end speaks 1"):
        a_device(Line({**HELLO, "v": 2})).__enter__()


def test_heartbeats_and_leftovers_of_older_requests_are_passed_over() -> None:
    with a_device(Line(HELLO, BEAT, canary("0", 9), BEAT, canary("1", 3, 1, 2))) as device:
        assert device.canary().median_ns == 2


def test_a_question_is_asked_again_of_a_new_agent() -> None:
    first, second = Line(HELLO, None), Line(HELLO, canary("1", 5))
    with a_device(first, second) as device:
        assert device.canary().samples_ns == (5,)
    assert first.closed


def test_a_question_is_not_asked_a_third_time() -> None:
    lines = Line(HELLO, None), Line(HELLO, None), Line(HELLO, canary("1", 5))
    with a_device(*lines) as device, pytest.raises(DeviceLost):
        device.canary()


def test_a_launch_is_not_repeated() -> None:
    first, second = Line(HELLO, None), Line(HELLO)
    with a_device(first, second) as device:
        outcome = device.launch(an_order())
    assert outcome == LaunchFailure(
        attempt="a1", pass_=Pass.MEMORY, kind=FailureKind.LOST, message="the agent ended", exit_code=None
    )
    assert second.sent == []


def test_after_a_lost_launch_the_next_call_starts_another_agent() -> None:
    with a_device(Line(HELLO, None), Line(HELLO, canary("1", 5))) as device:
        device.launch(an_order())
        assert device.canary().samples_ns == (5,)


def test_an_order_that_the_agent_refuses_is_a_failure_in_its_words() -> None:
    refusal = {"v": 1, "id": "1", "say": "refused", "error": "LiteRT was not found"}
    with a_device(Line(HELLO, refusal)) as device:
        outcome = device.launch(an_order())
    assert isinstance(outcome, LaunchFailure)
    assert (outcome.kind, outcome.message) == (FailureKind.ERROR, "LiteRT was not found")


@pytest.mark.parametrize(
    "nonsense",
    [b"%!", {"v": 1, "id": "1", "say": "canary", "samples_ns": [1], "mood": "good"}, {"v": 1, "id": "1"}],
)
def test_an_agent_that_talks_nonsense_is_lost(nonsense: object) -> None:
    lines = Line(HELLO, nonsense), Line(HELLO, nonsense)
    with a_device(*lines) as device, pytest.raises(DeviceLost, match="the agent's words make no sense"):
        device.canary()
