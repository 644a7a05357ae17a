"""The system's files of Linux boards, to be planted below a root: what the agent reads of them, and no more.

Written from the boards' public descriptions (device trees in Linux, Arm's part numbers); never copied off a board.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

A53, A55, A76 = 0xD03, 0xD05, 0xD0B
_CPU = "sys/devices/system/cpu"


def plant(root: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def arm_cpuinfo(parts: Iterable[int]) -> str:
    blocks = [
        f"processor\t: {core}\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU part\t: {part:#05x}\n"
        for core, part in enumerate(parts)
    ]
    return "\n".join(blocks)


def clocks(khz: Iterable[int], name: str = "cpuinfo_max_freq") -> dict[str, str]:
    return {f"{_CPU}/cpu{core}/cpufreq/{name}": f"{clock}\n" for core, clock in enumerate(khz)}


def raspberry_pi_5() -> dict[str, str]:
    return {
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
        "proc/device-tree/serial-number": "9f2b7c1de0a45b33\0",
        "proc/cpuinfo": arm_cpuinfo([A76] * 4) + "\nModel\t: Raspberry Pi 5 Model B Rev 1.0\n",
        "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-2712\n",
        f"{_CPU}/online": "0-3\n",
        f"{_CPU}/cpufreq/policy0/scaling_available_governors": "conservative ondemand performance schedutil\n",
        **clocks([2400000] * 4),
        **clocks([2400000] * 4, "scaling_max_freq"),
    }


def rock_5b() -> dict[str, str]:
    """RK3588: four Cortex-A55, and two pairs of Cortex-A76 whose highest clocks are apart by their binning."""
    return {
        "proc/device-tree/model": "Radxa ROCK 5B\0",
        "proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0",
        "proc/cpuinfo": arm_cpuinfo([A55] * 4 + [A76] * 4),
        f"{_CPU}/online": "0-7\n",
        **clocks([1800000] * 4 + [2256000] * 2 + [2304000] * 2),
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    }


def coral_dev_board() -> dict[str, str]:
    return {
        "proc/device-tree/model": "Freescale i.MX8MQ Phanbell\0",
        "proc/device-tree/compatible": "google,imx8mq-phanbell\0fsl,imx8mq\0",
        "proc/cpuinfo": arm_cpuinfo([A53] * 4),
        f"{_CPU}/online": "0-3\n",
        "sys/devices/soc0/family": "Freescale i.MX\n",
        "sys/devices/soc0/soc_id": "i.MX8MQ\n",
        **clocks([1500000] * 4),
        "sys/class/apex/apex_0/temp": "49800\n",
    }


def x86(clock_khz: Iterable[int] = (5000000, 5000000, 5100000, 5100000)) -> dict[str, str]:
    clocks_khz = list(clock_khz)
    blocks = [
        f"processor\t: {core}\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM) i7\n"
        for core in range(len(clocks_khz))
    ]
    return {
        "proc/cpuinfo": "\n".join(blocks),
        "sys/class/dmi/id/sys_vendor": "LENOVO\n",
        "sys/class/dmi/id/product_name": "21CB\n",
        "sys/class/dmi/id/product_serial": "To be filled by O.E.M.\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        f"{_CPU}/online": f"0-{len(clocks_khz) - 1}\n",
        **clocks(clocks_khz),
    }
