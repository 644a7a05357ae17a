"""From devices that were asked for to devices that can be entered."""

import threading
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from devices.absent import AbsentDevice
from devices.entered import EnteredDevice
from devices.families import edgetpu
from devices.inventory import LocalAgent, edgetpu_device, local_device
from devices.runtimes.agent_launch import Route
from devices.scenario import Scenario, scenario_from
from devices.simulated import SimulatedDevice
from devices.simulated_body import VirtualClock
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError
from harness.core.interruption import Check, never
from harness.core.ports import Device
from harness.core.units import Seconds

# What a dry run adds to a device's name, so that its made-up times can never be taken for the device's.
_DRY = " (simulated)"
_POLL_S: Seconds = 0.1
_LEAVE_S: Seconds = 10.0  # for a device that is left while it is entered

T = TypeVar("T")


def open_devices(specs: Sequence[DeviceSpec], *, dry_run: bool, check: Check = never) -> list[Device]:
    """The devices, not entered yet; in a dry run a simulated one in place of each.

    One that does not say what it is offers nothing, with the reason. check may raise to end the wait.
    Raises ConfigError for a scenario that makes no sense, and DeviceError where no device answers.
    """
    if dry_run:
        return [_open_dry(spec) for spec in specs]
    opening = _begin(_open_or_absent, specs)  # each that is gone takes its time to be found so
    _await(opening, check)
    opened = [each.result() for each in opening]
    absent = [device for device in opened if isinstance(device, AbsentDevice)]
    if len(absent) == len(opened):
        raise DeviceError(absent[0].facts.name, absent[0].reason)
    return opened


def enter_devices(
    devices: Sequence[Device], stack: ExitStack, leave_alone: Container[str] = (), check: Check = never
) -> dict[str, Device]:
    """Enter the devices, but for those of these names. One that cannot be entered keeps its place, with the reason for
    each of its cells.

    check may raise to end the wait. Raises DeviceError where none can be entered.
    """
    found: dict[str, Device] = {}
    refusals: list[DeviceError] = []
    for device in devices:
        name = device.facts.name
        try:
            found[name] = device if name in leave_alone else _entered(device, stack, check)
        except DeviceError as error:
            refusals.append(error)
            found[name] = AbsentDevice.known(device.facts, error)
    if refusals and len(refusals) == len(devices):
        raise refusals[0]
    return found


def _entered(device: Device, stack: ExitStack, check: Check) -> Device:
    """In a thread, so that whoever stops does not wait until a device is reached."""
    (entering,) = _begin(lambda each: each.__enter__(), [device])
    try:
        _await([entering], check)
    except BaseException:
        device.__exit__(None, None, None)  # what it waits for ends
        if not wait([entering], _LEAVE_S).not_done and entering.exception() is None:
            device.__exit__(None, None, None)  # it had come in after all
        raise
    entered = entering.result()
    stack.push(entered)
    return entered


def notices_of(devices: Iterable[Device]) -> list[str]:
    """What a user should know of how devices were taken, such as a stale lease that was broken; each is said once."""
    attached = (device for device in devices if isinstance(device, EnteredDevice))
    return [f"{device.facts.name}: {words}" for device in attached for words in device.take_notices()]


def _begin(work: Callable[[T], Device], what: Sequence[T]) -> "list[Future[Device]]":
    """In threads that end with the process: whoever stops it does not wait for a device that hangs."""

    def settle(each: T, future: "Future[Device]") -> None:
        try:
            future.set_result(work(each))
        except BaseException as exc:  # raised where the result is asked for
            future.set_exception(exc)

    futures: list[Future[Device]] = [Future() for _ in what]
    for pair in zip(what, futures, strict=True):
        threading.Thread(target=settle, args=pair, daemon=True).start()
    return futures


def _await(futures: "Sequence[Future[Device]]", check: Check) -> None:
    while wait(futures, _POLL_S).not_done:
        check()


def _open_or_absent(spec: DeviceSpec) -> Device:
    try:
        return _open(spec)
    except DeviceError as error:
        return AbsentDevice(spec.name, error.reason)


def _open(spec: DeviceSpec) -> Device:
    return _KINDS[spec.kind](spec)


def _open_local(spec: DeviceSpec) -> Device:
    route = Route(runtime=spec.runtime, dispatch=str(spec.dispatch.absolute()) if spec.dispatch else None)
    return local_device(spec.name, LocalAgent(python=spec.python), route, prepare=spec.prepare)


def _open_ssh(spec: DeviceSpec) -> Device:
    from devices.boards import ssh_device  # brings paramiko, which a run on this machine does without

    return ssh_device(spec)


def _open_simulated(spec: DeviceSpec) -> Device:
    return _simulated(replace(scenario_from(spec.scenario, source=spec.source), name=spec.name))


def _open_dry(spec: DeviceSpec) -> Device:
    return _simulated(Scenario(name=f"{spec.name}{_DRY}"))


def _simulated(scenario: Scenario) -> Device:
    return SimulatedDevice(scenario, VirtualClock(time.time()))


def _open_edgetpu(spec: DeviceSpec) -> Device:
    """One of this machine; behind SSH a board differs in the transport alone."""
    if spec.ssh is not None:
        from devices.boards import edgetpu_board

        return edgetpu_board(spec)
    return edgetpu_device(spec.name, LocalAgent(python=spec.python), edgetpu.route_of(spec))


def _open_android(spec: DeviceSpec) -> Device:
    from devices.phone import open_phone

    return open_phone(spec)


_KINDS: Mapping[str, Callable[[DeviceSpec], Device]] = {
    "local": _open_local,
    "simulated": _open_simulated,
    "edgetpu": _open_edgetpu,
    "ssh": _open_ssh,
    "android": _open_android,
}
