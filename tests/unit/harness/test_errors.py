"""What errors say, whatever a device put into them."""

import pytest

from harness.core.errors import DeviceLost
from tests.support.hostile import HOSTILE_NAMES


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_devices_words_are_one_line_that_no_terminal_obeys(name: str) -> None:
    error = DeviceLost(name, f"it said {name}")
    assert str(error).isprintable()
    assert error.reason.isprintable()
    assert error.device == name


def test_a_command_in_an_error_can_be_pasted() -> None:
    assert "`ssh-add 'a  key'`" in DeviceLost("b", "do `ssh-add 'a  key'`").reason
