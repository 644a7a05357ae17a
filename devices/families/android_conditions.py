"""The state of an Android phone at one moment, read in one round trip. Pure but for the fixed text of the script.

Sources: AOSP ThermalManagerService (dump), BatteryService (dump), the kernel's cpufreq and /proc.
"""

import re
from collections.abc import Mapping

from devices.families.android import kilobytes_of, sections
from harness.core.device import Conditions
from harness.core.units import Celsius

# `settings` and `dumpsys` are programs of the phone's; where one is missing its section is empty, which is "unknown".
# Clocks are read by the shell itself: a process for each of them would warm the phone that is looked at.
CONDITIONS_SCRIPT = """
echo @date; date +%s.%N
echo @load; cat /proc/loadavg
echo @memory; cat /proc/meminfo
echo @clocks
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  f="$c/cpufreq"; a=; b=; g=
  read -r a < "$f/scaling_cur_freq"; read -r b < "$f/scaling_max_freq"; read -r g < "$f/scaling_governor"
  echo "${c##*/cpu};$a;$b;$g"
done 2>/dev/null
echo @thermal; dumpsys thermalservice 2>/dev/null
echo @battery; dumpsys battery 2>/dev/null
echo @stay; settings get global stay_on_while_plugged_in 2>/dev/null
echo @prepared; cat /data/local/tmp/weighbridge/prepared.json 2>/dev/null
true
"""
_TEMPERATURE = re.compile(
    r"Temperature\{mValue=(?P<value>[^,]+), mType=(?P<type>-?\d+), mName=(?P<name>.*?), mStatus=\d+\}"
)
_STATUS = re.compile(r"^\s*Thermal Status:\s*(?P<status>\d+)\s*$", re.MULTILINE)
_HAL = re.compile(r"^\s*Current temperatures from HAL:\s*$(?P<rest>.*)", re.MULTILINE | re.DOTALL)
_CACHED = re.compile(r"^\s*Cached temperatures:\s*$(?P<rest>.*)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^\s*[A-Za-z][^{}\n]*:\s*(\w+)?\s*$", re.MULTILINE)
_ABSENT = (-99.9, 0.0)  # what vendors put where a sensor is not there
_SANE = (-40.0, 200.0)
_POWERED = re.compile(r"^\s*(AC|USB|Wireless|Dock) powered:\s*(?P<is>true|false)\s*$", re.MULTILINE)
_TENTHS = 10.0
_KHZ = 1000.0
_THROTTLING_STATUS = 1  # THERMAL_STATUS_LIGHT


def conditions_from(text: str, prepared: Mapping[str, str]) -> Conditions:
    """Read the answer of CONDITIONS_SCRIPT. prepared is what the phone reads back of what was switched on.

    Raises ValueError where the phone does not even say its time: then it was no answer of ours.
    """
    told = sections(text)
    clocks, caps, governors = _clocks_of(told.get("clocks", ""))
    battery = told.get("battery", "")
    status = thermal_status_of(told.get("thermal", ""))
    return Conditions(
        taken_at=_seconds_of(told.get("date", "")),
        temperatures={**temperatures_of(told.get("thermal", "")), **_battery_temperature(battery)},
        clocks_mhz=clocks,
        governor=governors,
        load=_load_of(told.get("load", "")),
        power=power_of(battery),
        memory_available_bytes=kilobytes_of(told.get("memory", ""), "MemAvailable"),
        throttled=_throttled(status),
        clock_caps_mhz=caps,
        battery_percent=_battery_percent(battery),
        thermal_status=status,
        prepared=prepared,
    )


def temperatures_of(thermal: str) -> dict[str, Celsius]:
    """By sensor, of the HAL's own section where it is there and not empty, else of what the service remembers.

    Absent values are left out. A name that two sensors have keeps the hotter one.
    """
    for section in (_HAL, _CACHED):
        found = section.search(thermal)
        if found and (read := _sensors(_until_heading(found["rest"]))):
            return read
    return {}


def _until_heading(text: str) -> str:
    heading = _HEADING.search(text)
    return text[: heading.start()] if heading else text


def _sensors(text: str) -> dict[str, Celsius]:
    read: dict[str, Celsius] = {}
    for found in _TEMPERATURE.finditer(text):
        try:
            value = float(found["value"])
        except ValueError:
            continue
        if value not in _ABSENT and _SANE[0] < value < _SANE[1]:
            read[found["name"]] = max(value, read.get(found["name"], value))
    return read


def thermal_status_of(thermal: str) -> int | None:
    """Android's own, 0 (none) to 6 (shutdown). None where the service is not there or its HAL is not ready."""
    found = _STATUS.search(thermal)
    if found is None or re.search(r"^\s*HAL Ready:\s*false\s*$", thermal, re.MULTILINE):
        return None
    return int(found["status"])


def _throttled(status: int | None) -> bool | None:
    return None if status is None else status >= _THROTTLING_STATUS


def power_of(battery: str) -> str | None:
    """`mains` where any source feeds it, `battery` where none does."""
    found = [line["is"] == "true" for line in _POWERED.finditer(battery)]
    if not found:
        return None
    return "mains" if any(found) else "battery"


def _battery_percent(battery: str) -> float | None:
    level, scale = _number(battery, "level"), _number(battery, "scale")
    return None if level is None or not scale else 100.0 * level / scale


def _battery_temperature(battery: str) -> dict[str, Celsius]:
    tenths = _number(battery, "temperature")
    return {} if not tenths else {"battery (service)": tenths / _TENTHS}


def _number(text: str, key: str) -> int | None:
    found = re.search(rf"^\s*{key}:\s*(-?\d+)\s*$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _clocks_of(text: str) -> tuple[dict[str, float], dict[str, float], str | None]:
    clocks: dict[str, float] = {}
    caps: dict[str, float] = {}
    governors: set[str] = set()
    for line in text.split("\n"):
        core, *fields = line.strip().split(";")
        if not core.isdigit() or len(fields) != 3:
            continue
        now, cap, governor = fields
        if now.isdigit():
            clocks[f"cpu{core}"] = int(now) / _KHZ
        if cap.isdigit():
            caps[f"cpu{core}"] = int(cap) / _KHZ
        if governor:
            governors.add(governor)
    return clocks, caps, "+".join(sorted(governors)) or None


def _load_of(text: str) -> float | None:
    first = text.split()[0] if text.split() else ""
    try:
        return float(first)
    except ValueError:
        return None


def _seconds_of(text: str) -> float:
    """`date +%s.%N`; a toybox without %N leaves it as it is, and the seconds stand alone."""
    whole, _, part = text.strip().partition(".")
    if not whole.isdigit():
        raise ValueError(f"the phone's date is {text.strip()!r}")
    return float(f"{whole}.{part}") if part.isdigit() else float(whole)
