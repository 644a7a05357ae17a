"""Carry out a plan: every block on its device, every launch saved as it ends."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.cell import Cell
from harness.core.device import Canary
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused, StoreError
from harness.core.interruption import Check, never
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome, Pass, WeightCache
from harness.core.model import Graph
from harness.core.ports import Device
from harness.core.units import Seconds
from harness.core.variant import Variant
from harness.journal import Journal, first_face, has_latency, is_hopeless
from harness.plan import Block, launch_estimate, weight_cache

# Loading the runtime and the model, on the slowest board, before the first inference.
_LOAD_ALLOWANCE_S = 10.0
# A GPU compiles a program an operator: MobileNetV2 took two minutes on a software adapter (Mesa's lavapipe, cold).
_COMPILE_ALLOWANCE_S = {"gpu": 180.0, "npu": 180.0}
# The first inference, one of warming up and one that counts are made whatever they take. Reference kernels of int16x8
# do 1e9 multiply-accumulates a second on a server's core; a damaged file may claim any number of them.
_FEWEST_INFERENCES = 3
_SLOWEST_MACS_PER_SECOND = 1e8
_WORK_ALLOWANCE_S_AT_MOST = 600.0
# A canary this recent still tells the state that the next block starts in.
_CANARY_FRESH_S = 1.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """A variant with what its launches need: input files in signature order (empty: seeded inputs), its graph.

    signature is the key of the one to run, None for the first.
    """

    variant: Variant
    inputs: tuple[Path, ...]
    graph: Graph | None
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Launches done of total, what has just ended, and a guess of the seconds left."""

    done: int
    total: int
    text: str
    left_s: Seconds


Report = Callable[[Progress], None]


class Countdown:
    """Remaining time, from the launches that have ended. Shared by the threads of all devices."""

    def __init__(self, blocks: Sequence[Block], report: Report) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._cells = {cell.id: cell for block in blocks for cell in block.cells}
        for block in blocks:
            for cell in block.cells:
                self._left[cell.id] = self._left.get(cell.id, 0) + 1
        self._total = sum(self._left.values())
        self._spent: dict[str, list[float]] = {}

    def ended(self, cell: Cell, text: str, spent_s: Seconds | None) -> None:
        """A launch of the cell ended after spent_s, or was passed over (None)."""
        with self._lock:
            self._left[cell.id] -= 1
            if spent_s is not None:
                self._spent.setdefault(cell.id, []).append(spent_s)
            done = self._total - sum(self._left.values())
            self._report(Progress(done=done, total=self._total, text=text, left_s=self._remaining()))

    def torn(self, cells: Sequence[Cell]) -> None:
        """The launches of these cells will be run again: their block came to nothing."""
        with self._lock:
            for cell in cells:
                self._left[cell.id] += 1

    def _remaining(self) -> Seconds:
        known = [s for spent in self._spent.values() for s in spent]
        guesses = [launch_estimate(self._cells[cell]) for cell in self._spent]
        planned = sum(guesses)
        # What launches took over what was guessed scales the cells that have not run yet.
        scale = (sum(known) / len(known)) / (planned / len(guesses)) if known and planned else 1.0
        return sum(left * self._expect(cell, scale) for cell, left in self._left.items() if left)

    def _expect(self, cell: str, scale: float) -> Seconds:
        spent = self._spent.get(cell)
        return sum(spent) / len(spent) if spent else scale * launch_estimate(self._cells[cell])


def run_campaign(
    blocks: Sequence[Block],
    loadables: Mapping[tuple[str, str], Loadable],
    devices: Mapping[str, Device],
    journal: Journal,
    report: Report,
    check: Check = never,
) -> tuple[str, ...]:
    """Run every block that the journal does not have yet, one thread a device.

    Returns why devices were given up, one sentence each; empty when all was done. Raises StoreError where results
    can no longer be saved: then nothing more is measured. check is called several times a second; on KeyboardInterrupt,
    its own or Python's, the launches under way are ended.
    """
    left = [block for block in blocks if not journal.is_done(block)]
    clock = Countdown(left, report)
    stop = threading.Event()

    def serve(names: Sequence[str]) -> list[str | None]:
        """The devices of one machine, one after another."""
        return [serve_one(name) for name in names]

    def serve_one(name: str) -> str | None:
        mine = [block for block in left if block.device == name]
        return _run_device(_Runner(devices[name], loadables, journal, clock, stop), mine, name)

    names = sorted({block.device for block in left})
    if not names:
        return ()
    machines = _by_machine(names, devices)
    with ThreadPoolExecutor(max_workers=len(machines)) as pool:
        futures: list[Future[list[str | None]]] = []
        try:
            futures += [pool.submit(serve, together) for together in machines]
            while wait(futures, timeout=_POLL_S).not_done:
                check()
                if any(f.done() and f.exception() for f in futures):
                    stop.set()
        except BaseException:
            stop.set()
            for name in names:
                devices[name].__exit__(None, None, None)
            raise
        lost = [reason for future in futures for reason in future.result()]
    return tuple(reason for reason in lost if reason)


def _by_machine(names: Sequence[str], devices: Mapping[str, Device]) -> list[list[str]]:
    """Devices that must not measure at the same time, since they are one machine."""
    machines: dict[str, list[str]] = {}
    for name in names:
        machines.setdefault(devices[name].facts.machine or f"device {name}", []).append(name)
    return list(machines.values())


class _Stopped(Exception):
    """Somebody wants the campaign to end now: the block under way is torn."""


def _run_device(runner: "_Runner", blocks: Sequence[Block], name: str) -> str | None:
    """Why the device was given up, None where all its blocks were run."""
    for block in blocks:
        try:
            runner.run(block)
        except _Stopped:
            return f"{name}: stopped"
        except DeviceError as error:
            return str(error)
    return None


class _Runner:
    """The blocks of one device, one after another."""

    def __init__(
        self,
        device: Device,
        loadables: Mapping[tuple[str, str], Loadable],
        journal: Journal,
        clock: Countdown,
        stop: threading.Event,
    ) -> None:
        self._device = device
        self._loadables = loadables
        self._journal = journal
        self._clock = clock
        self._stop = stop
        self._canary: tuple[float, Canary] | None = None

    def run(self, block: Block) -> None:
        """Run a block; where the agent goes away under it, once more, and then it is the failure of that launch.

        Raises DeviceLost where the device cannot be reached at the second time either.
        """
        due = [cell for cell in block.cells if self._is_due(cell, block)]
        for cell in block.cells:
            if cell not in due:
                self._clock.ended(cell, f"{_place(cell)} passed over", None)
        if not due:
            return
        done: list[Cell] = []
        try:
            self._run_once(block, due, done, again=False)
        except DeviceLost:
            self._clock.torn(done)
            if self._stop.is_set():
                raise _Stopped from None
            self._run_once(block, due, [], again=True)

    def _run_once(self, block: Block, due: Sequence[Cell], done: list[Cell], *, again: bool) -> None:
        """done takes the cells whose launches have ended, for whoever has to run them again."""
        latency = block.pass_ is Pass.LATENCY
        identity = self._journal.begin(block, self._fresh_canary() if latency else None)
        for position, cell in enumerate(due):
            if self._stop.is_set():
                raise _Stopped
            started = time.monotonic()
            outcome = self._launch(cell, block, position, f"{identity}.{position}")
            if self._stop.is_set():
                raise _Stopped
            if isinstance(outcome, LaunchFailure) and outcome.kind is FailureKind.LOST and not again:
                raise DeviceLost(self._device.facts.name, outcome.message)
            self._journal.save(identity, cell.id, position, outcome)
            done.append(cell)
            self._clock.ended(cell, f"{_place(cell)} {block.pass_}", time.monotonic() - started)
        self._journal.end(block, identity, self._take_canary() if latency else None)

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
        except (DeviceLost, DeviceRefused, StoreError):
            raise
        except Exception as error:  # one cell must not end the others, whatever its device made of it
            return LaunchFailure(
                attempt=attempt,
                pass_=block.pass_,
                kind=FailureKind.ERROR,
                message=f"{cell.device} on {cell.model} {cell.variant}: {type(error).__name__}: {error}",
            )

    def _fresh_canary(self) -> Canary:
        if self._canary and time.monotonic() - self._canary[0] < _CANARY_FRESH_S:
            return self._canary[1]
        return self._take_canary()

    def _take_canary(self) -> Canary:
        canary = self._device.canary()
        self._canary = (time.monotonic(), canary)
        return canary


def _place(cell: Cell) -> str:
    return f"{cell.model} {cell.variant} {cell.unit}"


def _work_allowance_s(loadable: Loadable) -> Seconds:
    """Time for the few inferences that are always made, on a slow board by the slowest kernels."""
    macs = sum(node.macs or 0 for node in loadable.graph.nodes) if loadable.graph else 0
    return min(_FEWEST_INFERENCES * macs / _SLOWEST_MACS_PER_SECOND, _WORK_ALLOWANCE_S_AT_MOST)


def launch_order(
    cell: Cell, pass_: Pass, attempt: str, loadable: Loadable, cache: WeightCache = WeightCache.OFF
) -> LaunchOrder:
    """What one launch of a cell has to do. Its deadline is three times what a slow launch may take."""
    settings = cell.settings
    loading_s = _COMPILE_ALLOWANCE_S.get(cell.unit.kind, _LOAD_ALLOWANCE_S)
    return LaunchOrder(
        attempt=attempt,
        variant=loadable.variant.path,
        variant_digest=loadable.variant.digest,
        pass_=pass_,
        unit=cell.unit,
        settings=settings,
        deadline_s=3 * (settings.max_launch_s + settings.warmup_max_s) + loading_s + _work_allowance_s(loadable),
        inputs=loadable.inputs,
        graph=loadable.graph if pass_ is Pass.OPS else None,
        signature=loadable.signature,
        weight_cache=cache,
    )
