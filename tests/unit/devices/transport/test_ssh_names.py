"""Looking up a board's address, which nobody has to wait for."""

import socket
import threading

import pytest

from devices.transport.ssh_names import resolve


def nothing() -> None:
    pass


def test_an_address_is_its_own() -> None:
    ((family, kind, _, _, where),) = resolve("127.0.0.1", 22, nothing)
    assert (family, kind, where) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 22))


def test_a_look_up_that_fails_is_its_own_error() -> None:
    def fail(_host: str, _port: int) -> list[tuple[int, int, int, str, object]]:
        raise socket.gaierror(socket.EAI_NONAME, "nobody knows it")

    with pytest.raises(socket.gaierror, match="nobody knows it"):
        resolve("board", 22, nothing, fail)


def test_a_look_up_that_hangs_keeps_nobody() -> None:
    answered = threading.Event()

    def hang(_host: str, _port: int) -> list[tuple[int, int, int, str, object]]:
        answered.wait(60.0)
        return []

    def give_up() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resolve("board", 22, give_up, hang)
    answered.set()
