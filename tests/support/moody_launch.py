"""Started in place of the agent's launch: does what stands first in a file of moods, and without one really measures.

    python moody_launch.py FOLDER AGENT.pyz

FOLDER/moods has a mood a line, each used once, by whichever launch comes first; FOLDER/pid is the process id of the
latest launch, written before it does anything.
"""

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

LONG_S = 120  # past every deadline of the tests
MEGABYTE = 1 << 20


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def out_of_memory() -> None:
    """As the kernel does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    time.sleep(LONG_S)


def talk_forever() -> None:
    while True:
        sys.stdout.write("x" * MEGABYTE)


def garbage() -> None:
    print("Segmentation fault (core dumped) %!", flush=True)
    time.sleep(LONG_S)


def well() -> None:
    """Goes on to measure."""


def slowly() -> None:
    """Goes on to measure after a while, in which something can happen."""
    time.sleep(1.0)


MOODS = {mood.__name__: mood for mood in (segfault, out_of_memory, hang, talk_forever, garbage, well, slowly)}


def next_mood(folder: Path) -> str:
    with (folder / "moods").open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        first, *rest = [*stream.read().split(), ""]
        stream.seek(0)
        stream.truncate()
        stream.write("\n".join(rest))
    return first


def main() -> None:
    folder, agent = Path(sys.argv[1]), sys.argv[2]
    mood = next_mood(folder)
    part = folder / "pid.part"
    part.write_text(json.dumps({"pid": os.getpid(), "mood": mood}))
    part.rename(folder / "pid")
    if mood:
        MOODS[mood]()
    os.execv(sys.executable, (sys.executable, "-I", "-S", agent, "launch"))


if __name__ == "__main__":
    main()
