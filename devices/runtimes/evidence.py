"""Where a launch ran, by evidence: the profiler's events, what delegates took, what the accelerator logged."""

import re
from collections.abc import Sequence
from dataclasses import replace

from devices.runtimes.events import DELEGATED, OPERATOR, ProfileEvent
from harness.core.compute_unit import SOFTWARE, ComputeUnit
from harness.core.launch import Delegation, OpTable

_BACKENDS = {DELEGATED: "xnnpack", OPERATOR: "builtin"}  # by the events that show them
_KIND_OF = {"xnnpack": "cpu", "builtin": "cpu", "webgpu": "gpu", "metal": "gpu", SOFTWARE: "gpu", "dispatch": "npu"}
# LiteRT's WebGPU accelerator: "Selected adapter: NAME, arch=A, vendor=V, backend=Vulkan, adapterType=CPU / Software".
_ADAPTER = re.compile(r"Selected adapter: (?P<name>.+?), arch=")
_SOFTWARE_ADAPTER = re.compile(r"Selected adapter: .*adapterType=CPU")
_OWN = "cpu/builtin"  # an operator placed on no delegate


def with_counts(told: Delegation | None, table: OpTable | None) -> Delegation | None:
    """What was told, with the counts that the profiler's events show where the runtime has none.

    Whatever the runtime ran itself has an event of its own; so the rest was taken, also what was folded away.
    """
    if told is None or table is None or told.taken is not None:
        return told
    placed = [op.placed_on for op in table.ops if op.index >= 0]
    taken = len(placed) - placed.count(_OWN)
    delegate = told.delegate or (_BACKENDS[DELEGATED] if taken else None)
    return replace(told, delegate=delegate, taken=taken, total=len(placed), partitions=table.partitions)


def backend_of(
    unit: ComputeUnit, delegation: Delegation | None, events: Sequence[ProfileEvent], stderr: str
) -> str | None:
    """What the work ran in, by evidence: the profiler's events, or a delegate that took every operator.

    `software` for a GPU's delegate on an adapter that is none. None where that is not known: the compiled
    model says of an unprofiled launch only whether all was taken.
    """
    if seen := [name for kind, name in _BACKENDS.items() if any(event.type == kind for event in events)]:
        return "+".join(seen)
    if delegation is not None and delegation.full:
        return SOFTWARE if _SOFTWARE_ADAPTER.search(stderr) else delegation.delegate
    if delegation is None or delegation.full is None or unit.kind != "cpu":
        return None
    if delegation.taken:
        return "+".join(_BACKENDS.values())
    return "builtin" if delegation.taken == 0 or unit.backend == "builtin" else None


def observed_unit(unit: ComputeUnit, backend: str | None) -> ComputeUnit:
    """What evidence shows of the unit that ran, whatever was asked for: the kind, and its backend where it was one.

    The kind is that of the backend; where none took everything, the processor had its part: the process registers the
    one accelerator that was asked for, and the processor's own kernels are always there. Of threads nothing tells how
    many worked, so none are named.
    """
    if backend in _KIND_OF:
        return ComputeUnit(kind=_KIND_OF[backend], backend=backend)
    return ComputeUnit(kind="cpu" if unit.kind == "cpu" else f"cpu+{unit.kind}")


def adapter_of(stderr: str) -> str | None:
    """The GPU adapter that ran, in the accelerator's own words; None where it says nothing."""
    found = _ADAPTER.search(stderr)
    return found["name"] if found else None
