"""benchmark_model brought to a device by setup: in one step, once, and only for its processor."""

import platform
import stat
import struct
from pathlib import Path

import pytest

from devices.setup import reach
from devices.tool_setup import send_tool
from devices.transport.local import LocalTransport
from harness.core.device import DeviceSpec
from harness.core.errors import DeviceError

SPEC = DeviceSpec(name="local", kind="local")
_CODES = {"x86_64": (2, 0x3E), "aarch64": (2, 0xB7)}
HERE = _CODES[platform.machine()]
ELSEWHERE = (1, 0x28)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def a_tool(folder: Path, machine: tuple[int, int] = HERE, more: bytes = b"") -> Path:
    """A file with the head of a program."""
    file = folder / "my benchmark_model; for $HOME"
    width, code = machine
    file.write_bytes(struct.pack("<4sB13xHI", b"\x7fELF", width, code, 1) + more)
    return file


def test_it_is_put_where_the_agent_looks_for_its_user_alone(tmp_path: Path, home: Path) -> None:
    tool = a_tool(tmp_path)
    assert send_tool(SPEC, tool).startswith("local: benchmark_model sha256:")
    there = home / ".weighbridge/tools/benchmark_model"
    assert there.read_bytes() == tool.read_bytes()
    assert stat.S_IMODE(there.stat().st_mode) == 0o700
    assert [each.name for each in there.parent.iterdir()] == ["benchmark_model"]


def test_the_same_is_not_sent_again_and_another_takes_its_place(tmp_path: Path, home: Path) -> None:
    send_tool(SPEC, a_tool(tmp_path))
    assert send_tool(SPEC, a_tool(tmp_path)).endswith("was there, nothing was sent")
    newer = a_tool(tmp_path, more=b"newer")
    send_tool(SPEC, newer)
    assert (home / ".weighbridge/tools/benchmark_model").read_bytes() == newer.read_bytes()


def test_one_for_another_processor_is_refused(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DeviceError, match=f"is for armv7l, the device's Python is for {platform.machine()}"):
        send_tool(SPEC, a_tool(tmp_path, ELSEWHERE))
    assert not (home / ".weighbridge/tools/benchmark_model").exists()


@pytest.mark.usefixtures("home")
def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "benchmark_model"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(DeviceError, match="no program for Linux"):
        send_tool(SPEC, script)


def test_a_device_that_cannot_be_set_up_says_so() -> None:
    with pytest.raises(DeviceError, match="has no setup"):
        reach(DeviceSpec(name="sim", kind="simulated"))


def test_this_machine_is_reached_as_it_is() -> None:
    assert isinstance(reach(SPEC), LocalTransport)
