"""From devices that were asked for to devices that can be entered."""

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from devices.opening import enter_devices, open_devices
from devices.scenario import Scenario
from devices.simulated import SimulatedDevice
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceBusy, DeviceError
from harness.core.limits import NO_LIMITS

SIMULATED = DeviceSpec(name="sim", kind="simulated", scenario={})
MISSING = DeviceSpec(name="old", kind="local", python=Path("/no/such/python"))


def test_a_device_that_does_not_answer_offers_nothing_and_the_others_go_on() -> None:
    answering, absent = open_devices([SIMULATED, MISSING], dry_run=False)
    assert answering.facts.units
    assert absent.facts.units == ()
    assert {"cpu", "gpu"} <= {exclusion.what for exclusion in absent.facts.exclusions}
    assert "/no/such/python" in absent.facts.exclusions[0].reason


def test_where_no_device_answers_there_is_nothing_to_do() -> None:
    with pytest.raises(DeviceError, match="/no/such/python"):
        open_devices([MISSING], dry_run=False)


class Taken(SimulatedDevice):
    """Somebody else has it."""

    def __enter__(self) -> "Taken":
        raise DeviceBusy(self.facts.name, "ada measures on it since noon")


def test_a_device_that_cannot_be_entered_keeps_its_place_and_its_units() -> None:
    taken, free = Taken(Scenario(name="taken")), SimulatedDevice(Scenario(name="free"))
    with ExitStack() as stack:
        entered = enter_devices([taken, free], stack)
        assert list(entered) == ["taken", "free"]
        assert entered["taken"].facts == taken.facts
        with pytest.raises(DeviceBusy, match="ada measures on it"):
            entered["taken"].make_fit(NO_LIMITS, lambda _: None)
        assert entered["free"].canary().samples_ns


def test_where_no_device_can_be_entered_there_is_nothing_to_do() -> None:
    with ExitStack() as stack, pytest.raises(DeviceBusy, match="ada measures on it"):
        enter_devices([Taken(Scenario(name="taken"))], stack)


def test_a_device_that_is_to_be_left_alone_is_not_entered() -> None:
    with ExitStack() as stack:
        entered = enter_devices([Taken(Scenario(name="taken"))], stack, leave_alone={"taken"})
    assert isinstance(entered["taken"], Taken)


class Slow(SimulatedDevice):
    """Entered only once somebody leaves it."""

    def __init__(self) -> None:
        super().__init__(Scenario(name="slow"))
        self.said: list[str] = []
        self._left = threading.Event()

    def __enter__(self) -> "Slow":
        self._left.wait(20.0)
        self.said.append("entered")
        return self

    def __exit__(self, *exc: object) -> None:
        self._left.set()
        self.said.append("left")


def test_a_device_that_comes_in_after_it_was_given_up_is_left_too() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    device = Slow()
    with ExitStack() as stack, pytest.raises(KeyboardInterrupt):
        enter_devices([device], stack, check=stop)
    assert device.said[-1] == "left"
    assert "entered" in device.said
