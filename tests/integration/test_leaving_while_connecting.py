"""Whoever is asked to end does not wait until a board has been reached. Every connecting here may take ten minutes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from devices.boards import attach, board_of
from devices.device import AttachedDevice
from devices.opening import enter_devices
from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceLost
from tests.support.boards import board_spec
from tests.support.sshd import Sshd
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = pytest.mark.waits

PATIENT = Patience(connect_s=600.0)
SOON = 30.0


@contextmanager
def one_that_says_nothing() -> Iterator[int]:
    """The kernel accepts for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@contextmanager
def one_that_does_not_accept() -> Iterator[int]:
    """Its queue is full, so the kernel answers nobody who asks for a connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, ExitStack() as waiting:
        where = listening.getsockname()
        while True:
            connection = waiting.enter_context(socket.socket())
            connection.settimeout(0.5)
            try:
                connection.connect(where)
            except TimeoutError:
                break
        yield int(where[1])


class Doing(threading.Thread):
    """Something that a thread does, and how that went."""

    def __init__(self, what: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._what = what
        self.error: DeviceError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._what()
        except DeviceError as error:
            self.error = error


def connections_to(port: int) -> int:
    """Those that this machine has, or has begun."""
    wanted = f"0100007F:{port:04X}"
    return sum(line.split()[2] == wanted for line in Path("/proc/net/tcp").read_text().splitlines()[1:])


@pytest.mark.parametrize("listener", [one_that_says_nothing, one_that_does_not_accept])
def test_closing_ends_a_connecting(server: Sshd, listener: Callable[[], AbstractContextManager[int]]) -> None:
    with listener() as port:
        transport = SshTransport("board", server.through(port), PATIENT)
        begun = connections_to(port)
        running = Doing(lambda: transport.run(("true",), Deadline(SOON)))
        until(lambda: connections_to(port) > begun)
        transport.close()
        running.join(SOON)
        assert not running.is_alive()
    assert isinstance(running.error, DeviceLost)
    assert "was closed" in running.error.reason


def test_leaving_a_device_that_connects_again_is_at_once(server: Sshd, proxy: TcpProxy) -> None:
    with a_device(server, proxy) as device:
        proxy.stall()
        proxy.reset()
        before = proxy.accepted
        asking = Doing(device.canary)
        until(lambda: proxy.accepted > before)
    asking.join(SOON)
    assert not asking.is_alive()
    assert isinstance(asking.error, DeviceLost)


def test_who_is_stopped_while_a_device_is_entered_leaves_it_and_nothing_stays(server: Sshd, proxy: TcpProxy) -> None:
    device = a_device(server, proxy)
    proxy.stall()
    before = proxy.accepted

    def stop_once_it_connects() -> None:
        if proxy.accepted > before:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ExitStack() as stack:
        enter_devices([device], stack, check=stop_once_it_connects)
    proxy.restore()
    with device:
        assert device.canary().samples_ns


def a_device(server: Sshd, proxy: TcpProxy) -> AttachedDevice:
    spec = board_spec(server, port=proxy.port, known_hosts=server.through(proxy.port).known_hosts)
    return attach(board_of(spec, PATIENT), "board")
