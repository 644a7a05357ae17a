"""The supervisor on its own, spoken to in lines: requests, refusals, heartbeats, cancel, the end of stdin."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.agent import protocol
from devices.runtimes.agent_launch import encode
from devices.transport.bundle import bundle_file
from harness.core.deadline import Deadline

from .agent_bench import MISBEHAVING, an_order, is_running, wait_for_end, wait_for_pid


class Talk:
    """A connection to a supervisor whose launches are those of agent_launches.py."""

    def __init__(self, folder: Path, *options: str) -> None:
        launch = json.dumps([sys.executable, "-I", "-S", str(MISBEHAVING)])
        argv = (sys.executable, str(bundle_file(folder)), "supervise", "--launch", launch, *options)
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, identity: str, do: str, **fields: object) -> None:
        self.write(json.dumps({"v": 3, "id": identity, "do": do, **fields}).encode())

    def hear(self, *kinds: str) -> dict[str, Any]:
        """The next message that says one of kinds."""
        assert self.process.stdout is not None
        deadline = Deadline(20.0)
        while not deadline.expired:
            line = self.process.stdout.readline()
            assert line, "the supervisor ended"
            message: dict[str, Any] = json.loads(line)
            if message["say"] in kinds:
                return message
        raise AssertionError(f"none of {kinds} was said in time")

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(10)


HOST = """
import os, subprocess, sys, time
pipe = subprocess.PIPE
supervisor = subprocess.Popen((sys.executable, sys.argv[1], "supervise"), stdin=pipe, stdout=pipe)
assert b"hello" in supervisor.stdout.readline()
if os.fork() == 0:
    print(supervisor.pid, os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    talk = Talk(tmp_path)
    yield talk
    assert talk.process.stdout is not None
    assert talk.process.stdin is not None
    talk.process.kill()
    talk.process.wait(10)
    talk.process.stdin.close()
    talk.process.stdout.close()


def test_it_greets_with_its_process_and_python(talk: Talk) -> None:
    version = ".".join(str(part) for part in sys.version_info[:3])
    assert talk.hear("hello") == {"v": 3, "say": "hello", "pid": talk.process.pid, "python": version}


def test_its_heart_beats(talk: Talk) -> None:
    assert talk.hear("heartbeat") == {"v": 3, "say": "heartbeat"}
    assert talk.hear("heartbeat") == {"v": 3, "say": "heartbeat"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "not a JSON line"),
        (b'{"v": 1, "id": "1", "do": "facts"}', "protocol version 1, this end speaks 3"),
        (b'{"v": 3, "id": "1", "do": "dance"}', "one of canary, cancel"),
        (b'{"v": 3, "id": 1, "do": "facts"}', "a text `id`"),
        (b'{"v": 3, "id": "1", "do": "facts", "about": "you"}', "unknown keys ['about']"),
        (b'{"v": 3, "id": "1", "do": "launch"}', "missing keys ['order']"),
        (b'{"v": 3, "id": "1", "do": "launch", "order": {}}', "order: unknown keys [], missing keys"),
        (b'{"v": 3, "id": "1", "do": "cancel", "launch": "9"}', "launch 9 is not running"),
        (b"[" * 40_000, "longer than 32768"),
    ],
)
def test_a_bad_request_is_refused_and_the_next_one_answered(talk: Talk, line: bytes, words: str) -> None:
    talk.write(line)
    assert words in talk.hear("refused")["error"]
    talk.ask("2", "canary")
    assert talk.hear("canary", "refused")["say"] == "canary"


def test_a_launch_can_be_cancelled(talk: Talk, tmp_path: Path) -> None:
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang")))
    launched = wait_for_pid(tmp_path / "m")
    talk.ask("2", "cancel", launch="1")
    ended = talk.hear("ended", "refused")
    assert (ended["id"], ended["reason"], ended["exit_code"]) == ("1", "cancelled", 137)
    assert not is_running(launched)


def test_while_a_launch_runs_nothing_else_is_done(talk: Talk, tmp_path: Path) -> None:
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang")))
    wait_for_pid(tmp_path / "m")
    talk.ask("2", "canary")
    assert talk.hear("canary", "refused")["error"] == "launch 1 is running"


@pytest.mark.parametrize("attempt", ["hang", "hang_deaf"])
def test_the_end_of_stdin_ends_the_launch_and_the_supervisor(talk: Talk, tmp_path: Path, attempt: str) -> None:
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt=attempt)))
    launched = wait_for_pid(tmp_path / "m")
    assert talk.end() == 0
    assert wait_for_end(launched)


def test_a_killed_host_ends_it_though_a_fork_of_the_host_holds_its_stdin(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", HOST, str(bundle_file(tmp_path)))
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        supervisor, fork = (int(word) for word in host.stdout.readline().split())
        host.kill()
        host.wait(10)
        ended = wait_for_end(supervisor)
        os.kill(fork, signal.SIGKILL)
    assert ended


def test_stop_ends_it(talk: Talk) -> None:
    talk.ask("1", "stop")
    assert talk.process.wait(10) == 0


def test_a_launch_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    talk = Talk(tmp_path, "--launch", '["/no/such/program"]')
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m")))
    error = talk.hear("refused")["error"]
    assert talk.end() == 0
    assert talk.process.stdout is not None
    talk.process.stdout.close()
    assert "the launch could not be started" in error


def test_an_order_that_leaves_no_room_for_the_rest_of_a_launch_s_line_is_refused(talk: Talk, tmp_path: Path) -> None:
    order = encode(an_order(tmp_path / "m", attempt="hang"))
    order["attempt"] = "x" * (protocol.MAX_REQUEST - len(json.dumps(order)) - 100)
    talk.ask("1", "launch", order=order)
    assert "a launch reads 32768 at most" in talk.hear("refused", "started")["error"]


@pytest.mark.parametrize("line", [b"", b"{}", b'{"v": 3, "id": "1"}'])
def test_a_launch_that_no_supervisor_started_ends_in_words(tmp_path: Path, line: bytes) -> None:
    argv = (sys.executable, str(bundle_file(tmp_path)), "launch")
    ended = subprocess.run(argv, input=line + b"\n", capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"a launch is started by its supervisor: ")
