"""An order as words for benchmark_model."""

from dataclasses import replace
from pathlib import Path

import pytest

from devices.runtimes.benchmark_model_flags import Tools, argv_of, cache_of
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster
from harness.core.launch import LaunchOrder, MeasureSettings, Pass, WeightCache

TOOLS = Tools(benchmark="/p/tool")
CLUSTERS = (Cluster(name="little", cores=(0, 1, 2, 3)), Cluster(name="big", cores=(4, 5, 6, 7)))
ORDER = LaunchOrder(
    attempt="a",
    variant=Path("m.tflite"),
    variant_digest="d" * 64,
    pass_=Pass.LATENCY,
    unit=ComputeUnit.parse("cpu"),
    settings=MeasureSettings(inferences=20, max_launch_s=7.5),
    deadline_s=60.0,
)


def words(unit: str = "cpu", tools: Tools = TOOLS, order: LaunchOrder = ORDER) -> tuple[str, ...]:
    return argv_of(replace(order, unit=ComputeUnit.parse(unit)), "/p/model", "/p/run", tools, CLUSTERS)


def test_a_launch_is_as_long_as_its_settings_say() -> None:
    assert {"--num_runs=20", "--max_secs=7.5", "--warmup_runs=3", "--warmup_min_secs=0.3"} <= set(words())


def test_threads_and_kernels_of_the_cpu_are_named() -> None:
    assert {"--num_threads=4", "--use_xnnpack=true"} <= set(words("cpu:4"))
    assert "--use_xnnpack=false" in words("cpu/builtin")


def test_a_cluster_is_a_mask_of_its_cores() -> None:
    assert words("cpu@big:4")[:2] == ("taskset", "f0")
    assert words("cpu@big:4")[5:8] == ("sh", "/p/tool", "--graph=/p/model")
    assert words()[0] == "/p/tool"


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("cpu@middle", "no middle cores"),
        ("cpu@big:5", "has 4 cores"),
        ("npu", "external delegate"),
        ("gpu/software", "no unit"),
        ("edgetpu", "no unit"),
    ],
)
def test_what_cannot_run_is_refused_in_words(unit: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        words(unit)


def test_accelerators_have_their_flags() -> None:
    assert "--use_gpu=true" in words("gpu")
    assert {"--use_nnapi=true", "--disable_nnapi_cpu=true"} <= set(words("npu/nnapi"))


def test_a_driver_of_nnapi_goes_by_its_name() -> None:
    named = replace(TOOLS, nnapi_accelerator="qti-dsp")
    assert "--nnapi_accelerator_name=qti-dsp" in words("npu/nnapi", named)
    assert not [word for word in words("cpu", named) if "nnapi" in word]


def test_an_external_delegate_has_its_path_and_options() -> None:
    tools = replace(TOOLS, delegate="/p/libqnn.so", delegate_options={"backend_type": "htp", "level": "3"})
    argv = words("npu", tools)
    assert argv[:4] == ("env", "LD_LIBRARY_PATH=/p", "ADSP_LIBRARY_PATH=/p", "/p/tool")
    assert argv[5:7] == (
        "--external_delegate_path=/p/libqnn.so",
        "--external_delegate_options=backend_type:htp;level:3",
    )


def test_an_npu_through_litert_demands_all_of_the_graph() -> None:
    tools = replace(TOOLS, litert="/p/litert", dispatch="/p/libs")
    argv = words("npu", tools)
    assert argv[:4] == ("env", "LD_LIBRARY_PATH=/p/libs", "ADSP_LIBRARY_PATH=/p/libs", "/p/litert")
    assert {"--require_full_delegation=true", "--dispatch_library_path=/p/libs", "--use_npu=true"} <= set(argv)


def test_operators_are_written_as_protobufs_and_in_no_other_pass() -> None:
    argv = words(order=replace(ORDER, pass_=Pass.OPS))
    assert {"--op_profiling_output_mode=proto", "--op_profiling_output_file=/p/run/ops.pb"} <= set(argv)
    assert not [word for word in words() if "profiling" in word]


def test_memory_has_a_pass_of_its_own() -> None:
    assert "--report_peak_memory_footprint=true" in words(order=replace(ORDER, pass_=Pass.MEMORY))
    assert not [word for word in words() if "memory" in word]


def test_a_cold_launch_that_uses_the_cache_names_it() -> None:
    order = replace(ORDER, pass_=Pass.COLD, weight_cache=WeightCache.USE)
    assert f"--xnnpack_weight_cache_file_path={cache_of(order)}" in words(order=order)
    assert not [word for word in words(order=replace(ORDER, pass_=Pass.COLD)) if "cache" in word]
