"""What several of these tests need: an emulated phone, on the real adb's server."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.phones import Bed


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
