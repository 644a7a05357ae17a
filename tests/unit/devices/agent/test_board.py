"""What Linux boards are, from planted trees. What is not told is None or left out."""

from pathlib import Path
from typing import Any

import pytest

from devices.agent import board, protocol
from tests.support import planted_boards as boards
from tests.support.planted_boards import A53, A76, arm_cpuinfo, plant


def named(root: str) -> list[tuple[object, ...]]:
    found = [protocol.check("cluster", each, protocol.CLUSTER) for each in board.clusters(root)]
    return [(each["name"], each["cores"], each["max_mhz"], each["part"]) for each in found]


def test_an_empty_tree_is_nothing(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert (board.serial(root), board.details(root), board.clusters(root)) == (None, {}, [])


def test_a_raspberry_pi_5_is_told_by_its_device_tree(tmp_path: Path) -> None:
    root = plant(tmp_path, boards.raspberry_pi_5())
    assert board.serial(root) == "9f2b7c1de0a45b33"
    assert board.details(root) == {
        "model": "Raspberry Pi 5 Model B Rev 1.0",
        "soc": "brcm,bcm2712",
        "compatible": "raspberrypi,5-model-b, brcm,bcm2712",
        "kernel": "6.6.31+rpt-rpi-2712",
        "cores": "4 x Cortex-A76",
        "governors": "conservative ondemand performance schedutil",
    }


def test_cores_of_one_kind_are_one_cluster(tmp_path: Path) -> None:
    root = plant(tmp_path, boards.raspberry_pi_5())
    assert named(root) == [("all", [0, 1, 2, 3], 2400.0, "Cortex-A76")]


def test_three_kinds_are_little_middle_and_big(tmp_path: Path) -> None:
    assert named(plant(tmp_path, boards.rock_5b())) == [
        ("little", [0, 1, 2, 3], 1800.0, "Cortex-A55"),
        ("middle", [4, 5], 2256.0, "Cortex-A76"),
        ("big", [6, 7], 2304.0, "Cortex-A76"),
    ]


def test_two_kinds_are_little_and_big_whatever_their_numbers(tmp_path: Path) -> None:
    tree = {"proc/cpuinfo": arm_cpuinfo([A76, A76, A53, A53]), **boards.clocks([2000000] * 2 + [1500000] * 2)}
    assert [(name, cores) for name, cores, *_ in named(plant(tmp_path, tree))] == [("little", [2, 3]), ("big", [0, 1])]


def test_a_coral_board_has_its_soc_by_name_and_no_serial(tmp_path: Path) -> None:
    root = plant(tmp_path, boards.coral_dev_board())
    assert board.serial(root) is None
    assert board.details(root)["soc"] == "Freescale i.MX i.MX8MQ"
    assert named(root) == [("all", [0, 1, 2, 3], 1500.0, "Cortex-A53")]


def test_cores_without_clocks_have_none(tmp_path: Path) -> None:
    assert named(plant(tmp_path, {"proc/cpuinfo": arm_cpuinfo([A76] * 2)})) == [("all", [0, 1], None, "Cortex-A76")]


def test_without_clocks_the_kernels_capacity_orders_kinds(tmp_path: Path) -> None:
    capacity = {f"sys/devices/system/cpu/cpu{core}/cpu_capacity": text for core, text in enumerate(("1024", "530"))}
    root = plant(tmp_path, {"proc/cpuinfo": arm_cpuinfo([A76, A53]), **capacity})
    assert named(root) == [("little", [1], None, "Cortex-A53"), ("big", [0], None, "Cortex-A76")]


def test_kinds_that_nothing_orders_are_no_clusters(tmp_path: Path) -> None:
    assert board.clusters(plant(tmp_path, {"proc/cpuinfo": arm_cpuinfo([A76, A53])})) == []


def test_an_x86_whose_best_cores_turbo_further_has_one_kind(tmp_path: Path) -> None:
    assert named(plant(tmp_path, boards.x86())) == [("all", [0, 1, 2, 3], 5100.0, "Intel(R) Core(TM) i7")]


def test_a_hybrid_x86_has_the_kinds_that_its_kernel_names(tmp_path: Path) -> None:
    kinds = {"sys/devices/cpu_core/cpus": "0-1\n", "sys/devices/cpu_atom/cpus": "2-3\n"}
    root = plant(tmp_path, {**boards.x86((5000000, 5100000, 3800000, 3800000)), **kinds})
    assert [(name, cores, clock) for name, cores, clock, _ in named(root)] == [
        ("little", [2, 3], 3800.0),
        ("big", [0, 1], 5100.0),
    ]


def test_without_a_number_of_its_own_a_board_is_told_by_its_installation_which_is_not_shown(tmp_path: Path) -> None:
    told = board.serial(plant(tmp_path, boards.x86()))
    assert told is not None
    assert told.startswith("installation-")
    assert "0123456789abcdef" not in told


@pytest.mark.parametrize("text", ["", "0\n", "None\n", "Default string\n", "Not Specified\n", "0000000000\n"])
def test_what_makers_leave_in_place_of_a_number_is_none(tmp_path: Path, text: str) -> None:
    assert board.serial(plant(tmp_path, {"sys/class/dmi/id/product_serial": text})) is None


def test_a_part_that_nobody_knows_is_its_numbers(tmp_path: Path) -> None:
    root = plant(tmp_path, {"proc/cpuinfo": arm_cpuinfo([0xFFF])})
    assert board.core_parts(root) == {0: "0x41:0xfff"}


def test_facts_carry_what_the_board_is(tmp_path: Path) -> None:
    from devices.agent import facts

    read: dict[str, Any] = facts.read([], plant(tmp_path, boards.rock_5b()), "linux")
    assert [each["name"] for each in read["clusters"]] == ["little", "middle", "big"]
    assert read["details"]["soc"] == "rockchip,rk3588"
