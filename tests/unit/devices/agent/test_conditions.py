"""Conditions from planted trees of the system's files. What is missing is None or left out."""

from pathlib import Path

import pytest

from devices.agent import canary, conditions, protocol


def plant(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_an_empty_tree_has_nothing_to_say(tmp_path: Path) -> None:
    read = conditions.read(str(tmp_path), "linux")
    assert {key: value for key, value in read.items() if key != "taken_at"} == {
        "temperatures": {},
        "clocks_mhz": {},
        "governor": None,
        "load": None,
        "power": None,
        "memory_available_bytes": None,
        "throttled": None,
        "clock_caps_mhz": {},
        "battery_percent": None,
        "thermal_status": None,
        "neighbours": None,
        "prepared": {},
    }


def test_thermal_zones_are_named_and_in_celsius(tmp_path: Path) -> None:
    zones = {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "47500\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "48000\n",
        "sys/class/thermal/thermal_zone2/type": "broken\n",
        "sys/class/thermal/thermal_zone2/temp": "\n",
    }
    read = conditions.read(plant(tmp_path, zones), "linux")
    assert read["temperatures"] == {"cpu-thermal": 47.5, "cpu-thermal 2": 48.0}


def test_a_processor_that_is_no_thermal_zone_is_read_from_hwmon(tmp_path: Path) -> None:
    sensors = {
        "sys/class/hwmon/hwmon0/name": "k10temp\n",
        "sys/class/hwmon/hwmon0/temp1_input": "61250\n",
        "sys/class/hwmon/hwmon0/temp1_label": "Tctl\n",
        "sys/class/hwmon/hwmon0/temp2_input": "60000\n",
        "sys/class/hwmon/hwmon1/name": "nvme\n",
        "sys/class/hwmon/hwmon1/temp1_input": "35000\n",
    }
    read = conditions.read(plant(tmp_path, sensors), "linux")
    assert read["temperatures"] == {"k10temp Tctl": 61.25, "k10temp temp2": 60.0}


def test_clocks_are_by_core_in_megahertz(tmp_path: Path) -> None:
    cores = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "sys/devices/system/cpu/cpu12/cpufreq/scaling_cur_freq": "2400500\n",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1\n",
    }
    assert conditions.read(plant(tmp_path, cores), "linux")["clocks_mhz"] == {"cpu0": 1800.0, "cpu12": 2400.5}


@pytest.mark.parametrize(
    ("governors", "expected"), [(["performance", "performance"], "performance"), (["a", "b"], "a+b")]
)
def test_the_governor_is_named_once(tmp_path: Path, governors: list[str], expected: str) -> None:
    files = {f"sys/devices/system/cpu/cpu{i}/cpufreq/scaling_governor": f"{g}\n" for i, g in enumerate(governors)}
    assert conditions.read(plant(tmp_path, files), "linux")["governor"] == expected


@pytest.mark.parametrize(
    ("supplies", "power"),
    [
        ({"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery", "BAT0/status": "Charging"}, "mains"),
        ({"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery", "BAT0/status": "Discharging"}, "battery"),
        ({"mouse/type": "Battery", "mouse/scope": "Device", "mouse/status": "Discharging"}, None),
        ({"BAT0/type": "Battery", "BAT0/status": "Unknown"}, None),
    ],
)
def test_power_is_what_feeds_the_system(tmp_path: Path, supplies: dict[str, str], power: str | None) -> None:
    files = {f"sys/class/power_supply/{name}": text for name, text in supplies.items()}
    assert conditions.read(plant(tmp_path, files), "linux")["power"] == power


def test_load_and_memory_are_read_from_proc(tmp_path: Path) -> None:
    files = {"proc/loadavg": "0.52 0.40 0.30 1/100 4242\n", "proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  2048 kB\n"}
    read = conditions.read(plant(tmp_path, files), "linux")
    assert (read["load"], read["memory_available_bytes"]) == (0.52, 2048 * 1024)


def test_conditions_are_what_the_protocol_says(tmp_path: Path) -> None:
    read = conditions.read(str(tmp_path), "linux")
    assert protocol.check("conditions", read, protocol.CONDITIONS) == read


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("Now drawing from 'AC Power'\n -InternalBattery-0\t100%; charged;\n", "mains"),
        ("Now drawing from 'Battery Power'\n", "battery"),
        ("", None),
        (None, None),
    ],
)
def test_pmset_tells_the_power_of_a_mac(text: str | None, power: str | None) -> None:
    assert conditions.parse_pmset_power(text) == power


@pytest.mark.parametrize(
    ("text", "throttled"),
    [("CPU_Speed_Limit \t= 100\n", False), ("CPU_Speed_Limit \t= 70\n", True), ("Note: none recorded\n", None)],
)
def test_pmset_tells_whether_a_mac_is_throttled(text: str, throttled: bool | None) -> None:
    assert conditions.parse_pmset_thermal(text) is throttled


def test_a_program_that_is_absent_says_nothing() -> None:
    assert conditions.run(("/no/such/program",)) is None


def test_the_canary_gives_each_repetition_raw() -> None:
    times = iter(range(0, 1000, 5))
    assert canary.run(lambda: next(times)) == [5] * 9


def test_the_lowest_of_what_limits_a_core_is_its_cap(tmp_path: Path) -> None:
    limits = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2400000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq": "2400000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/bios_limit": "1500000\n",
    }
    assert conditions.read(plant(tmp_path, limits), "linux")["clock_caps_mhz"] == {"cpu0": 2400.0, "cpu1": 1500.0}


PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
COOLER = "sys/class/thermal/cooling_device"


@pytest.mark.parametrize(
    ("files", "throttled"),
    [
        ({PI: "0\n"}, False),
        ({PI: "50000\n"}, False),  # since boot, not now
        ({PI: "50005\n"}, True),
        ({PI: "8\n"}, True),
        ({PI: "nonsense\n"}, None),
        ({f"{COOLER}0/type": "cpufreq-cpu0\n", f"{COOLER}0/cur_state": "0\n"}, False),
        ({f"{COOLER}0/type": "thermal-cpufreq-1\n", f"{COOLER}0/cur_state": "2\n"}, True),
        ({f"{COOLER}0/type": "pwm-fan\n", f"{COOLER}0/cur_state": "3\n"}, None),
        ({f"{COOLER}0/type": "cpufreq-cpu0\n"}, None),
        ({PI: "0\n", f"{COOLER}0/type": "cpufreq-cpu0\n", f"{COOLER}0/cur_state": "1\n"}, True),
    ],
)
def test_throttling_is_told_where_the_device_tells_it(
    tmp_path: Path, files: dict[str, str], *, throttled: bool | None
) -> None:
    assert conditions.read(plant(tmp_path, files), "linux")["throttled"] is throttled


def test_the_charge_is_that_of_the_systems_own_battery(tmp_path: Path) -> None:
    supplies = {
        "sys/class/power_supply/hid-0/type": "Battery\n",
        "sys/class/power_supply/hid-0/scope": "Device\n",
        "sys/class/power_supply/hid-0/capacity": "12\n",
        "sys/class/power_supply/BAT0/type": "Battery\n",
        "sys/class/power_supply/BAT0/capacity": "87\n",
        "sys/class/power_supply/AC/type": "Mains\n",
    }
    assert conditions.read(plant(tmp_path, supplies), "linux")["battery_percent"] == 87.0
