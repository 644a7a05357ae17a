"""What benchmark_model and benchmark_litert_model are called with: an order as words.

Source: tflite/tools/benchmark/README.md, tflite/tools/delegates/README.md, litert/tools/benchmark_litert_model.h.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster
from harness.core.launch import LaunchOrder, Pass, WeightCache

COLD_INFERENCES = 5
PROFILE = "ops.pb"
RUNTIME_INFO = "runtime.pb"
NNAPI = ComputeUnit(kind="npu", backend="nnapi")
BOUND = "cores"
_TELL = f'grep Cpus_allowed_list /proc/self/status > {BOUND}; exec "$@"'  # in the launch's folder, before the tool is
_NO_WARMUP_S = 0.0
_MOST_EVENTS = 1 << 16  # of the profiler's buffer; past it events are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The programs on the phone and what an NPU needs there, by path. None: not there.

    dispatch is the folder of LiteRT's dispatch library, nnapi_accelerator NNAPI's name of a driver.
    """

    benchmark: str
    litert: str | None = None
    delegate: str | None = None
    delegate_options: Mapping[str, str] = field(default_factory=dict)
    dispatch: str | None = None
    nnapi_accelerator: str | None = None

    @property
    def npu_is_litert(self) -> bool:
        """Whether the unit npu goes through LiteRT's dispatch: only where there is no external delegate."""
        return self.delegate is None and self.litert is not None and self.dispatch is not None


def argv_of(order: LaunchOrder, model: str, folder: str, tools: Tools, clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """The whole call. folder is the launch's own on the phone. Raises ValueError, in words, for what cannot be done."""
    uses_litert = order.unit == ComputeUnit(kind="npu") and tools.npu_is_litert
    program = tools.litert if uses_litert and tools.litert else tools.benchmark
    words = (
        program,
        f"--graph={model}",
        *_unit_flags(order.unit, tools),
        *_length_flags(order),
        *_pass_flags(order, folder, uses_litert),
        *((f"--signature_to_run_for={order.signature}",) if order.signature else ()),
    )
    return (*_environment(order.unit, tools), *_pinned(order.unit, clusters), *words)


def _environment(unit: ComputeUnit, tools: Tools) -> tuple[str, ...]:
    """Where an NPU's library finds those beside it: the phone's linker, and Qualcomm's DSP."""
    place = tools.delegate.rpartition("/")[0] if tools.delegate is not None else tools.dispatch
    if unit != ComputeUnit(kind="npu") or place is None:
        return ()
    return ("env", f"LD_LIBRARY_PATH={place}", f"ADSP_LIBRARY_PATH={place}")


def _pinned(unit: ComputeUnit, clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """`taskset MASK`, the mask in hexadecimal without a prefix, as toybox has it; then the kernel's own word for it."""
    cores = cores_of(unit, clusters)
    return ("taskset", f"{sum(1 << core for core in cores):x}", "sh", "-c", _TELL, "sh") if cores else ()


def cores_of(unit: ComputeUnit, clusters: Sequence[Cluster]) -> tuple[int, ...]:
    """The cores that a unit is bound to, none where it is not. Raises ValueError where they are not there."""
    if unit.cluster is None:
        return ()
    cores = next((cluster.cores for cluster in clusters if cluster.name == unit.cluster), None)
    if cores is None:
        known = ", ".join(cluster.name for cluster in clusters) or "none"
        raise ValueError(f"{unit}: it has no {unit.cluster} cores (its clusters: {known})")
    if unit.threads is not None and unit.threads > len(cores):
        raise ValueError(f"{unit}: its {unit.cluster} cluster has {len(cores)} cores")
    return cores


def _unit_flags(unit: ComputeUnit, tools: Tools) -> tuple[str, ...]:
    if unit.kind == "cpu":
        if unit.backend not in (None, "xnnpack", "builtin"):
            raise ValueError(f"{unit} is no unit of benchmark_model")
        on = "false" if unit.backend == "builtin" else "true"
        return (f"--num_threads={unit.threads}", f"--use_xnnpack={on}")
    if unit == ComputeUnit(kind="gpu"):
        return ("--use_gpu=true",)
    if unit == NNAPI:
        named = (f"--nnapi_accelerator_name={tools.nnapi_accelerator}",) if tools.nnapi_accelerator else ()
        return ("--use_nnapi=true", "--disable_nnapi_cpu=true", *named)
    if unit == ComputeUnit(kind="npu"):
        return _npu_flags(tools)
    raise ValueError(f"{unit} is no unit of benchmark_model")


def _npu_flags(tools: Tools) -> tuple[str, ...]:
    if tools.delegate is not None:
        options = ";".join(f"{key}:{value}" for key, value in tools.delegate_options.items())
        return (
            f"--external_delegate_path={tools.delegate}",
            *((f"--external_delegate_options={options}",) if options else ()),
        )
    if tools.npu_is_litert:
        return (
            "--use_npu=true",
            "--use_cpu=false",
            "--require_full_delegation=true",
            f"--dispatch_library_path={tools.dispatch}",
        )
    raise ValueError(
        "npu needs an external delegate (delegate: my.so) or benchmark_litert_model with a dispatch library"
    )


def _length_flags(order: LaunchOrder) -> Iterator[str]:
    """How many inferences and how long: the tool's warm-up has no notion of a trend, so its least is ours."""
    settings, is_cold = order.settings, order.pass_ is Pass.COLD
    yield f"--num_runs={min(COLD_INFERENCES, settings.inferences) if is_cold else settings.inferences}"
    yield "--min_secs=0"
    yield f"--max_secs={settings.max_launch_s:g}"
    yield f"--warmup_runs={1 if is_cold else settings.warmup_inferences}"
    yield f"--warmup_min_secs={_NO_WARMUP_S if is_cold else settings.warmup_s:g}"


def _pass_flags(order: LaunchOrder, folder: str, uses_litert: bool) -> Iterator[str]:
    if order.pass_ is Pass.OPS:
        yield "--enable_op_profiling=true"
        yield "--op_profiling_output_mode=proto"
        yield f"--op_profiling_output_file={folder}/{PROFILE}"
        yield f"--max_profiling_buffer_entries={_MOST_EVENTS}"
        if not uses_litert:
            yield "--export_model_runtime_info=true"
        yield f"--model_runtime_info_output_file={folder}/{RUNTIME_INFO}"
    if order.pass_ is Pass.MEMORY:
        yield "--report_peak_memory_footprint=true"
    if order.pass_ is Pass.COLD and order.weight_cache is not WeightCache.OFF and order.unit.kind == "cpu":
        yield f"--xnnpack_weight_cache_file_path={cache_of(order)}"


def cache_of(order: LaunchOrder) -> str:
    """Where the packed weights of an order's variant and unit are kept on the phone."""
    return f"/data/local/tmp/weighbridge/caches/{order.variant_digest[:32]}-{order.unit.threads}.xnnpack"
