"""One supervisor at a time on a device: who is refused, who takes over, and what is restored."""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from devices.device import AttachedDevice
from devices.inventory import LocalAgent
from devices.opening import notices_of
from devices.runtimes.agent_launch import encode
from devices.runtimes.litert_ops import op_table
from devices.runtimes.owner import Owner, tenure_words
from harness.core.device import DeviceFacts
from harness.core.errors import DeviceBusy, DeviceRefused
from harness.core.launch import LaunchFailure, LaunchRecord
from tests.integration.agent_bench import MISBEHAVING, an_order, is_running, wait_for_end, wait_for_pid
from tests.integration.test_agent_supervisor import Talk
from tests.support.waiting import until

pytestmark = pytest.mark.waits

Start = Callable[..., Talk]


def an_owner(token: str = "t1", purpose: str = "campaign X") -> Owner:
    return Owner(host="tower", user="bench", pid=123, purpose=purpose, since=time.time(), token=token)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Talk] = []

    def begin(owner: Owner, *options: str, patience_s: float | None = 30.0, lease: Path = tmp_path / "lease") -> Talk:
        started.append(Talk(tmp_path, *tenure_words(str(lease), owner, patience_s), *options))
        return started[-1]

    yield begin
    for talk in started:
        assert talk.process.stdin is not None
        assert talk.process.stdout is not None
        talk.process.send_signal(signal.SIGCONT)
        talk.process.kill()
        talk.process.wait(10)
        talk.process.stdin.close()
        talk.process.stdout.close()


def plant_policies(root: Path, *governors: str) -> list[Path]:
    """Clock policies as the kernel shows them, below root."""
    files = []
    for number, governor in enumerate(governors):
        policy = root / f"sys/devices/system/cpu/cpufreq/policy{number}"
        policy.mkdir(parents=True)
        (policy / "scaling_governor").write_text(f"{governor}\n")
        (policy / "scaling_available_governors").write_text("performance schedutil powersave\n")
        files.append(policy / "scaling_governor")
    return files


def read(files: list[Path]) -> list[str]:
    return [file.read_text().strip() for file in files]


def test_another_owner_hears_who_has_it_and_for_how_long(start: Start) -> None:
    start(an_owner()).hear("hello")
    busy = (second := start(an_owner("t2", "doctor"))).hear("busy", "hello")
    assert busy["say"] == "busy"
    assert {key: busy["owner"][key] for key in ("host", "user", "pid", "purpose")} == {
        "host": "tower",
        "user": "bench",
        "pid": 123,
        "purpose": "campaign X",
    }
    assert "token" not in busy["owner"]
    assert 0 <= busy["heard_s"] <= busy["held_s"] < 60
    assert second.process.wait(10) == 3


def test_the_lease_is_free_once_its_holder_has_ended(start: Start) -> None:
    first = start(an_owner())
    first.hear("hello")
    assert first.end() == 0
    assert start(an_owner("t2")).hear("hello", "busy", "took_over")["say"] == "hello"


def test_the_same_owner_fences_off_its_earlier_run_with_all_that_ran_there(start: Start, tmp_path: Path) -> None:
    first = start(an_owner())
    first.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang_with_a_child")))
    child, launched = wait_for_pid(tmp_path / "m.child"), wait_for_pid(tmp_path / "m")
    second = start(an_owner())
    told = second.hear("took_over", "hello", "busy")
    assert (told["say"], told["why"]) == ("took_over", "reconnect")
    second.hear("hello")
    assert wait_for_end(first.process.pid)
    assert wait_for_end(launched)
    assert wait_for_end(child)


def test_an_owner_whose_supervisor_hangs_is_stale_after_twice_its_patience(start: Start) -> None:
    first = start(an_owner(), patience_s=0.5)
    first.hear("hello")
    first.process.send_signal(signal.SIGSTOP)

    def over() -> bool:
        return bool(start(an_owner("t2")).hear("took_over", "busy")["say"] == "took_over")

    until(over)
    assert wait_for_end(first.process.pid)


def test_what_a_dead_one_left_is_said(start: Start) -> None:
    first = start(an_owner())
    first.hear("hello")
    first.process.kill()
    first.process.wait(10)
    assert start(an_owner("t2")).hear("took_over", "hello")["why"] == "dead"


def test_what_fled_its_process_group_is_ended_too(start: Start, tmp_path: Path) -> None:
    first = start(an_owner())
    first.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="leave_a_child_behind")))
    first.hear("ended")
    fled = wait_for_pid(tmp_path / "m")
    assert is_running(fled)
    start(an_owner()).hear("hello")
    assert wait_for_end(fled)


def test_a_note_cannot_choose_whom_a_supervisor_kills(start: Start, tmp_path: Path) -> None:
    """Whoever may write to a shared lease holds its lock and signs as somebody else's process."""
    lease = tmp_path / "lease"
    (bystander := start(an_owner("t3"), lease=tmp_path / "other")).hear("hello")
    note = json.loads((tmp_path / "other").read_text())
    lease.write_text(json.dumps({**note, "heard": 0.0, "patience": 0.1}))
    with lease.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        busy = start(an_owner("t2")).hear("busy", "hello", "took_over")
    assert (busy["say"], "does not hold its lock" in busy["error"]) == ("busy", True)
    assert is_running(bystander.process.pid)


def test_a_number_that_names_another_process_by_now_is_let_alone(start: Start, tmp_path: Path) -> None:
    first = start(an_owner())
    first.hear("hello")
    first.process.kill()
    first.process.wait(10)
    lease = tmp_path / "lease"
    note = json.loads(lease.read_text())
    bystander = start(an_owner("t3"), lease=tmp_path / "other").process.pid
    note["launch"] = {"attempt": "a", "pid": bystander, "start": 1}
    lease.write_text(json.dumps(note))
    start(an_owner("t2")).hear("hello")
    assert is_running(bystander)


def test_a_host_that_says_nothing_is_given_up_and_its_launch_killed(start: Start, tmp_path: Path) -> None:
    talk = start(an_owner(), patience_s=1.0)
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang")))
    launched = wait_for_pid(tmp_path / "m")
    assert talk.process.wait(15) == 0
    assert wait_for_end(launched)


def test_a_host_that_does_not_read_is_given_up_too(start: Start) -> None:
    """The link stalls: nothing is heard, and what the agent says fills the pipe until it cannot go on."""
    talk = start(an_owner(), patience_s=1.5)
    talk.hear("hello")
    for number in range(400):
        talk.ask(str(number), "conditions")
    assert talk.process.wait(20) == 0


def test_a_host_that_keeps_in_touch_during_a_launch_is_waited_for(start: Start, tmp_path: Path) -> None:
    talk = start(an_owner(), patience_s=4.0)
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang", deadline_s=6.0)))
    talk.hear("started")
    while True:
        talk.ask("k", "keep")
        if (said := talk.hear("heartbeat", "ended", "refused"))["say"] != "heartbeat":
            break
    assert (said["say"], said["reason"]) == ("ended", "deadline")


def test_an_attempt_is_started_once(start: Start, tmp_path: Path) -> None:
    order = encode(an_order(tmp_path / "m", attempt="behave"))
    first = start(an_owner())
    first.ask("1", "launch", order=order)
    assert first.hear("ended", "refused")["say"] == "ended"
    second = start(an_owner())
    second.ask("1", "launch", order=order)
    assert "attempt behave was started before" in second.hear("ended", "refused")["error"]
    second.ask("2", "launch", order={**order, "api": "interpreter"})
    assert second.hear("ended", "refused")["say"] == "ended"


def test_the_note_names_the_attempt_while_it_runs(start: Start, tmp_path: Path) -> None:
    talk = start(an_owner())
    talk.ask("1", "launch", order=encode(an_order(tmp_path / "m", attempt="hang")))
    started = talk.hear("started")
    note = json.loads((tmp_path / "lease").read_text())
    assert (note["launch"]["attempt"], note["launch"]["pid"]) == ("hang", started["pid"])
    talk.ask("2", "cancel", launch="1")
    talk.hear("ended")
    until(lambda: json.loads((tmp_path / "lease").read_text())["launch"] is None)


def test_the_files_of_a_private_lease_are_its_owners_alone_and_hold_no_token(start: Start, tmp_path: Path) -> None:
    start(an_owner("secret-token")).hear("hello")
    assert (tmp_path / "lease").stat().st_mode & 0o077 == 0
    assert "secret-token" not in (tmp_path / "lease").read_text()


def test_governors_are_set_read_back_and_restored(start: Start, tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil", "performance", "powersave")
    talk = start(an_owner(), "--root", str(tmp_path / "root"))
    talk.ask("1", "prepare", wishes={"governor": "performance"})
    assert talk.hear("prepared", "refused") == {
        "v": 3,
        "say": "prepared",
        "id": "1",
        "settings": {"governor": "performance"},
        "refused": {},
    }
    assert read(files) == ["performance"] * 3
    talk.ask("2", "conditions")
    assert talk.hear("conditions")["conditions"]["prepared"] == {"governor": "performance"}
    assert talk.end() == 0
    assert read(files) == ["schedutil", "performance", "powersave"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_with_everything_restored(start: Start, tmp_path: Path, number: int) -> None:
    files = plant_policies(tmp_path / "root", "schedutil")
    talk = start(an_owner(), "--root", str(tmp_path / "root"))
    talk.ask("1", "prepare", wishes={"governor": "performance"})
    talk.hear("prepared")
    talk.process.send_signal(number)
    assert talk.process.wait(10) == 0
    assert read(files) == ["schedutil"]


def test_silence_restores(start: Start, tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil")
    talk = start(an_owner(), "--root", str(tmp_path / "root"), patience_s=1.0)
    talk.ask("1", "prepare", wishes={"governor": "performance"})
    talk.hear("prepared")
    assert talk.process.wait(15) == 0
    assert read(files) == ["schedutil"]


def test_what_a_killed_one_left_switched_on_the_next_one_restores(start: Start, tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil", "powersave")
    first = start(an_owner(), "--root", str(tmp_path / "root"))
    first.ask("1", "prepare", wishes={"governor": "performance"})
    first.hear("prepared")
    first.process.kill()
    first.process.wait(10)
    assert read(files) == ["performance"] * 2
    start(an_owner("t2"), "--root", str(tmp_path / "root")).hear("hello")
    assert read(files) == ["schedutil", "powersave"]


def test_what_somebody_else_has_set_since_is_theirs(start: Start, tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil")
    talk = start(an_owner(), "--root", str(tmp_path / "root"))
    talk.ask("1", "prepare", wishes={"governor": "performance"})
    talk.hear("prepared")
    files[0].write_text("powersave\n")
    talk.end()
    assert read(files) == ["powersave"]


def test_a_governor_that_the_device_has_not_is_refused_and_shown(start: Start, tmp_path: Path) -> None:
    plant_policies(tmp_path / "root", "schedutil")
    talk = start(an_owner(), "--root", str(tmp_path / "root"))
    talk.ask("1", "prepare", wishes={"governor": "ludicrous"})
    refused = talk.hear("prepared")["refused"]
    assert refused == {"governor": "not available: policy0 has performance, schedutil, powersave"}
    talk.ask("2", "conditions")
    prepared = talk.hear("conditions")["conditions"]["prepared"]
    assert prepared == {"refused": "governor: not available: policy0 has performance, schedutil, powersave"}


def test_without_a_lease_nothing_is_switched_on(tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil")
    talk = Talk(tmp_path, "--root", str(tmp_path / "root"))
    talk.ask("1", "prepare", wishes={"governor": "performance"})
    assert "not without a lease" in talk.hear("prepared")["refused"]["governor"]
    assert talk.end() == 0
    assert talk.process.stdout is not None
    talk.process.stdout.close()
    assert read(files) == ["schedutil"]


def a_device(folder: Path, owner: Owner, *, prepare: bool = False, lease: Path | None = None) -> AttachedDevice:
    agent = LocalAgent(
        agents=folder,
        launch=(sys.executable, "-I", "-S", str(MISBEHAVING)),
        root=folder / "root",
        lease=lease or folder / "lease",
        owner=owner,
        patience_s=30.0,
    )
    facts = DeviceFacts(name="board", family="linux", simulated=False)
    return AttachedDevice(facts, lambda: agent.connect("board"), nullcontext, op_table, prepare=prepare)


def test_a_device_that_is_busy_says_so_in_words(tmp_path: Path, start: Start) -> None:
    start(an_owner()).hear("hello")
    with pytest.raises(DeviceBusy, match=r"^board: bench@tower \(campaign X, pid 123\) has measured on it for \d+ s"):
        a_device(tmp_path, an_owner("t2")).__enter__()


def test_a_lease_that_cannot_be_taken_is_no_lost_device(tmp_path: Path) -> None:
    (tmp_path / "lease").mkdir()
    with pytest.raises(DeviceRefused, match="no lease can be taken in"):
        a_device(tmp_path, an_owner()).__enter__()


def test_entering_prepares_and_leaving_restores(tmp_path: Path) -> None:
    files = plant_policies(tmp_path / "root", "schedutil")
    with a_device(tmp_path, an_owner(), prepare=True) as device:
        assert device.conditions().prepared == {"governor": "performance"}
    assert read(files) == ["schedutil"]


def test_a_launch_goes_on_after_its_supervisor_was_killed(tmp_path: Path) -> None:
    """The next call starts another agent of the same owner, which takes over."""
    with a_device(tmp_path, an_owner()) as device:
        os.kill(json.loads((tmp_path / "lease").read_text())["pid"], signal.SIGKILL)
        first = device.launch(an_order(tmp_path / "m", attempt="behave"))
        assert isinstance(first, LaunchFailure)
        assert isinstance(device.launch(an_order(tmp_path / "m", attempt="behave")), LaunchRecord)


def test_a_device_says_how_it_was_taken(tmp_path: Path, start: Start) -> None:
    first = start(an_owner("t2", "doctor"))
    first.hear("hello")
    first.process.kill()
    first.process.wait(10)
    with a_device(tmp_path, an_owner()) as device:
        assert notices_of([device, device]) == [
            "board: bench@tower (doctor, pid 123) left it without giving it back; what it left was ended and restored"
        ]


def test_a_host_with_nothing_to_say_keeps_its_agent(tmp_path: Path) -> None:
    """The keep-alive of an attached device goes on by itself: its agent outlives its patience."""
    agent = LocalAgent(
        agents=tmp_path,
        launch=(sys.executable, "-I", "-S", str(MISBEHAVING)),
        lease=tmp_path / "lease",
        owner=an_owner(),
        patience_s=7.0,
    )
    facts = DeviceFacts(name="board", family="linux", simulated=False)
    with AttachedDevice(facts, lambda: agent.connect("board"), nullcontext, op_table) as device:
        pid = json.loads((tmp_path / "lease").read_text())["pid"]
        device.launch(an_order(tmp_path / "m", attempt="hang", deadline_s=9.0))
        assert json.loads((tmp_path / "lease").read_text())["pid"] == pid
        assert device.notices == []
