"""The phones of this machine, by what an adb server says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.attached import attached_phones, phone_of
from harness.core.device import AdbAddress


@contextmanager
def an_adb_server(listing: str) -> Iterator[int]:
    """Speaks as much of adb's own protocol as is asked for: SERVICES.TXT, host:version and host:devices."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = {b"host:version": "0029", b"host:devices": listing}

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    asked = link.recv(int(link.recv(4) or b"0", 16))
                    said = answers.get(asked, "").encode()
                    link.sendall(b"OKAY%04x%s" % (len(said), said))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_each_state_of_a_phone_says_what_helps() -> None:
    listing = (
        "A1\tdevice\nB2\tunauthorized\nC3\toffline\n"
        "D4\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]\n"
    )
    with an_adb_server(listing) as port:
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
