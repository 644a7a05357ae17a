"""A board of the tests' own: this machine behind an sshd of its own, with the tests' Python. A double of a board."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.device import DeviceSpec
from tests.support.sshd import Sshd, sshd


def board_spec(server: Sshd, name: str = "board", **changes: object) -> DeviceSpec:
    """What a configuration would say of it. changes are of its address."""
    address = dataclasses.replace(server.address, **changes)  # type: ignore[arg-type]
    return DeviceSpec(name=name, kind="ssh", python=Path(sys.executable), ssh=address)


@contextmanager
def a_board(folder: Path, name: str = "board", **options: object) -> Iterator[DeviceSpec]:
    """One for the duration."""
    with sshd(folder, **options) as server:
        yield board_spec(server, name)
