"""Facts from planted trees, and LiteRT found without importing it."""

from pathlib import Path
from typing import Any

import pytest

from devices.agent import facts, protocol
from devices.agent.runtimes import LITERT, find_runtime

from .test_conditions import plant


def plant_litert(folder: Path, version: str | None = "2.3.0", library: str = "libLiteRt.so") -> Path:
    """A directory that looks as if ai-edge-litert were installed in it."""
    (folder / "ai_edge_litert").mkdir(parents=True)
    (folder / "ai_edge_litert" / library).write_text("")
    if version is not None:
        (folder / f"ai_edge_litert-{version}.dist-info").mkdir()
    return folder


def accelerators_of(root: str) -> dict[str, Any]:
    read: Any = facts.read([], root, "linux")["accelerators"]
    return {each["unit"]: each["found"] for each in read}


@pytest.mark.parametrize("library", ["libLiteRt.so", "libLiteRt.dylib"])
def test_litert_is_found_with_its_version(tmp_path: Path, library: str) -> None:
    plant_litert(tmp_path, "2.3.0", library)
    assert find_runtime(LITERT, [str(tmp_path)]) == {
        "name": "LiteRT",
        "version": "2.3.0",
        "package": str(tmp_path / "ai_edge_litert"),
        "library": str(tmp_path / "ai_edge_litert" / library),
    }


def test_a_litert_from_before_its_c_library_is_found_by_its_interpreter(tmp_path: Path) -> None:
    plant_litert(tmp_path, "1.4.0", "interpreter.py")
    found = find_runtime(LITERT, [str(tmp_path)])
    assert found is not None
    assert (found["version"], found["library"]) == ("1.4.0", None)


def test_the_first_litert_on_the_path_is_taken(tmp_path: Path) -> None:
    for name in ("empty", "one", "two"):
        (tmp_path / name).mkdir()
    search = [str(tmp_path / name) for name in ("missing", "empty", "one", "two")]
    plant_litert(tmp_path / "one", "1.0")
    plant_litert(tmp_path / "two", "2.0")
    found = find_runtime(LITERT, search)
    assert found is not None
    assert found["version"] == "1.0"


def test_a_litert_without_metadata_has_no_version(tmp_path: Path) -> None:
    found = find_runtime(LITERT, [str(plant_litert(tmp_path, version=None))])
    assert found is not None
    assert found["version"] is None


def test_the_version_of_another_package_is_not_taken(tmp_path: Path) -> None:
    plant_litert(tmp_path, version=None)
    (tmp_path / "ai_edge_litert_nightly-9.9.dist-info").mkdir()
    found = find_runtime(LITERT, [str(tmp_path)])
    assert found is not None
    assert found["version"] is None


def test_no_litert_is_none(tmp_path: Path) -> None:
    assert find_runtime(LITERT, [str(tmp_path)]) is None


def test_a_board_is_described_by_its_own_files(tmp_path: Path) -> None:
    files = {
        "etc/os-release": 'NAME="Mendel"\nPRETTY_NAME="Mendel GNU/Linux 5 (Eagle)"\n',
        "proc/sys/kernel/osrelease": "4.14.98-imx\n",
        "proc/cpuinfo": "processor\t: 0\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
        "proc/meminfo": "MemTotal:        1022336 kB\n",
    }
    read = facts.read([], plant(tmp_path, files), "linux")
    assert (read["os"], read["processor"], read["memory_bytes"]) == (
        "Mendel GNU/Linux 5 (Eagle), Linux 4.14.98-imx",
        "Raspberry Pi 4 Model B Rev 1.4",
        1022336 * 1024,
    )


def test_what_a_board_does_not_say_is_none(tmp_path: Path) -> None:
    read = facts.read([], str(tmp_path), "linux")
    assert (read["os"], read["processor"], read["memory_bytes"], read["runtimes"]) == (None, None, None, [])


def test_accelerators_show_themselves_by_device_files(tmp_path: Path) -> None:
    files = {
        "dev/dri/renderD128": "",
        "dev/apex_0": "",
        "sys/bus/usb/devices/1-2/idVendor": "18d1\n",
        "sys/bus/usb/devices/1-2/idProduct": "9302\n",
    }
    assert accelerators_of(plant(tmp_path, files)) == {
        "gpu": ["/dev/dri/renderD128"],
        "npu": [],
        "edgetpu": ["/dev/apex_0", "usb 18d1:9302"],
    }


def test_litert_s_gpu_accelerator_is_found_beside_it(tmp_path: Path) -> None:
    package = plant_litert(tmp_path) / "ai_edge_litert"
    library = package / "libLiteRtWebGpuAccelerator.so"
    library.write_text("")
    read: Any = facts.read([str(tmp_path)], str(tmp_path), "linux")["accelerators"]
    assert read[0]["found"] == [str(library)]


def test_a_mac_s_gpu_needs_no_driver_but_litert_s_metal_accelerator(tmp_path: Path) -> None:
    library = plant_litert(tmp_path, library="libLiteRt.dylib") / "ai_edge_litert/libLiteRtMetalAccelerator.dylib"
    library.write_text("")
    read: Any = facts.read([str(tmp_path)], str(tmp_path), "darwin")["accelerators"]
    assert read[0]["found"][-1] == str(library)
    assert "libvulkan.so.1" not in read[0]["looked_for"]


def test_vulkan_drivers_are_signs_of_a_gpu(tmp_path: Path) -> None:
    files = {"usr/share/vulkan/icd.d/x_icd.json": "{}", "usr/lib/chromium/vk_swiftshader_icd.json": "{}"}
    root = plant(tmp_path, files)
    assert accelerators_of(root)["gpu"][:2] == [
        f"{root}/usr/share/vulkan/icd.d/x_icd.json",
        f"{root}/usr/lib/chromium/vk_swiftshader_icd.json",
    ]


def test_facts_are_what_the_protocol_says(tmp_path: Path) -> None:
    read = facts.read([str(plant_litert(tmp_path))], str(tmp_path), "linux")
    assert protocol.check("facts", read, protocol.FACTS) == read
