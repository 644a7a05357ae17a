"""The state that a device must be in to be measured, and how long it is waited for (docs/health.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness.core.units import Celsius, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a device must keep to. None: not judged, neither by the gate nor by the grade.

    soc_celsius, skin_celsius, accelerator_celsius and battery_celsius are the warmest that a block starts in; the peaks
    are the warmest that its launches may see. thermal_status is the highest of Android's, battery_percent the least
    charge. load_per_core is the 1-minute load average over the cores, neighbours how many cores other programs keep
    busy. clock_share is the least part of a core's highest clock that must be permitted. pinned_clocks: a governor that
    moves the clocks costs the best grade. canary is the relative deviation from the device's own median.
    wait_s is how long a gate waits, cooldown_s how long a canary is waited for, campaign_wait_s all waiting for the
    device in one campaign.
    """

    soc_celsius: Celsius | None = None
    soc_peak_celsius: Celsius | None = None
    skin_celsius: Celsius | None = None
    accelerator_celsius: Celsius | None = None
    accelerator_peak_celsius: Celsius | None = None
    battery_celsius: Celsius | None = None
    thermal_status: int | None = None
    battery_percent: float | None = None
    load_per_core: float | None = None
    neighbours: float | None = None
    clock_share: float | None = None
    pinned_clocks: bool = False
    canary: float | None = None
    wait_s: Seconds = 300.0
    cooldown_s: Seconds = 120.0
    campaign_wait_s: Seconds = 1800.0


_BOARD = Limits(
    soc_celsius=65.0,
    soc_peak_celsius=80.0,
    neighbours=0.5,
    clock_share=0.9,
    pinned_clocks=True,
    canary=0.10,
)
_PHONE = Limits(
    soc_celsius=50.0,
    soc_peak_celsius=90.0,
    skin_celsius=40.0,
    battery_celsius=37.0,
    thermal_status=0,
    battery_percent=30.0,
    neighbours=1.0,
    canary=0.10,
)
_BOARD_WITH_EDGETPU = replace(_BOARD, accelerator_celsius=75.0, accelerator_peak_celsius=84.8)
_OWN = Limits(soc_celsius=85.0, soc_peak_celsius=95.0)  # its owner works on it too
OWN_EDGETPU = "edgetpu of this machine"

# By kind of device in the configuration. The table in docs/health.md is held equal by a test.
LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "local": _OWN,
        "ssh": _BOARD,
        "edgetpu": _BOARD_WITH_EDGETPU,
        OWN_EDGETPU: replace(_OWN, accelerator_celsius=75.0, accelerator_peak_celsius=84.8),
        "android": _PHONE,
        "simulated": replace(_PHONE, soc_celsius=40.0, soc_peak_celsius=70.0),
    }
)
NO_LIMITS = Limits()


def limits_of(kind: str) -> Limits:
    """What a device of that kind must keep to where the configuration says nothing; a new kind has no limits."""
    return LIMITS.get(kind, NO_LIMITS)
