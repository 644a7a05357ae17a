"""Carry out a plan: every block on its device, every launch saved as it ends."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import MappingProxyType

from harness.block_runner import BlockRunner, Stopped
from harness.core.device import DeviceFacts
from harness.core.errors import DeviceError
from harness.core.interruption import Check, never
from harness.core.limits import NO_LIMITS, Limits
from harness.core.ports import Device
from harness.core.trouble import kind_of
from harness.countdown import Countdown, Report
from harness.journal import Journal
from harness.launching import Loadable
from harness.plan import Block

_POLL_S = 0.2
_NOBODYS: Mapping[str, Limits] = MappingProxyType({})


def run_campaign(
    blocks: Sequence[Block],
    loadables: Mapping[tuple[str, str], Loadable],
    devices: Mapping[str, Device],
    journal: Journal,
    report: Report,
    check: Check = never,
    limits: Mapping[str, Limits] = _NOBODYS,
) -> tuple[str, ...]:
    """Run every block that the journal does not have yet, one thread a device.

    limits are what each device must keep to, by its name; one without them is not waited for. Returns why devices were
    given up, one sentence each; empty when all was done. Raises StoreError where results can no longer be saved: then
    nothing more is measured. check is called several times a second; on KeyboardInterrupt, its own or Python's, the
    launches under way are ended.
    """
    left = [block for block in blocks if not journal.is_done(block)]
    clock = Countdown(left, report)
    stop = threading.Event()

    def serve(names: Sequence[str]) -> list[str | None]:
        """The devices of one machine, one after another."""
        for waiting in names[1:]:
            clock.waiting(f"{waiting} is waiting for its turn: {names[0]} is the same machine")
        return [serve_one(name) for name in names]

    def serve_one(name: str) -> str | None:
        mine = [block for block in left if block.device == name]
        runner = BlockRunner(devices[name], loadables, journal, clock, stop, limits.get(name, NO_LIMITS))
        return _run_device(runner, mine, devices[name].facts, journal, stop)

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


def _run_device(
    runner: BlockRunner, blocks: Sequence[Block], facts: DeviceFacts, journal: Journal, stop: threading.Event
) -> str | None:
    """Why the device was given up, None where all its blocks were run."""
    for block in blocks:
        try:
            runner.run(block)
        except Stopped:
            return f"{facts.name}: stopped"
        except DeviceError as error:
            if stop.is_set():
                return f"{facts.name}: stopped"
            journal.trouble(facts, kind_of(error), error.reason)
            return str(error)
    return None
