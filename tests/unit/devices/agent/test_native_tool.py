"""How benchmark_model is found and called on a device."""

from pathlib import Path
from typing import Any

import pytest

from devices.agent import native_tool
from devices.agent.native_tool import ToolFailed, argv_of, can_measure, find
from tests.support.native_tools import plant_tool

SETTINGS = {"inferences": 20, "max_launch_s": 5.0, "warmup_inferences": 3, "warmup_s": 0.5, "warmup_max_s": 2.0}


def unit(kind: str, backend: str | None = None, threads: int | None = None) -> dict[str, object]:
    return {"kind": kind, "backend": backend, "threads": threads, "cluster": None}


def call(on: dict[str, object], **changes: object) -> tuple[str, ...]:
    order: dict[str, Any] = {
        "variant": "/m/a b.tflite",
        "unit": on,
        "settings": SETTINGS,
        "deadline_s": 60.0,
        "signature": None,
        "delegate": None,
        **changes,
    }
    return argv_of(order, "/bin/tool", "/proc/self/fd/7", "/proc/self/fd/8")


def a_delegate(**options: str) -> dict[str, object]:
    return {"library": "/lib/libedgetpu.so.1", "options": options}


@pytest.mark.parametrize(
    ("on", "flags"),
    [
        (unit("cpu", threads=1), {"--num_threads=1", "--use_xnnpack=true"}),
        (unit("cpu", "xnnpack", 4), {"--num_threads=4", "--use_xnnpack=true"}),
        (unit("cpu", "builtin", 2), {"--num_threads=2", "--use_xnnpack=false"}),
    ],
)
def test_a_processor_s_unit_is_threads_and_xnnpack(on: dict[str, object], flags: set[str]) -> None:
    assert flags <= set(call(on))


def test_an_edge_tpu_is_the_order_s_delegate_with_its_options() -> None:
    argv = call(unit("edgetpu"), delegate=a_delegate(device="usb", verbosity="1"))
    assert "--external_delegate_path=/lib/libedgetpu.so.1" in argv
    assert "--external_delegate_options=device:usb;verbosity:1" in argv
    assert not [word for word in argv if word.startswith("--num_threads")]


def test_an_edge_tpu_without_options_has_no_word_for_them() -> None:
    assert not [w for w in call(unit("edgetpu"), delegate=a_delegate()) if w.startswith("--external_delegate_options")]


def test_an_option_that_the_flags_cannot_say_is_refused() -> None:
    with pytest.raises(ToolFailed, match="no way to say"):
        call(unit("edgetpu"), delegate=a_delegate(device="usb:0"))


def test_a_path_is_one_word_and_a_signature_is_named() -> None:
    argv = call(unit("cpu", threads=1), signature="decode")
    assert "--graph=/m/a b.tflite" in argv
    assert argv[-1] == "--signature_to_run_for=decode"


@pytest.mark.parametrize(
    ("on", "can"),
    [(unit("cpu"), True), (unit("edgetpu"), True), (unit("gpu"), False), (unit("npu"), False)],
)
def test_accelerators_of_litert_s_own_are_not_the_tool_s(on: dict[str, object], can: bool) -> None:
    assert can_measure(on) is can


def test_the_agent_s_own_folder_goes_before_the_runtime_s_and_that_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    package = tmp_path / "ai_edge_litert"
    assert find((str(package),)) is None
    for folder in (tmp_path / "bin", package, tmp_path / ".weighbridge/tools"):
        tool = plant_tool(folder)
        assert find((str(package),)) == str(tool)


def test_what_cannot_be_run_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    plant_tool(tmp_path / ".weighbridge/tools").chmod(0o600)
    assert native_tool.details(()) == {}
