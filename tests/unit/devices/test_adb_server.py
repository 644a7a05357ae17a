"""Which adb server a phone is reached through."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from devices.transport.adb_server import AdbServer, bundled_adb
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError


@contextmanager
def a_server_of_version(answer: bytes) -> Iterator[int]:
    """It answers host:version, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listening.accept()
                    with link:
                        link.recv(64)
                        link.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_server_of_another_version_is_left_alone_and_refused() -> None:
    with a_server_of_version(b"OKAY00040028") as port:
        server = AdbServer("pixel", AdbAddress(server_port=port))
        with pytest.raises(DeviceError, match=r"of version 40, the bench's adb of 41.*set server_port"):
            server.ensure()


def test_a_server_of_our_version_is_joined() -> None:
    with a_server_of_version(b"OKAY00040029") as port:
        AdbServer("pixel", AdbAddress(server_port=port)).ensure()


def test_the_adb_is_the_one_that_adbutils_brings() -> None:
    assert bundled_adb().is_file()
    assert AdbServer("pixel", AdbAddress(server_port=1)).program == str(bundled_adb())
