"""A host that is killed outright at a step of its journal, in a process of its own: `python -m tests.support.dying`.

For each step of a small campaign on the simulated device, before it and after it: a process that dies there by SIGKILL,
then another that resumes. One JSON line each says what the store held when it died and what it holds in the end.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from harness.store import Store
from tests.support.campaigns import CAMPAIGN, a_simulated_plan, begin_simulated, carry_on, simulated

# Whatever writes to the store while a campaign runs.
STEPS = ("tear_open_blocks", "begin_block", "save_launch", "end_block", "end_campaign")


class DyingStore:
    """A Store that kills its own process at write number `at`: before it, or once it is done."""

    def __init__(self, store: Store, at: int, when: str) -> None:
        self._store, self._left, self._when = store, at, when

    def __getattr__(self, name: str) -> object:
        found: object = getattr(self._store, name)
        return self._counted(cast(Callable[..., object], found)) if name in STEPS else found

    def _counted(self, write: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object) -> object:
            last, self._left = self._left == 0, self._left - 1
            if last and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = write(*arguments)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return step


def measure(folder: Path, at: int, when: str) -> None:
    """The whole campaign, as far as it goes."""
    with Store.open(folder / "bench.db") as real, simulated(unit_factors={"cpu": 1.0}) as device:
        store = cast(Store, DyingStore(real, at, when))
        plan = a_simulated_plan(device, launches=2)
        if not real.campaigns():
            begin_simulated(real, plan, device)
        carry_on(store, plan, device, folder)
        store.end_campaign(CAMPAIGN, 1.0)


def attempts(folder: Path) -> list[str]:
    with Store.open(folder / "bench.db") as store:
        return sorted(launch.outcome.attempt for launch in store.load(CAMPAIGN).launches)


def launches(folder: Path) -> list[tuple[str, str]]:
    with Store.open(folder / "bench.db") as store:
        stored = store.load(CAMPAIGN)
        assert stored.campaign.ended_at is not None
        return sorted((launch.cell, launch.outcome.pass_.value) for launch in stored.launches)


def in_a_process(folder: Path, at: int, when: str) -> int:
    """The signal that ended it, 0 where it ended by itself."""
    child = os.fork()
    if child == 0:
        measure(folder, at, when)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def main() -> int:
    """Die at each step, until there is none left to die at."""
    for at in range(sys.maxsize):
        for when in ("before", "after"):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                if in_a_process(folder, at, when) != signal.SIGKILL:
                    print(json.dumps({"steps": at, "launches": launches(folder)}))
                    return 0
                kept = attempts(folder)
                resumed = in_a_process(folder, sys.maxsize, when)
                lost = sorted(set(kept) - set(attempts(folder)))
                line = {"at": at, "when": when, "signal": resumed, "lost": lost, "launches": launches(folder)}
                print(json.dumps(line), flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
