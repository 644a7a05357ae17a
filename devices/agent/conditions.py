"""The state of the device, as its own system tells it. Missing is None or left out, never a default.

What takes two readings to know is in pressure.py: one reading has None for it. root is where the system's files are:
`/`, or a planted tree.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import time

_MILLI = 1000.0
# Processors whose temperature is no thermal zone. Source: Linux Documentation/hwmon.
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
_MAC_TIMEOUT_S = 5.0
_CORES = "sys/devices/system/cpu/cpu[0-9]*/cpufreq/"
_CAPS = ("scaling_max_freq", "bios_limit")  # the first is the kernel's sum of all limits, thermal ones too; in kHz
# Raspberry Pi's firmware, in hexadecimal; bits 0 to 3 are of now: under-voltage, capped, throttled, soft limit.
# Source: raspberrypi.com, documentation of vcgencmd get_throttled. The higher bits are "since boot".
_PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
_PI_NOW = 0xF
_COOLERS = re.compile(r"(thermal-)?cpufreq-.*")  # Linux, drivers/thermal/cpufreq_cooling.c


def read(root: str = "/", platform: str = sys.platform) -> dict[str, object]:
    """The `conditions` of docs/agent-protocol.md, now."""
    if platform == "darwin":
        return _read_mac()
    return {
        "taken_at": time.time(),
        "temperatures": _temperatures(root),
        "clocks_mhz": _clocks(root),
        "governor": _governor(root),
        "load": _load(root),
        "power": _power(root),
        "memory_available_bytes": _memory_available(root),
        "throttled": _throttled(root),
        "clock_caps_mhz": _clock_caps(root),
        "battery_percent": _battery_percent(root),
        "thermal_status": None,
        "neighbours": None,
        "prepared": {},
    }


def text_of(path: str) -> str | None:
    """A small file of the system, stripped; None where it is absent, refused or empty."""
    try:
        with open(path, errors="replace") as stream:
            return stream.read().strip() or None
    except OSError:
        return None


def number_of(path: str) -> float | None:
    """The number in a small file of the system, or None."""
    text = text_of(path)
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def kilobytes(text: str | None, key: str) -> int | None:
    """Bytes of one line of /proc/meminfo, or None."""
    match = re.search(r"^{}:\s+(\d+) kB$".format(key), text or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _temperatures(root: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for zone in sorted(glob.glob(os.path.join(root, "sys/class/thermal/thermal_zone*"))):
        _keep(found, text_of(os.path.join(zone, "type")) or os.path.basename(zone), os.path.join(zone, "temp"))
    for monitor in sorted(glob.glob(os.path.join(root, "sys/class/hwmon/hwmon*"))):
        name = text_of(os.path.join(monitor, "name"))
        if name in _PROCESSOR_SENSORS:
            for sensor in sorted(glob.glob(os.path.join(monitor, "temp*_input"))):
                label = text_of(sensor[: -len("input")] + "label") or os.path.basename(sensor)[: -len("_input")]
                _keep(found, "{} {}".format(name, label), sensor)
    return found


def _keep(found: dict[str, float], name: str, path: str) -> None:
    value = number_of(path)
    if value is None:
        return
    unique, count = name, 1
    while unique in found:
        count += 1
        unique = "{} {}".format(name, count)
    found[unique] = value / _MILLI


def _clocks(root: str) -> dict[str, float]:
    clocks = {}
    for path in glob.glob(os.path.join(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")):
        value = number_of(path)
        if value is not None:
            clocks[path.split(os.sep)[-3]] = value / _MILLI
    return clocks


def _clock_caps(root: str) -> dict[str, float]:
    """The lowest of what limits each core."""
    caps: dict[str, float] = {}
    for name in _CAPS:
        for path in glob.glob(os.path.join(root, _CORES + name)):
            value, core = number_of(path), path.split(os.sep)[-3]
            if value is not None and value > 0:
                caps[core] = min(caps.get(core, value / _MILLI), value / _MILLI)
    return caps


def _throttled(root: str) -> bool | None:
    """Whether it throttles now, where anything on the device says so."""
    told = [signal for signal in (_pi_throttled(root), _cooled(root)) if signal is not None]
    return any(told) if told else None


def _pi_throttled(root: str) -> bool | None:
    try:
        return bool(int(text_of(os.path.join(root, _PI_THROTTLED)) or "", 16) & _PI_NOW)
    except ValueError:
        return None


def _cooled(root: str) -> bool | None:
    """Whether the kernel holds a processor's clock down for its heat."""
    states = []
    for device in glob.glob(os.path.join(root, "sys/class/thermal/cooling_device*")):
        if _COOLERS.fullmatch(text_of(os.path.join(device, "type")) or ""):
            states.append(number_of(os.path.join(device, "cur_state")))
    known = [state for state in states if state is not None]
    return any(state > 0 for state in known) if known else None


def _battery_percent(root: str) -> float | None:
    """Charge of the system's own battery; of several the first that tells."""
    for supply in sorted(glob.glob(os.path.join(root, "sys/class/power_supply/*"))):
        if text_of(os.path.join(supply, "type")) == "Battery" and text_of(os.path.join(supply, "scope")) != "Device":
            charge = number_of(os.path.join(supply, "capacity"))
            if charge is not None:
                return charge
    return None


def _governor(root: str) -> str | None:
    paths = glob.glob(os.path.join(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
    found = sorted({governor for governor in (text_of(path) for path in paths) if governor})
    return "+".join(found) or None


def _load(root: str) -> float | None:
    text = text_of(os.path.join(root, "proc/loadavg"))
    try:
        return None if text is None else float(text.split()[0])
    except ValueError:
        return None


def _power(root: str) -> str | None:
    supplies = glob.glob(os.path.join(root, "sys/class/power_supply/*"))
    states = {(text_of(os.path.join(s, "type")), text_of(os.path.join(s, "online"))) for s in supplies}
    if any(online == "1" and kind in ("Mains", "USB") for kind, online in states):
        return "mains"
    # A battery of a mouse is a supply too; only the system's own says how the machine is fed.
    for supply in supplies:
        own = text_of(os.path.join(supply, "scope")) != "Device"
        if own and text_of(os.path.join(supply, "status")) == "Discharging":
            return "battery"
    return None


def _memory_available(root: str) -> int | None:
    return kilobytes(text_of(os.path.join(root, "proc/meminfo")), "MemAvailable")


def _read_mac() -> dict[str, object]:
    """What macOS tells without privileges. Never run on a Mac yet."""
    return {
        "taken_at": time.time(),
        "temperatures": {},
        "clocks_mhz": {},
        "governor": None,
        "load": os.getloadavg()[0],
        "power": parse_pmset_power(run(("pmset", "-g", "batt"))),
        "memory_available_bytes": None,
        "throttled": parse_pmset_thermal(run(("pmset", "-g", "therm"))),
        "clock_caps_mhz": {},
        "battery_percent": None,
        "thermal_status": None,
        "neighbours": None,
        "prepared": {},
    }


def run(argv: tuple[str, ...]) -> str | None:
    """What a program of the system prints, or None where it is absent, fails or takes too long."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_MAC_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def parse_pmset_power(text: str | None) -> str | None:
    """`Now drawing from 'AC Power'` of pmset -g batt."""
    match = re.search(r"Now drawing from '(AC|Battery) Power'", text or "")
    return None if match is None else {"AC": "mains", "Battery": "battery"}[match.group(1)]


def parse_pmset_thermal(text: str | None) -> bool | None:
    """`CPU_Speed_Limit = 80` of pmset -g therm: throttled below 100. None where it is not told."""
    match = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", text or "")
    return None if match is None else int(match.group(1)) < 100
