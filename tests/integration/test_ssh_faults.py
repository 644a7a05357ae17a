"""What goes wrong on the way to a board: a real sshd behind a proxy that plays the network."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.transport.ssh import SshTransport
from devices.transport.ssh_link import Patience
from devices.transport.transport import Lines
from harness.core.deadline import Deadline
from harness.core.errors import DeviceError, DeviceFull, DeviceLost
from tests.support.faults import proves
from tests.support.small_disk import small_disk
from tests.support.sshd import Sshd, sshd
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = pytest.mark.waits

SOON = 30.0
PATIENCE = Patience(connect_s=5.0, dead_s=2.0, silence_s=2.0, keepalive_s=1)
BIG = 8_000_000


@pytest.fixture
def transport(server: Sshd, proxy: TcpProxy) -> Iterator[SshTransport]:
    opened = SshTransport("board", server.through(proxy.port), PATIENCE)
    yield opened
    proxy.restore()
    opened.close()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    file.write_bytes(os.urandom(BIG))
    return file


def is_alive(transport: SshTransport) -> bool:
    return transport.run(("true",), Deadline(SOON)).exit_code == 0


def is_running(word: str) -> bool:
    return subprocess.run(("pgrep", "-f", word), capture_output=True, check=False).returncode == 0


def takes_a_line(lines: Lines) -> bool:
    try:
        lines.send(b"x")
    except DeviceLost:
        return False
    return True


def when_part_has_passed(proxy: TcpProxy, strike: Callable[[], object]) -> threading.Thread:
    """Strike in the middle of a push."""
    at = proxy.passed + BIG // 4

    def watch() -> None:
        until(lambda: proxy.passed > at, SOON)
        strike()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_push_through_a_stalled_network_ends_at_its_deadline(
    server: Sshd, proxy: TcpProxy, big: Path, tmp_path: Path
) -> None:
    """The proxy acknowledges what it does not pass on, as a frozen board does: only the guard ends it. A full buffer
    there would end it too, after dead_s."""
    transport = SshTransport("board", server.through(proxy.port), replace(PATIENCE, dead_s=SOON))
    with contextlib.closing(transport):
        assert is_alive(transport)
        striker = when_part_has_passed(proxy, proxy.stall)
        begun = time.monotonic()
        with pytest.raises(DeviceLost, match="sending 'big': no end within 4 s; the connection was cut"):
            transport.send_file(big, str(tmp_path / "target"), Deadline(4.0))
        assert time.monotonic() - begun < 12
        striker.join()
        proxy.restore()
        assert is_alive(transport)


@pytest.mark.parametrize("strike", ["reset", "cut", "drop_sessions"])
def test_a_push_whose_connection_breaks_is_a_loss_at_once(
    transport: SshTransport, proxy: TcpProxy, server: Sshd, big: Path, tmp_path: Path, strike: str
) -> None:
    assert is_alive(transport)
    proxy.weather.bytes_per_s = 4 * BIG
    striker = when_part_has_passed(proxy, getattr(server if strike == "drop_sessions" else proxy, strike))
    begun = time.monotonic()
    with pytest.raises(DeviceLost, match="sending 'big'"):
        transport.send_file(big, str(tmp_path / "target"), Deadline(SOON))
    assert time.monotonic() - begun < 20
    striker.join()
    proxy.restore()
    transport.send_file(big, str(tmp_path / "target"), Deadline(SOON))
    assert (tmp_path / "target").read_bytes() == big.read_bytes()


def test_a_push_over_a_slow_line_with_latency_arrives(
    transport: SshTransport, proxy: TcpProxy, big: Path, tmp_path: Path
) -> None:
    proxy.weather.latency_s = 0.001
    transport.send_file(big, str(tmp_path / "target"), Deadline(60.0))
    assert (tmp_path / "target").read_bytes() == big.read_bytes()


@proves("link_broken_in_pull")
def test_a_fetch_whose_connection_breaks_leaves_nothing(
    transport: SshTransport, proxy: TcpProxy, big: Path, tmp_path: Path
) -> None:
    assert is_alive(transport)
    proxy.weather.bytes_per_s = BIG
    (tmp_path / "to").mkdir()
    striker = threading.Timer(0.3, proxy.reset)
    striker.start()
    with pytest.raises(DeviceLost, match="fetching"):
        transport.fetch_file(str(big), tmp_path / "to" / "big", Deadline(SOON))
    striker.join()
    assert list((tmp_path / "to").iterdir()) == []


@proves("link_broken_in_pull")
def test_a_fetch_through_a_stalled_network_ends_at_its_deadline(
    transport: SshTransport, proxy: TcpProxy, big: Path, tmp_path: Path
) -> None:
    assert is_alive(transport)
    proxy.stall()
    with pytest.raises(DeviceLost, match="no end within 2 s"):
        transport.fetch_file(str(big), tmp_path / "back", Deadline(2.0))
    assert not (tmp_path / "back").exists()


def test_a_command_whose_connection_breaks_is_a_loss_and_the_next_connects_again(
    transport: SshTransport, proxy: TcpProxy
) -> None:
    assert is_alive(transport)
    striker = threading.Timer(0.3, proxy.reset)
    striker.start()
    with pytest.raises(DeviceLost):
        transport.run(("sleep", "20"), Deadline(SOON))
    striker.join()
    assert is_alive(transport)


def test_a_command_behind_a_stalled_network_ends_soon_after_its_deadline(
    transport: SshTransport, proxy: TcpProxy
) -> None:
    assert is_alive(transport)
    proxy.stall()
    begun = time.monotonic()
    with pytest.raises(DeviceLost):
        transport.run(("true",), Deadline(1.0))
    assert time.monotonic() - begun < 15


def test_a_frozen_board_is_found_by_its_silence_and_closing_is_bounded(transport: SshTransport, server: Sshd) -> None:
    lines = transport.start(("sh", "-c", "echo begun; exec cat"))
    assert lines.receive(Deadline(SOON)) == b"begun"
    server.freeze()
    begun = time.monotonic()
    with pytest.raises(DeviceLost, match="said nothing for 2 s"):
        lines.receive(Deadline(SOON))
    lines.close()
    transport.close()
    assert time.monotonic() - begun < 25
    server.thaw()


@pytest.mark.parametrize("strike", ["reset", "drop_sessions"])
def test_lines_whose_connection_breaks_end(transport: SshTransport, proxy: TcpProxy, server: Sshd, strike: str) -> None:
    lines = transport.start(("sh", "-c", "echo begun; exec cat"))
    assert lines.receive(Deadline(SOON)) == b"begun"
    getattr(server if strike == "drop_sessions" else proxy, strike)()
    with pytest.raises(DeviceLost, match=r"the connection is gone|said nothing"):
        lines.receive(Deadline(SOON))
    until(lambda: not takes_a_line(lines))
    lines.close()


def test_closing_behind_a_stalled_network_is_bounded(transport: SshTransport, proxy: TcpProxy) -> None:
    lines = transport.start(("sh", "-c", "echo begun; exec cat"))
    lines.receive(Deadline(SOON))
    proxy.stall()
    begun = time.monotonic()
    lines.close()
    transport.close()
    assert time.monotonic() - begun < 20


def test_sshd_that_is_gone_is_a_loss_and_one_that_is_back_is_used(transport: SshTransport, server: Sshd) -> None:
    assert is_alive(transport)
    server.stop()
    with pytest.raises(DeviceLost):
        is_alive(transport)
    server.start()
    assert is_alive(transport)


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_endless_output_does_not_fill_the_host(transport: SshTransport, stream: str) -> None:
    argv = ("sh", "-c", f"head -c 40000000 /dev/zero{stream}")
    if stream:
        assert len(transport.run(argv, Deadline(SOON)).stderr) == 16 << 20
    else:
        with pytest.raises(DeviceError, match="sh said more than 16 MiB"):
            transport.run(argv, Deadline(SOON))
    assert is_alive(transport)


def test_closing_the_transport_ends_what_runs_on_the_board(server: Sshd) -> None:
    transport = SshTransport("board", server.address, PATIENCE)
    word = f"weighbridge-{os.getpid()}-sleeper"
    lines = transport.start(("sh", "-c", f"trap '' HUP; echo begun; sleep 300; : {word}"))
    lines.receive(Deadline(SOON))
    assert is_running(word)
    transport.close()
    until(lambda: not is_running(word))
    with pytest.raises(DeviceLost, match="was closed"):
        is_alive(transport)
    lines.close()


def test_an_interrupted_command_is_ended_on_the_board(server: Sshd) -> None:
    """As Ctrl-C does: the signal's handler raises in the thread that waits."""
    transport = SshTransport("board", server.address, PATIENCE)
    assert is_alive(transport)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    word = f"weighbridge-{os.getpid()}-interrupted"

    def strike() -> None:
        until(lambda: is_running(word))
        os.kill(os.getpid(), signal.SIGUSR1)

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            transport.run(("sh", "-c", f"sleep 300; : {word}"), Deadline(SOON))
    finally:
        striker.join()
        signal.signal(signal.SIGUSR1, before)
    until(lambda: not is_running(word))
    transport.close()


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    with small_disk(tmp_path / "disk", mebibytes=2) as folder:
        yield folder


@pytest.mark.parametrize("sftp", [True, False])
def test_a_full_disk_on_the_board_is_said_to_be_one(tmp_path: Path, full_soon: Path, big: Path, sftp: bool) -> None:
    with sshd(tmp_path / "sshd", sftp=sftp) as server:
        transport = SshTransport("board", server.address, PATIENCE)
        with pytest.raises(DeviceFull, match=f"no space is left for {full_soon}"):
            transport.send_file(big, str(full_soon / "t"), Deadline(SOON))
        assert is_alive(transport)
        transport.close()
