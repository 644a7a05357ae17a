"""From devices that were asked for to devices that can be entered."""

from pathlib import Path

import pytest

from devices.opening import open_devices
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError

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
