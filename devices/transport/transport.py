"""The seam to a device's own system: commands, files, and a process that is spoken to in lines.

Implementations: this machine (local.py), SSH boards (ssh.py), Android phones (adb.py). tests/contract/test_transport.py
holds all of them to what is written here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.deadline import Deadline

# Told of bytes sent so far, of all.
Sent = Callable[[int, int], None]


def unheard(_sent: int, _total: int) -> None:
    """The progress of whoever does not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended. exit_code is 128 + signal for a death by signal."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def words(self) -> str:
        """What it said of why, on one line: its stderr, else its stdout."""
        said = self.stderr.strip() or self.stdout.strip()
        return " / ".join(said.decode("utf-8", "replace").split("\n")) or f"exit code {self.exit_code}, without a word"


class Lines(Protocol):
    """A process on the device that is spoken to in lines. Lines are bytes without their newline.

    One thread sends, one receives; any thread may close.
    """

    def send(self, line: bytes) -> None:
        """Hand over one line. Raises DeviceLost where nobody reads any more."""

    def receive(self, deadline: Deadline) -> bytes:
        """The next line. Raises DeviceLost at the end, after too long a silence, and at the deadline."""

    def close(self) -> None:
        """End the process and with it everything it started: politely by closing its stdin, then by force.

        Bounded in time, also where the link is gone; then what is left on the device ends by its own rules.
        """


class Transport(Protocol):
    """A way to a device's system. Every call has a deadline; argv are words, never a shell's text.

    Raises DeviceLost where the device does not answer in time or the link is gone, DeviceFull where its disk is.
    """

    def run(self, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        """Run a command to its end. At the deadline it is ended on the device too, and DeviceLost is raised."""

    def send_file(self, source: Path, target: str, deadline: Deadline, sent: Sent = unheard) -> None:
        """Copy a file of the host to a path on the device, whose folder is there. It is its owner's alone there.

        What is there is replaced; what a broken link leaves is part of a file. Raises OSError of the host's side.
        """

    def fetch_file(self, source: str, target: Path, deadline: Deadline) -> None:
        """Copy a file of the device to the host, whole or not at all. Raises OSError of the host's side."""

    def start(self, argv: Sequence[str]) -> Lines:
        """Start a process in a group of its own, which ends with the link."""

    def close(self) -> None:
        """Give the way up, from whatever thread. What was started by it is ended."""
