"""From devices that were asked for to devices that can be entered."""

import time
from collections.abc import Sequence
from dataclasses import replace

from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from devices.scenario import Scenario, scenario_from
from devices.simulated import SimulatedDevice
from devices.simulated_body import VirtualClock
from harness.core.device import DeviceSpec
from harness.core.ports import Device

# What a dry run adds to a device's name, so that its made-up times can never be taken for the device's.
_DRY = " (simulated)"


def open_devices(specs: Sequence[DeviceSpec], *, dry_run: bool) -> list[Device]:
    """The devices, not entered yet; in a dry run a simulated one in place of each.

    Raises ConfigError for a scenario that makes no sense, DeviceError where a device does not say what it is.
    """
    return [_open_dry(spec) if dry_run else _open(spec) for spec in specs]


def _open(spec: DeviceSpec) -> Device:
    if spec.kind == "local":
        route = Route(runtime=spec.runtime, dispatch=str(spec.dispatch.absolute()) if spec.dispatch else None)
        return local_device(spec.name, LocalAgent(python=spec.python), route)
    return _simulated(replace(scenario_from(spec.scenario, source=spec.source), name=spec.name))


def _open_dry(spec: DeviceSpec) -> Device:
    return _simulated(Scenario(name=f"{spec.name}{_DRY}"))


def _simulated(scenario: Scenario) -> Device:
    return SimulatedDevice(scenario, VirtualClock(time.time()))
