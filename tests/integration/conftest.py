"""What several of these tests need: a real sshd behind a link, an emulated phone on the real adb's server."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import Sshd, sshd
from tests.support.tcp_proxy import TcpProxy, proxy_to

if TYPE_CHECKING:
    from tests.support.phones import Bed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A board: this machine, behind an sshd of its own."""
    with sshd(tmp_path / "sshd") as started:
        yield started


@pytest.fixture
def proxy(server: Sshd) -> Iterator[TcpProxy]:
    """The link to it, whose weather a test may choose; it is fair again at the end."""
    with proxy_to(server.port) as started:
        yield started
        started.restore()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of one adb server for all tests of a module."""
    from tests.support.phones import an_adb_server  # most modules have no phone

    with an_adb_server(tmp_path_factory.mktemp("adb") / "home") as found:
        yield found


@pytest.fixture
def bed(tmp_path: Path, port: int) -> "Iterator[Bed]":
    """A phone that is attached to it."""
    from tests.support.phones import a_bed

    with a_bed(tmp_path / "bed", port) as attached:
        yield attached
