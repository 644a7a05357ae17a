"""What was seen of a device without measuring on it, and what it wants."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.device import Conditions, DeviceFacts
from harness.core.units import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Something that is missing or over a limit, and what to do about it."""

    what: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A device that was looked at. problem: why it did not answer, with what to do; then the rest is unknown.

    over is what exceeds its limit now, unknown names what has a limit and no reading. held is who measures on it now.
    may_set_governor None: it has none, or does not say. compiler is the host's edgetpu_compiler that was named for it.
    """

    name: str
    kind: str
    remote: bool = False
    compiler: Path | None = None
    facts: DeviceFacts | None = None
    now: Conditions | None = None
    over: tuple[Want, ...] = ()
    unknown: tuple[str, ...] = ()
    held: str | None = None
    may_set_governor: bool | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone that adb sees. advice is empty where it can be used."""

    serial: str
    state: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phones:
    """The phones of this machine. server says which adb server was asked, or why none was."""

    server: str
    found: tuple[Phone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What was removed from a device."""

    name: str
    files: int
    bytes: Bytes
