"""The faults that the bench survives: what a user sees of each, and what becomes of the campaign.

docs/reliability.md prints this table, and each row is proven by the test that carries its name:
`python -m tests.support.faults` writes the table anew.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- faults: begin -->", "<!-- faults: end -->"

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A thing that goes wrong. seen: what the user reads. follows: what becomes of the device's part."""

    what: str
    where: str
    seen: str
    follows: str


_AGAIN = "the block is run again at once, whole"
_RESUME = "the device is given up; the others go on; `run --resume` does the rest"
_ONE = "that launch failed and is recorded; the next one is another process"

FAULTS: dict[str, Fault] = {
    "host_killed": Fault(
        what="SIGKILL before or after any write to the journal",
        where="host",
        seen="nothing; `run --resume` says what is done",
        follows="at most the block under way is measured again",
    ),
    "host_killed_over_ssh": Fault(
        what="SIGKILL while a launch runs on a board",
        where="host",
        seen="nothing",
        follows="the agent ends with its connection, with all that it started; a resume may start at once",
    ),
    "store_full": Fault(
        what="the disk fills up",
        where="host",
        seen="one line with the folder and a way out, exit code 3",
        follows="nothing more is measured, since it could not be kept; a resume does the rest",
    ),
    "clock_jumps_on_host": Fault(
        what="the clock is set back or forth by hours",
        where="host",
        seen="nothing",
        follows="goes on: every wait is by the monotonic clock",
    ),
    "clock_jumps_on_device": Fault(
        what="the clock is set back or forth by hours",
        where="board",
        seen="a reason in the grade of the launches it fell into",
        follows="goes on: samples and deadlines are by the monotonic clock",
    ),
    "supervisor_killed": Fault(
        what="SIGKILL of the agent's supervisor in a launch", where="board", seen="nothing", follows=_AGAIN
    ),
    "launch_killed": Fault(
        what="a launch is killed, as the kernel does where memory runs out",
        where="board",
        seen="`the process died by signal 9 (exit code 137)`",
        follows=_ONE,
    ),
    "segfault": Fault(
        what="a launch crashes", where="board", seen="`the process died by signal 11 (exit code 139)`", follows=_ONE
    ),
    "hang": Fault(what="a launch hangs", where="board", seen="`killed: did not end in N s`", follows=_ONE),
    "endless_output": Fault(
        what="a launch talks without end",
        where="board",
        seen="`killed: it said more than a launch has to say`",
        follows=_ONE,
    ),
    "garbage": Fault(
        what="a launch prints what is not the agent's language",
        where="board",
        seen="`killed: not a JSON line: ...`",
        follows=_ONE,
    ),
    "link_reset_in_launch": Fault(
        what="the connection is reset in a launch", where="SSH link", seen="nothing", follows=_AGAIN
    ),
    "link_cut_in_launch": Fault(
        what="the link is cut in a launch, and stays so",
        where="SSH link",
        seen="`board: ... cannot be reached`, with the address",
        follows=_RESUME,
    ),
    "link_stalls_in_launch": Fault(
        what="the link stalls in a launch, without a word from either end",
        where="SSH link",
        seen="`board: ...` after the silence that is allowed",
        follows=_RESUME,
    ),
    "link_cut_and_restored": Fault(
        what="the link stalls in a launch and comes back, while the old run is still alive",
        where="SSH link",
        seen="nothing",
        follows="the old run is fenced off: its agent is ended before another one starts; " + _AGAIN,
    ),
    "link_slowed": Fault(what="the link becomes slow", where="SSH link", seen="nothing", follows="goes on, later"),
    "link_reset_in_push": Fault(
        what="the connection is reset while a file is sent",
        where="SSH link",
        seen="nothing",
        follows=_AGAIN + "; the part that was sent is overwritten",
    ),
    "link_cut_in_push": Fault(
        what="the link is cut while a file is sent, and stays so",
        where="SSH link",
        seen="`board: ...` with the file",
        follows=_RESUME,
    ),
    "link_broken_in_pull": Fault(
        what="the link breaks or stalls while a file is fetched",
        where="SSH link",
        seen="one line with the file",
        follows="no part of it is left on the host",
    ),
    "sshd_killed": Fault(
        what="sshd is killed, with its sessions", where="board", seen="`board: ...` with the address", follows=_RESUME
    ),
    "device_full": Fault(
        what="the disk is full",
        where="board",
        seen="`board: no space is left ...` with the folder and how to make room",
        follows=_RESUME,
    ),
    "wrong_host_key": Fault(
        what="the host key is another than the known one",
        where="board",
        seen="one line with both ways out: the command that removes the old key, and whom to ask first",
        follows="nothing is sent to it; the others go on",
    ),
    "wrong_password": Fault(
        what="the password, or the key, is refused",
        where="board",
        seen="one line with what was tried; never the secret",
        follows="the others go on",
    ),
    "two_hosts": Fault(
        what="another host measures on it",
        where="board",
        seen="who, for how long, and when it was last heard",
        follows=_RESUME,
    ),
    "replaced": Fault(
        what="another device answers at the address",
        where="board",
        seen="`another board answers at its address now`",
        follows="nothing is measured on it; " + _RESUME,
    ),
    "host_killed_over_adb": Fault(
        what="SIGKILL while a launch runs on a phone",
        where="host",
        seen="nothing",
        follows="the launch ends with its host; a resume may start at once, and switches back what was left on",
    ),
    "phone_rebooted_in_launch": Fault(
        what="the phone restarts in a launch",
        where="phone",
        seen="nothing",
        follows="it is prepared anew; " + _AGAIN,
    ),
    "phone_link_broken_in_launch": Fault(
        what="the connection breaks in a launch and comes back", where="adb link", seen="nothing", follows=_AGAIN
    ),
    "phone_gone_in_launch": Fault(
        what="the phone is unplugged in a launch, and stays so",
        where="adb link",
        seen="`phone: ...` with its address",
        follows=_RESUME + ", and switches back what was left on",
    ),
    "phone_offline": Fault(
        what="the phone answers no more, which adb calls offline",
        where="adb link",
        seen="`phone: ...` with its address, after that one phone was reconnected",
        follows=_RESUME,
    ),
    "phone_unauthorised": Fault(
        what="the phone takes its authorisation back",
        where="phone",
        seen="`it has not authorised this machine ...; accept the prompt ...`",
        follows=_RESUME,
    ),
    "phone_killed_by_system": Fault(
        what="Android kills a launch, as it does where memory runs out",
        where="phone",
        seen="`the system killed it (exit code 137)`",
        follows=_ONE,
    ),
    "phone_full": Fault(
        what="the disk is full",
        where="phone",
        seen="`no space is left on the phone ...` with the place and how to make room",
        follows=_RESUME,
    ),
    "phone_replaced": Fault(
        what="another phone answers at the address",
        where="phone",
        seen="`another phone answers at its address`, with both serials",
        follows="nothing is measured on it; " + _RESUME,
    ),
    "two_hosts_phone": Fault(
        what="another host measures on it",
        where="phone",
        seen="who, and for how long",
        follows=_RESUME,
    ),
}

PROVEN: dict[str, str] = {}


def proves(*names: str) -> Callable[[Test], Test]:
    """Marks a test as the proof of these rows."""

    def mark(test: Test) -> Test:
        for name in names:
            assert name in FAULTS, name
            PROVEN[name] = f"{test.__module__}.{test.__name__}"
        return test

    return mark


def table() -> str:
    """The rows as docs/reliability.md has them."""
    head = "| fault | where | what the user sees | what follows |\n|---|---|---|---|\n"
    return head + "".join(f"| {f.what} | {f.where} | {f.seen} | {f.follows} |\n" for f in FAULTS.values())


def document(text: str) -> str:
    """The page with the table of today."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table()}{_END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
