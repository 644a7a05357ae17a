"""The programs that a phone is measured with, found and checked."""

import struct
from pathlib import Path

import pytest

from devices.phone_tools import find_tools
from harness.core import digest
from harness.core.device import PhoneTools
from harness.core.errors import DeviceError

ABIS = ("arm64-v8a", "armeabi-v7a")


def an_elf(path: Path, machine: int = 183, bits: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF" + bytes([bits]) + bytes(11) + struct.pack("<HH", 3, machine) + bytes(44))
    return path


def test_the_tool_of_the_best_abi_is_taken(tmp_path: Path) -> None:
    an_elf(tmp_path / "armeabi-v7a/benchmark_model", machine=40, bits=1)
    wanted = an_elf(tmp_path / "arm64-v8a/benchmark_model")
    found = find_tools("p", PhoneTools(folder=tmp_path), ABIS)
    assert (found.abi, found.benchmark.path) == ("arm64-v8a", wanted)
    assert found.details["benchmark_model"] == f"sha256 {digest.of_file(wanted)[:16]} (arm64-v8a)"


def test_a_tool_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    wanted = an_elf(tmp_path / "benchmark_model", machine=40, bits=1)
    found = find_tools("p", PhoneTools(folder=tmp_path), ABIS)
    assert (found.abi, found.benchmark.path) == ("armeabi-v7a", wanted)


def test_a_missing_tool_is_told_with_the_place_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"arm64-v8a/benchmark_model is missing: .*nightly builds"):
        find_tools("p", PhoneTools(folder=tmp_path), ABIS)


def test_a_tool_for_another_processor_is_refused(tmp_path: Path) -> None:
    an_elf(tmp_path / "benchmark_model", machine=62)
    with pytest.raises(DeviceError, match="built for x86_64, the phone runs arm64-v8a"):
        find_tools("p", PhoneTools(folder=tmp_path), ABIS)


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "benchmark_model").write_text("<html>404</html>")
    with pytest.raises(DeviceError, match="no ELF file"):
        find_tools("p", PhoneTools(folder=tmp_path), ABIS)


def test_a_pinned_digest_is_held(tmp_path: Path) -> None:
    tool = an_elf(tmp_path / "benchmark_model")
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{digest.of_file(tool)}  benchmark_model\n")
    assert find_tools("p", PhoneTools(folder=tmp_path), ABIS)
    sums.write_text(f"{'0' * 64}  benchmark_model\n")
    with pytest.raises(DeviceError, match=r"SHA256SUMS says 0000000000000000"):
        find_tools("p", PhoneTools(folder=tmp_path), ABIS)


def test_a_delegate_for_another_processor_is_refused(tmp_path: Path) -> None:
    an_elf(tmp_path / "benchmark_model")
    delegate = an_elf(tmp_path / "libdelegate.so", machine=62)
    with pytest.raises(DeviceError, match=r"libdelegate\.so is built for x86_64"):
        find_tools("p", PhoneTools(folder=tmp_path, delegate=delegate), ABIS)
