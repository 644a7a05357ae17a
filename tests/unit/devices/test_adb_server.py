"""Which adb server a phone is reached through."""

from contextlib import AbstractContextManager

import pytest

from devices.transport.adb_server import AdbServer, bundled_adb, choose_port
from harness.core.device import AdbAddress
from harness.core.errors import DeviceError
from tests.support.adb_servers import a_stand_in
from tests.support.sshd import free_port


def a_server_of_version(answer: bytes) -> AbstractContextManager[int]:
    """It answers host:version, and nothing else."""
    return a_stand_in(lambda asked: answer if asked == b"host:version" else b"")


def test_a_server_of_another_version_is_left_alone_and_refused() -> None:
    with a_server_of_version(b"OKAY00040028") as port:
        server = AdbServer("pixel", AdbAddress(server_port=port))
        with pytest.raises(DeviceError, match=r"of version 40, the bench's adb of 41.*set server_port"):
            server.ensure()


def test_a_server_of_our_version_is_joined() -> None:
    with a_server_of_version(b"OKAY00040029") as port:
        AdbServer("pixel", AdbAddress(server_port=port)).ensure()


def test_the_users_own_server_is_used_where_it_speaks_our_protocol() -> None:
    with a_server_of_version(b"OKAY00040029") as users:
        assert choose_port(users, ours=1) == users


@pytest.mark.parametrize(
    "answer", [b"OKAY00040028", b"OKAY0004002a", b"FAIL0004oops", b"HTTP/1.1 400\r\n", b"OKAY", b""]
)
def test_whatever_else_answers_there_is_left_alone(answer: bytes) -> None:
    with a_server_of_version(answer) as users:
        assert choose_port(users, ours=1) == 1


def test_where_no_server_runs_ours_is_used() -> None:
    assert choose_port(free_port(), ours=1) == 1


def test_the_adb_is_the_one_that_adbutils_brings() -> None:
    assert bundled_adb().is_file()
    assert AdbServer("pixel", AdbAddress(server_port=1)).program == str(bundled_adb())
