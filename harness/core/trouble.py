"""What went wrong with a device itself, kept over campaigns."""

from dataclasses import dataclass
from enum import StrEnum

from harness.core.device import DeviceFacts
from harness.core.errors import DeviceBusy, DeviceError, DeviceFull, DeviceRefused, DeviceUnfit


class TroubleKind(StrEnum):
    """lost and what follows it: the device was given up for the campaign. agent: its agent went away and came back.

    released is no trouble but a person's word that the earlier ones are dealt with.
    """

    LOST = "lost"
    UNFIT = "unfit"
    REFUSED = "refused"
    FULL = "full"
    BUSY = "busy"
    AGENT = "agent"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One trouble with a device. device is its serial, or its name where it has none; at is seconds since the epoch.

    name is what it was called then, campaign the one it happened in, None for a release.
    """

    device: str
    name: str
    at: float
    kind: TroubleKind
    words: str
    campaign: str | None = None


def identity_of(facts: DeviceFacts) -> str:
    """What a device is known by from campaign to campaign."""
    return facts.serial or facts.name


_KINDS: tuple[tuple[type[DeviceError], TroubleKind], ...] = (
    (DeviceUnfit, TroubleKind.UNFIT),
    (DeviceRefused, TroubleKind.REFUSED),
    (DeviceFull, TroubleKind.FULL),
    (DeviceBusy, TroubleKind.BUSY),
)


def kind_of(error: DeviceError) -> TroubleKind:
    """What kind of trouble an error is; one of no other kind is a loss."""
    return next((kind for error_type, kind in _KINDS if isinstance(error, error_type)), TroubleKind.LOST)
