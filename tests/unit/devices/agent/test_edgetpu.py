"""What a device's files tell of Edge TPUs, on planted trees: no board with one has been read yet."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from devices.agent import conditions, edgetpu
from tests.support.nobody import a_folder_for_all, as_nobody

APEX = "sys/class/apex/apex_0"
PCIE = {
    f"{APEX}/temp": "42050",
    f"{APEX}/trip_point0_temp": "85000",
    f"{APEX}/trip_point1_temp": "90000",
    f"{APEX}/trip_point2_temp": "95000",
    f"{APEX}/status": "ALIVE",
    f"{APEX}/driver_version": "1.2",
    "dev/apex_0": "",
}


def usb(name: str = "2-1", product: str = "18d1:9302", speed: str = "5000") -> dict[str, str]:
    folder, (vendor, kind) = f"sys/bus/usb/devices/{name}", product.split(":")
    numbers = {f"{folder}/busnum": "2", f"{folder}/devnum": "7"}
    return {f"{folder}/idVendor": vendor, f"{folder}/idProduct": kind, f"{folder}/speed": speed, **numbers}


def plant(root: Path, *trees: Mapping[str, str]) -> str:
    for tree in trees:
        for name, text in tree.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return str(root)


def test_one_on_pcie_tells_its_status_driver_and_trip_points(tmp_path: Path) -> None:
    assert edgetpu.details(plant(tmp_path, PCIE)) == {
        "edgetpu pci:0": "status ALIVE, driver 1.2, slows down at 85/90/95 °C"
    }


def test_the_temperature_of_one_on_pcie_is_among_the_conditions(tmp_path: Path) -> None:
    root = plant(tmp_path, PCIE)
    found = conditions.read(root, platform="linux")["temperatures"]
    assert found == {"apex_0": 42.05}


def test_one_on_usb_has_no_temperature(tmp_path: Path) -> None:
    assert conditions.read(plant(tmp_path, usb()), platform="linux")["temperatures"] == {}


@pytest.mark.parametrize(
    ("product", "speed", "words"),
    [
        ("18d1:9302", "5000", "5000 Mbit/s (USB 3), initialised"),
        (
            "1a6e:089a",
            "480",
            "480 Mbit/s (USB 2; USB 3 is several times faster: another port or cable), not initialised yet",
        ),
        ("18d1:9302", "unknown", "link speed unknown, initialised"),
    ],
)
def test_one_on_usb_tells_its_link(tmp_path: Path, product: str, speed: str, words: str) -> None:
    root = plant(tmp_path, usb(product=product, speed=speed))
    assert edgetpu.details(root) == {"edgetpu usb:0": words}


def test_other_usb_devices_are_none(tmp_path: Path) -> None:
    assert edgetpu.details(plant(tmp_path, usb(product="1d6b:0003"))) == {}


def test_several_are_numbered_on_each_bus(tmp_path: Path) -> None:
    root = plant(tmp_path, PCIE, usb("1-1"), usb("1-2"))
    assert [each.name for each in edgetpu.accelerators(root)] == ["pci:0", "usb:0", "usb:1"]


@pytest.mark.parametrize("package", ["libedgetpu1-std", "libedgetpu1-max"])
def test_the_library_is_std_or_max_by_its_package(tmp_path: Path, package: str) -> None:
    library = "usr/lib/aarch64-linux-gnu/libedgetpu.so.1"
    listing = {f"var/lib/dpkg/info/{package}:arm64.list": f"/.\n/{library}", library: ""}
    status = {"var/lib/dpkg/status": f"Package: {package}\nStatus: install ok installed\nVersion: 16.0\n\nPackage: z\n"}
    root = plant(tmp_path, listing, status)
    assert edgetpu.details(root)["libedgetpu"] == f"{package} 16.0, version unknown, /{library}"


def test_a_library_of_no_package_is_neither(tmp_path: Path) -> None:
    root = plant(tmp_path, {"usr/local/lib/libedgetpu.so.1": ""})
    assert edgetpu.details(root)["libedgetpu"].startswith("std or max unknown, version unknown")


def test_nothing_attached_is_why_it_cannot_be_opened(tmp_path: Path) -> None:
    assert edgetpu.why_closed(str(tmp_path)) == (
        "no Edge TPU is attached: no /dev/apex_*, no usb 1a6e:089a, no usb 18d1:9302"
    )


def test_a_driver_that_made_no_node_is_why(tmp_path: Path) -> None:
    root = plant(tmp_path, {f"{APEX}/status": "ALIVE"})
    assert edgetpu.why_closed(root) == "/dev/apex_0 is not there although pci:0 is: load the driver (modprobe apex)"


def test_a_node_that_may_not_be_opened_is_why() -> None:
    with a_folder_for_all() as folder:
        root = plant(folder, PCIE)
        (folder / "dev/apex_0").chmod(0)
        with as_nobody():
            why = edgetpu.why_closed(root)
    assert "sudo usermod -aG apex $USER" in why


def test_a_node_of_root_alone_names_the_group_and_the_rules() -> None:
    usb_one = edgetpu.Accelerator("usb:0", "/dev/bus/usb/002/007", "")
    words = edgetpu._not_permitted(usb_one, "/nowhere")
    assert words.startswith(
        "no permission for /dev/bus/usb/002/007: sudo usermod -aG plugdev $USER and install the udev"
    )


def test_a_process_that_has_it_open_is_why(tmp_path: Path) -> None:
    root = plant(tmp_path, PCIE)
    (tmp_path / "proc/4711/fd").mkdir(parents=True)
    (tmp_path / "proc/4711/fd/5").symlink_to("/dev/apex_0")
    assert edgetpu.why_closed(root) == "pci:0 is in use by process 4711: end it, one process has an Edge TPU"


def test_a_driver_that_says_it_is_owned_is_why_where_the_process_is_somebody_elses(tmp_path: Path) -> None:
    root = plant(tmp_path, PCIE, {f"{APEX}/is_device_owned": "1"})
    assert edgetpu.why_closed(root).startswith("pci:0 is in use by process unknown")
