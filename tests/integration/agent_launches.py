"""Launches that misbehave, started by a real supervisor in place of the agent's own.

What one does is the `attempt` of its order. It leaves its process id beside the variant, in `<variant>.pid`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LONG_S = 60  # past every deadline of the tests
MEGABYTE = 1 << 20


def say(kind: str, identity: str, **fields: object) -> None:
    print(json.dumps({"v": 3, "id": identity, "say": kind, **fields}), flush=True)


def begin(identity: str) -> None:
    say("begun", identity, started_at=1.0, runtime="LiteRT 2.3.0", api="compiled-model", fallback=None)


def behave(identity: str) -> None:
    """Everything a launch has to say in a latency pass."""
    begin(identity)
    say("loaded", identity, environment_ns=1, compile_ns=2, first_ns=3, delegation=None, adapter=None)
    say("samples", identity, wall_ns=[4, 5], cpu_ns=[4, 5], starts_ns=[0, 9], warmup_ns=[3], clock_ns=1)
    say("done", identity)


def segfault(_: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def exit_three(_: str) -> None:
    print("first words", "last words", sep="\n", file=sys.stderr, flush=True)
    sys.exit(3)


def hang(_: str) -> None:
    time.sleep(LONG_S)


def hang_deaf(_: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(LONG_S)


def flood_stderr(_: str) -> None:
    for _megabyte in range(64):
        sys.stderr.write("x" * MEGABYTE)
    sys.stderr.write("\nthe end of the flood\n")
    sys.exit(3)


def flood_stderr_and_behave(identity: str) -> None:
    for _ in range(16):
        sys.stderr.write("x" * MEGABYTE)
    behave(identity)


def flood_stdout(_: str) -> None:
    while True:
        sys.stdout.write("x" * MEGABYTE)


def talk_forever(identity: str) -> None:
    while True:
        say("done", identity)


def garbage(identity: str) -> None:
    begin(identity)
    print("Segmentation fault (core dumped) %!", flush=True)
    time.sleep(LONG_S)


def unknown_key(identity: str) -> None:
    say("done", identity, mood="good")
    time.sleep(LONG_S)


def other_version(identity: str) -> None:
    print(json.dumps({"v": 1, "id": identity, "say": "done"}), flush=True)
    time.sleep(LONG_S)


def speak_for_another(_: str) -> None:
    say("done", "another")
    time.sleep(LONG_S)


def tell_oom_score(_: str) -> None:
    score = Path("/proc/self/oom_score_adj")
    sys.stderr.write(score.read_text() if score.exists() else "no such thing")
    sys.exit(3)


def say_nothing(_: str) -> None:
    """Ends well, as if it had measured."""


def close_stdout_and_hang(_: str) -> None:
    os.close(1)
    time.sleep(LONG_S)


def leave_a_child_behind(_: str) -> None:
    """The child flees the group and holds the pipes open."""
    child = subprocess.Popen((sys.executable, "-c", f"import time; time.sleep({LONG_S})"), start_new_session=True)
    Path(f"{VARIANT}.pid").write_text(str(child.pid))
    sys.exit(3)


def hang_with_a_child(_: str) -> None:
    """The child is of the same group. Its process id is left in `<variant>.child.pid`."""
    child = subprocess.Popen((sys.executable, "-c", f"import time; time.sleep({LONG_S})"))
    written = Path(f"{VARIANT}.child.partial")
    written.write_text(str(child.pid))
    written.rename(f"{VARIANT}.child.pid")
    time.sleep(LONG_S)


def main() -> None:
    global VARIANT
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    VARIANT = request["order"]["variant"]
    written = Path(f"{VARIANT}.pid.partial")
    written.write_text(str(os.getpid()))
    written.rename(f"{VARIANT}.pid")
    globals()[request["order"]["attempt"]](request["id"])


VARIANT = ""

if __name__ == "__main__":
    main()
