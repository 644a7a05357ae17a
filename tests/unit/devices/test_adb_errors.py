"""adb's words, as the bench's errors."""

import pytest

from devices.transport.adb import quoted
from devices.transport.adb_errors import refuse, unreachable
from harness.core.errors import DeviceError, DeviceFull, DeviceLost, DeviceRefused


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        (
            "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set",
            DeviceRefused,
            "accept the prompt",
        ),
        ("device still authorizing", DeviceRefused, "accept the prompt"),
        ("failed to authenticate to 10.0.0.2:5555", DeviceRefused, "accept the prompt"),
        ("insufficient permissions for device: user in plugdev group", DeviceRefused, "access to USB"),
        ("write failed: No space left on device", DeviceFull, "make room there"),
        ("couldn't write: Disk quota exceeded", DeviceFull, "make room there"),
        ("device offline", DeviceLost, "link"),
        ("error: closed", DeviceLost, "link"),
    ],
)
def test_each_kind_of_trouble_is_an_error_of_its_own(words: str, kind: type[DeviceError], advice: str) -> None:
    error = refuse("pixel", words)
    assert type(error) is kind
    assert advice in error.reason
    assert "\n" not in str(error)


def test_a_phone_that_is_not_started_into_android_is_refused() -> None:
    assert "recovery" in refuse("pixel", "X is recovery", "recovery").reason


def test_a_phone_that_is_not_there_is_told_with_those_that_are() -> None:
    assert (
        "A1 (device), B2 (offline)"
        in unreachable("pixel", "C3 is not attached", {"B2": "offline", "A1": "device"}).reason
    )


def test_words_reach_the_phones_shell_as_they_are() -> None:
    assert quoted(("a b", "c'd", "$(reboot)", "e\nf")) == "'a b' 'c'\"'\"'d' '$(reboot)' 'e\nf'"
