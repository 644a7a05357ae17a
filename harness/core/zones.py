"""What a temperature is of, by the name that the device gives its zone.

A zone that no pattern knows is shown in reports and judged by nothing: a board names its charger, its radio and its
memory as it likes, and a limit held against the wrong one would keep a healthy device from ever being measured.
"""

import functools
from enum import StrEnum
from fnmatch import fnmatchcase

from harness.core.device import Conditions, DeviceFacts
from harness.core.units import Celsius


class Zone(StrEnum):
    SOC = "SoC"
    SKIN = "skin"
    ACCELERATOR = "accelerator"
    BATTERY = "battery"


# The first pattern that fits a zone's name in small letters decides. Sources: Linux drivers/thermal and drivers/hwmon,
# the device trees of Raspberry Pi, Rockchip, Amlogic and Allwinner boards, gasket's apex, and Android's types CPU, GPU,
# BATTERY and SKIN. The skin is what a phone's own throttling follows; its SoC is tens of degrees hotter at work.
ZONES: tuple[tuple[str, Zone], ...] = (
    ("apex*", Zone.ACCELERATOR),
    ("edgetpu*", Zone.ACCELERATOR),
    ("*batt*", Zone.BATTERY),
    ("bat", Zone.BATTERY),
    ("cpu*", Zone.SOC),
    ("gpu*", Zone.SOC),
    ("soc*", Zone.SOC),
    ("x86_pkg_temp*", Zone.SOC),
    ("coretemp*", Zone.SOC),
    ("k10temp*", Zone.SOC),
    ("zenpower*", Zone.SOC),
    ("bigcore*", Zone.SOC),
    ("littlecore*", Zone.SOC),
    ("center-thermal*", Zone.SOC),
    ("package-thermal*", Zone.SOC),
    ("ap", Zone.SOC),
    ("ap *", Zone.SOC),
    ("big*", Zone.SOC),
    ("mid*", Zone.SOC),
    ("little*", Zone.SOC),
    ("g3d*", Zone.SOC),
    ("skin*", Zone.SKIN),
    ("virtual-skin*", Zone.SKIN),
    ("type_cpu*", Zone.SOC),
    ("type_gpu*", Zone.SOC),
    ("type_skin*", Zone.SKIN),
    ("type_soc*", Zone.SOC),
)


@functools.lru_cache(maxsize=1024)  # grades ask for every zone of every launch
def zone_of(name: str) -> Zone | None:
    """What a zone is of; None: nobody here knows."""
    low = name.strip().lower()
    return next((zone for pattern, zone in ZONES if fnmatchcase(low, pattern)), None)


def hottest(now: Conditions, zone: Zone) -> Celsius | None:
    """The warmest of a device's zones of one kind, None where it has none."""
    return max((value for name, value in now.temperatures.items() if zone_of(name) is zone), default=None)


def clock_share(now: Conditions, facts: DeviceFacts) -> float | None:
    """The least part of a core's highest clock that is permitted now; None where a cap or the highest is unknown."""
    highest = {f"cpu{core}": cluster.max_mhz for cluster in facts.clusters for core in cluster.cores}
    shares = [cap / most for core, cap in now.clock_caps_mhz.items() if (most := highest.get(core))]
    return min(shares, default=None)
