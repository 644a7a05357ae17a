"""A simulated device in a bad state: hot, capped, on a low battery, away for a while."""

from pathlib import Path

import pytest

from devices.scenario import Fault, Heat, Scenario
from devices.simulated import SimulatedDevice
from devices.simulated_body import VirtualClock
from harness.core.compute_unit import ComputeUnit
from harness.core.errors import DeviceLost, DeviceUnfit
from harness.core.launch import FailureKind, LaunchOrder, MeasureSettings, Pass
from harness.core.limits import LIMITS, Limits

HOT = Heat(
    zone="soc-thermal",
    start=60.0,
    ambient=30.0,
    time_constant_s=60.0,
    status={45.0: 1, 55.0: 2},
    caps={50.0: 0.5},
)


def an_order() -> LaunchOrder:
    return LaunchOrder(
        attempt="a",
        variant=Path("int8"),
        variant_digest="int8",
        pass_=Pass.LATENCY,
        unit=ComputeUnit.parse("cpu"),
        settings=MeasureSettings(inferences=5, warmup_s=0.0),
        deadline_s=60.0,
    )


def test_it_tells_the_state_that_its_scenario_says() -> None:
    device = SimulatedDevice(
        Scenario(heat=HOT, cores=2, max_mhz=2000.0, battery_percent=12.0, neighbours=1.5, load=3.0)
    )
    now = device.conditions()
    assert now.temperatures == {"soc-thermal": 60.0}
    assert (now.thermal_status, now.battery_percent, now.neighbours, now.load) == (2, 12.0, 1.5, 3.0)
    assert now.clock_caps_mhz == {"cpu0": 1000.0, "cpu1": 1000.0}
    assert [(cluster.cores, cluster.max_mhz) for cluster in device.facts.clusters] == [((0, 1), 2000.0)]


def test_a_scenario_that_says_nothing_of_it_leaves_it_unknown() -> None:
    device = SimulatedDevice(Scenario())
    now = device.conditions()
    assert (now.thermal_status, now.battery_percent, now.neighbours, now.load) == (None,) * 4
    assert (now.clock_caps_mhz, device.facts.clusters) == ({}, ())


def test_it_cools_while_it_rests() -> None:
    device = SimulatedDevice(Scenario(heat=HOT), VirtualClock())
    device.rest(60.0)
    assert device.conditions().temperatures["soc-thermal"] == pytest.approx(41.0, abs=0.1)


def test_it_is_waited_for_in_its_own_time() -> None:
    clock = VirtualClock()
    device = SimulatedDevice(Scenario(heat=HOT), clock)
    assert device.make_fit(LIMITS["simulated"], lambda _: None) == clock.now
    assert 60 < clock.now < 80


def test_a_battery_does_not_fill_by_waiting() -> None:
    device = SimulatedDevice(Scenario(battery_percent=12.0))
    with pytest.raises(DeviceUnfit, match=r"battery 12 % after 300 s, limit 30 %; charge it or lower"):
        device.make_fit(Limits(battery_percent=30.0), lambda _: None)


def test_a_loss_can_last_for_so_many_calls() -> None:
    device = SimulatedDevice(Scenario(faults=(Fault(kind=FailureKind.LOST, at_launch=0, calls=2),)))
    with pytest.raises(DeviceLost):
        device.launch(an_order())
    for _ in range(2):
        with pytest.raises(DeviceLost):
            device.conditions()
    assert device.conditions().temperatures
