"""What edgetpu_compiler said of a model, in sentences: judged by the split and by what is streamed, not by success."""

from collections.abc import Sequence

from harness.core.variant import CompiledOperators, EdgeTpuCompilation, Transfers

_SHOWN = 4  # reasons of a note
_MIB = 1 << 20


def notes_of(told: EdgeTpuCompilation) -> tuple[str, ...]:
    """How its operators are split and why, how many programs there are, and where the parameters lie."""
    said = (_split(told), _programs(told), _memory(told))
    whose = f"Edge TPU compiler{f' {told.compiler}' if told.compiler else ''}"
    crossing = (_crossing(told.transfers),) if told.transfers else ()
    return (*(f"{whose}: {each}" for each in said if each), *crossing)


def shortened(reasons: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f"; {len(reasons) - _SHOWN} other reasons" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more


def _split(told: EdgeTpuCompilation) -> str | None:
    if told.on_tpu is None or told.on_cpu is None:
        return None
    total = told.on_tpu + told.on_cpu
    if told.on_cpu == 0:
        return f"all {total} operators are on it"
    left = sorted(told.on_cpu_because, key=lambda each: -each.count)
    reasons = shortened(list(map(_reason, left)))
    none = "none of the operators is on it" if told.on_tpu == 0 else f"{told.on_tpu} of {total} operators are on it"
    return f"{none}, {told.on_cpu} stay on the CPU" + (f": {reasons}" if reasons else "")


def _reason(left: CompiledOperators) -> str:
    return f"{left.count} x {left.type}, {left.status}"


def _programs(told: EdgeTpuCompilation) -> str | None:
    if told.subgraphs is None or told.subgraphs < 2:
        return None
    return f"{told.subgraphs} programs: between two of them tensors go to the CPU and back"


def _crossing(seen: Transfers) -> str:
    there = f"{_tensors(seen.to_count)} of {seen.to_bytes} bytes to it"
    return f"Edge TPU: every inference sends {there}, and {_tensors(seen.from_count)} of {seen.from_bytes} bytes back"


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


def _memory(told: EdgeTpuCompilation) -> str | None:
    if told.off_chip_bytes is None:
        return None
    kept = "" if told.on_chip_bytes is None else f"{told.on_chip_bytes / _MIB:.2f} MiB of parameters stay on chip"
    if told.off_chip_bytes == 0:
        return kept or "no parameters are streamed"
    streamed = f"{told.off_chip_bytes / _MIB:.2f} MiB are sent in every inference"
    return f"{kept}, {streamed}" if kept else streamed
