"""What compute units mean to LiteRT."""

from pathlib import Path

import pytest

from devices.agent import targets
from devices.agent.litert import LiteRtError
from devices.agent.targets import ops_refused, target_of


def unit(kind: str, backend: str | None = None, threads: int | None = None) -> dict[str, object]:
    return {"kind": kind, "backend": backend, "threads": threads}


@pytest.fixture
def library(tmp_path: Path) -> str:
    """LiteRT with its GPU accelerator beside it."""
    (tmp_path / "libLiteRtWebGpuAccelerator.so").write_text("")
    return str(tmp_path / "libLiteRt.so")


@pytest.mark.parametrize(("backend", "mode"), [(None, None), ("xnnpack", "delegate"), ("builtin", "builtin")])
def test_the_processor_s_kernels_are_chosen_by_xnnpack_s_options(backend: str | None, mode: str | None) -> None:
    target = target_of(unit("cpu", backend, 3), "/x/libLiteRt.so", None)
    assert target.options == {"xnnpack": {"kernel_mode": mode, "num_threads": 3}}
    assert (target.accelerators, target.folders, target.delegate) == (targets.CPU, {}, "xnnpack")


@pytest.mark.parametrize("backend", [None, "webgpu", "software"])
def test_a_gpu_is_the_accelerator_beside_litert_and_no_other(backend: str | None, library: str) -> None:
    target = target_of(unit("gpu", backend), library, None)
    assert target.accelerators == targets.GPU
    assert target.folders == {targets.RUNTIME_LIBRARY_DIR: str(Path(library).parent)}
    assert (target.options, target.delegate) == ({}, "webgpu")


def test_on_a_mac_the_accelerator_is_metal(tmp_path: Path) -> None:
    (tmp_path / "libLiteRtMetalAccelerator.dylib").write_text("")
    assert target_of(unit("gpu"), str(tmp_path / "libLiteRt.dylib"), None).delegate == "metal"


def test_without_the_accelerator_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LiteRtError, match="no GPU accelerator beside LiteRT: no libLiteRtWebGpu"):
        target_of(unit("gpu"), str(tmp_path / "libLiteRt.so"), None)


def test_an_npu_is_its_dispatch_library_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libLiteRtDispatch_Vendor.so").write_text("")
    target = target_of(unit("npu"), "/x/libLiteRt.so", str(tmp_path))
    assert (target.accelerators, target.delegate) == (targets.NPU, "dispatch")
    assert target.folders == {targets.DISPATCH_LIBRARY_DIR: str(tmp_path)}


def test_a_compiler_among_the_npu_s_libraries_may_compile(tmp_path: Path) -> None:
    for name in ("libLiteRtDispatch_Vendor.so", "libLiteRtCompilerPlugin_Vendor.so"):
        (tmp_path / name).write_text("")
    folders = target_of(unit("npu"), "/x/libLiteRt.so", str(tmp_path)).folders
    assert folders[targets.COMPILER_PLUGIN_LIBRARY_DIR] == str(tmp_path)


def test_without_a_dispatch_folder_an_npu_is_refused_with_what_to_set() -> None:
    with pytest.raises(LiteRtError, match="set `dispatch` of the device"):
        target_of(unit("npu"), "/x/libLiteRt.so", None)


@pytest.mark.parametrize(
    ("kind", "backend", "named"),
    [("cpu", "webgpu", "cpu/webgpu"), ("gpu", "metal", "gpu/metal"), ("npu", "qnn", "npu/qnn"), ("all", None, "all")],
)
def test_a_unit_nobody_has_is_refused_by_name(kind: str, backend: str | None, named: str, library: str) -> None:
    with pytest.raises(LiteRtError, match=f"^{named} is no unit of this agent; it has cpu, "):
        target_of(unit(kind, backend), library, None)


@pytest.mark.parametrize(("kind", "refused"), [("cpu", False), ("gpu", True), ("npu", True)])
def test_a_profiler_is_for_the_processor_alone(kind: str, refused: bool) -> None:
    assert (ops_refused(unit(kind)) is not None) is refused
