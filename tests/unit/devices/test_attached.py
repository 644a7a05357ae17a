"""The phones of this machine, by what an adb server says."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from devices.attached import attached_phones, phone_of
from harness.core.device import AdbAddress
from tests.support.adb_servers import a_stand_in, okay


def a_server_with(listing: str) -> AbstractContextManager[int]:
    """It speaks as much of adb's own protocol as is asked for: host:version and host:devices."""
    answers = {b"host:version": "0029", b"host:devices": listing}
    return a_stand_in(lambda asked: okay(answers.get(asked, "")))


def test_each_state_of_a_phone_says_what_helps() -> None:
    listing = (
        "A1\tdevice\nB2\tunauthorized\nC3\toffline\n"
        "D4\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]\n"
    )
    with a_server_with(listing) as port:
        phones = attached_phones(address=AdbAddress(server_port=port))
    assert phones.server == f"adb server on port {port}"
    assert [(phone.serial, phone.state) for phone in phones.found] == [
        ("A1", "device"),
        ("B2", "unauthorized"),
        ("C3", "offline"),
        ("D4", "no permissions"),
    ]
    helps = [phone.advice for phone in phones.found]
    assert helps[0] == ""
    assert "accept the prompt" in helps[1]
    assert "plug it in again" in helps[2]
    assert "android-sdk-platform-tools-common" in helps[3]


def test_no_server_is_started_where_no_phone_is_on_usb(tmp_path: Path) -> None:
    from devices.transport.adb_server import running_server

    if running_server() is not None:
        pytest.skip("this machine has an adb server of its own")
    assert attached_phones(tmp_path).server == "no adb server runs, and no phone with USB debugging is on USB"
    assert running_server() is None


def test_a_phone_in_recovery_is_to_be_started() -> None:
    assert phone_of("A1", "recovery").advice == "it is recovery; start it into Android"
