"""From devices that were asked for to devices that can be entered."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from devices.absent import AbsentDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from devices.scenario import Scenario, scenario_from
from devices.simulated import SimulatedDevice
from devices.simulated_body import VirtualClock
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError
from harness.core.ports import Device

# What a dry run adds to a device's name, so that its made-up times can never be taken for the device's.
_DRY = " (simulated)"


def open_devices(specs: Sequence[DeviceSpec], *, dry_run: bool) -> list[Device]:
    """The devices, not entered yet; in a dry run a simulated one in place of each.

    One that does not say what it is offers nothing, with the reason. Raises ConfigError for a scenario that makes no
    sense, and DeviceError where no device answers.
    """
    if dry_run:
        return [_open_dry(spec) for spec in specs]
    opened = [_open_or_absent(spec) for spec in specs]
    absent = [device for device in opened if isinstance(device, AbsentDevice)]
    if len(absent) == len(opened):
        raise DeviceError(absent[0].facts.name, absent[0].reason)
    return opened


def _open_or_absent(spec: DeviceSpec) -> Device:
    try:
        return _open(spec)
    except DeviceError as error:
        return AbsentDevice(spec.name, error.reason)


def _open(spec: DeviceSpec) -> Device:
    return _KINDS[spec.kind](spec)


def _open_local(spec: DeviceSpec) -> Device:
    route = Route(runtime=spec.runtime, dispatch=str(spec.dispatch.absolute()) if spec.dispatch else None)
    return local_device(spec.name, LocalAgent(python=spec.python), route)


def _open_simulated(spec: DeviceSpec) -> Device:
    return _simulated(replace(scenario_from(spec.scenario, source=spec.source), name=spec.name))


def _open_dry(spec: DeviceSpec) -> Device:
    return _simulated(Scenario(name=f"{spec.name}{_DRY}"))


def _simulated(scenario: Scenario) -> Device:
    return SimulatedDevice(scenario, VirtualClock(time.time()))


def _open_android(spec: DeviceSpec) -> Device:
    from devices.phone import open_phone

    return open_phone(spec)


_KINDS: Mapping[str, Callable[[DeviceSpec], Device]] = {
    "local": _open_local,
    "simulated": _open_simulated,
    "android": _open_android,
}
