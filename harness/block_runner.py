"""The blocks of one device, one after another: gate, canary, launches, canary."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from harness.core.cell import Cell
from harness.core.device import Canary
from harness.core.errors import DeviceError, DeviceLost, StoreError
from harness.core.launch import FailureKind, LaunchFailure, LaunchOutcome, Pass
from harness.core.limits import Limits
from harness.core.ports import Device
from harness.core.trouble import TroubleKind
from harness.countdown import Countdown
from harness.journal import Journal, first_face, has_latency, is_hopeless
from harness.launching import Loadable, launch_order
from harness.patience import Patience, Settled
from harness.plan import Block, weight_cache

# A canary this recent still tells the state that the next block starts in.
_CANARY_FRESH_S = 1.0
# Of one device in one run: one that never comes to rest must not take twice as long for it.
_REPEATED_AT_MOST = 10

Done = list[tuple[Cell, LaunchOutcome]]


class Stopped(Exception):
    """Somebody wants the campaign to end now: the block under way is torn."""


class _Moved(Exception):
    """The canary moved during a block, which is worth running again."""


class BlockRunner:
    """Runs blocks on one device, and writes down what came of each."""

    def __init__(
        self,
        device: Device,
        loadables: Mapping[tuple[str, str], Loadable],
        journal: Journal,
        clock: Countdown,
        stop: threading.Event,
        limits: Limits,
    ) -> None:
        self._device = device
        self._loadables = loadables
        self._journal = journal
        self._clock = clock
        self._stop = stop
        self._canary: tuple[float, Canary] | None = None
        self._patience = Patience(device, limits, self._say, journal.canaries(device.facts.name))
        self._repeated = 0

    def run(self, block: Block) -> None:
        """Run a block; where the agent goes away under it, once more, and then it is the failure of that launch.

        Once more too where the canary moved during it. Raises DeviceLost where the device cannot be reached at the
        second time either, DeviceUnfit, DeviceRefused, DeviceFull and DeviceBusy at once, and Stopped.
        """
        due = [cell for cell in block.cells if self._is_due(cell, block)]
        for cell in block.cells:
            if cell not in due:
                self._clock.ended(cell, f"{_place(cell)} passed over", None)
        if due:
            self._run_due(block, due)

    def _run_due(self, block: Block, due: Sequence[Cell]) -> None:
        lost: DeviceLost | None = None
        may_move = False
        while True:
            done: Done = []
            try:
                self._run_once(block, due, done, again=lost is not None, may_move=may_move)
                break
            except _Moved:
                may_move = True
                self._repeated += 1
            except DeviceLost as error:
                if self._stop.is_set():
                    raise Stopped from None
                if lost is not None:
                    raise
                lost = error
            self._clock.torn([cell for cell, _ in done])
        if lost is not None and not any(_is_loss(outcome) for _, outcome in done):
            self._journal.trouble(self._device.facts, TroubleKind.AGENT, lost.reason)

    def _run_once(self, block: Block, due: Sequence[Cell], done: Done, *, again: bool, may_move: bool) -> None:
        """done takes the launches that have ended, for whoever has to run them again."""
        waited_s = self._patience.until_fit()
        started = self._settled(waited_s) if block.pass_ is Pass.LATENCY else None
        identity = self._begin(block, started, waited_s)
        try:
            self._launch_all(block, due, done, identity, again=again)
            after = self._take_canary() if started else None
            moved = self._patience.moved(started.canary, after) if started and after else None
            if moved and not may_move and self._repeated < _REPEATED_AT_MOST:
                self._journal.tear(identity, moved)
                raise _Moved
        except DeviceError as error:
            if not self._stop.is_set():
                self._journal.tear(identity, str(error))
            raise
        self._journal.end(block, identity, after)
        if started and after:
            self._patience.learn(started.canary, after)

    def _begin(self, block: Block, started: Settled | None, waited_s: float) -> str:
        if started is None:
            return self._journal.begin(block, None, waited_s=waited_s)
        waited_s += started.waited_s
        return self._journal.begin(block, started.canary, waited_s=waited_s, doubt=started.doubt)

    def _launch_all(self, block: Block, due: Sequence[Cell], done: Done, identity: str, *, again: bool) -> None:
        for position, cell in enumerate(due):
            self._heed_stop()
            started = time.monotonic()
            outcome = self._launch(cell, block, position, f"{identity}.{position}")
            self._heed_stop()
            if _is_loss(outcome) and not again:
                raise DeviceLost(self._device.facts.name, outcome.message)
            self._journal.save(identity, cell.id, position, outcome)
            done.append((cell, outcome))
            self._clock.ended(cell, f"{_place(cell)} {block.pass_}", time.monotonic() - started)

    def _heed_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _say(self, text: str) -> None:
        """Told while waiting, at each look."""
        self._heed_stop()
        self._clock.waiting(text)

    def _is_due(self, cell: Cell, block: Block) -> bool:
        if (cell.model, cell.variant) not in self._loadables or block.index >= cell.settings.launches:
            return False
        outcomes = self._journal.outcomes(cell.id)
        if is_hopeless(outcomes):
            return False
        return block.pass_ is Pass.LATENCY or has_latency(outcomes)

    def _launch(self, cell: Cell, block: Block, position: int, attempt: str) -> LaunchOutcome:
        loadable = self._loadables[cell.model, cell.variant]
        order = launch_order(cell, block.pass_, attempt, loadable, weight_cache(block, position))
        api, fallback = first_face(self._journal.outcomes(cell.id))
        try:
            return self._device.launch(replace(order, api=api, fallback=fallback))
        except (DeviceError, StoreError):
            raise
        except Exception as error:  # one cell must not end the others, whatever its device made of it
            return LaunchFailure(
                attempt=attempt,
                pass_=block.pass_,
                kind=FailureKind.ERROR,
                message=f"{cell.device} on {cell.model} {cell.variant}: {type(error).__name__}: {error}",
            )

    def _settled(self, waited_s: float) -> Settled:
        fresh = self._canary is not None and not waited_s and time.monotonic() - self._canary[0] < _CANARY_FRESH_S
        first = self._canary[1] if fresh and self._canary else self._take_canary()
        return self._patience.until_settled(first, self._take_canary)

    def _take_canary(self) -> Canary:
        canary = self._device.canary()
        self._canary = (time.monotonic(), canary)
        return canary


def _is_loss(outcome: LaunchOutcome) -> TypeGuard[LaunchFailure]:
    return isinstance(outcome, LaunchFailure) and outcome.kind is FailureKind.LOST


def _place(cell: Cell) -> str:
    return f"{cell.model} {cell.variant} {cell.unit}"
