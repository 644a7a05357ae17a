"""Where a launch ran, by evidence: the profiler's events, what delegates took, what the accelerator logged."""

import re
from collections.abc import Sequence
from dataclasses import replace

from devices.runtimes.events import DELEGATED, OPERATOR, ProfileEvent
from harness.core.compute_unit import SOFTWARE, ComputeUnit
from harness.core.launch import Delegation, OpTable

_BACKENDS = {DELEGATED: "xnnpack", OPERATOR: "builtin"}  # by the events that show them
_KIND_OF = {"xnnpack": "cpu", "builtin": "cpu", "webgpu": "gpu", "metal": "gpu", SOFTWARE: "gpu", "dispatch": "npu"}
LIBEDGETPU = "libedgetpu"
_KIND_OF[LIBEDGETPU] = "edgetpu"
_SHARED_WITH = {kind: ComputeUnit(kind=f"cpu+{kind}") for kind in ("gpu", "npu")}
# LiteRT's WebGPU accelerator: "Selected adapter: NAME, arch=A, vendor=V, backend=Vulkan, adapterType=CPU / Software".
_ADAPTER = re.compile(r"Selected adapter: (?P<name>.+?), arch=")
_IS_SOFTWARE = re.compile(r"Selected adapter: .*adapterType=CPU")
_OWN = "cpu/builtin"  # an operator placed on no delegate


def with_counts(told: Delegation | None, table: OpTable | None) -> Delegation | None:
    """What was told, with the counts that the profiler's events show where the runtime has none.

    Whatever the runtime ran itself has an event of its own; so the rest was taken, also what was folded away. Nothing
    was where no operator is seen in a delegate. Another program's events show nothing of it.
    """
    if told is None or table is None or table.measured_by is not None or told.taken is not None:
        return told
    placed = [op.placed_on for op in table.ops if op.index >= 0]
    delegated = any(place not in (None, _OWN) for place in placed)
    taken = len(placed) - placed.count(_OWN) if delegated else 0
    delegate = told.delegate or (_BACKENDS[DELEGATED] if taken else None)
    return replace(told, delegate=delegate, taken=taken, total=len(placed), partitions=table.partitions)


def backend_of(
    unit: ComputeUnit, delegation: Delegation | None, events: Sequence[ProfileEvent], stderr: str
) -> str | None:
    """What the work ran in, by evidence: the profiler's events, or a delegate that took every operator.

    `software` for a GPU's delegate on an adapter that is none: by the accelerator's log, and where that names no
    adapter, by the drivers that the launch was given, which are those of its unit alone. None where that is not known:
    the compiled model says of an unprofiled launch only whether all was taken.
    Of an Edge TPU the delegation alone tells: what its compiler left to the processor has events like any other.
    """
    if unit.kind == "edgetpu":
        return LIBEDGETPU if delegation is not None and delegation.taken else None
    if seen := [name for kind, name in _BACKENDS.items() if any(event.type == kind for event in events)]:
        return "+".join(seen)
    if delegation is not None and delegation.full:
        return SOFTWARE if unit.kind == "gpu" and _is_software(unit, stderr) else delegation.delegate
    if delegation is None or delegation.full is None or unit.kind != "cpu":
        return None
    if delegation.taken:
        return "+".join(_BACKENDS.values())
    return "builtin" if delegation.taken == 0 or unit.backend == "builtin" else None


def _is_software(unit: ComputeUnit, stderr: str) -> bool:
    return bool(_IS_SOFTWARE.search(stderr)) if _ADAPTER.search(stderr) else unit.backend == SOFTWARE


def observed_unit(
    unit: ComputeUnit, backend: str | None, delegation: Delegation | None, bound: bool = False
) -> ComputeUnit | None:
    """What evidence shows of the unit that ran, whatever was asked for: the kind, and its backend where it was one.

    The kind is that of the backend; where the runtime says that none took everything, the processor had its part: the
    process registers the one accelerator that was asked for, and the processor's own kernels are always there. None
    for an accelerator of which nothing is known. Of threads nothing tells how many worked, so none are named. bound:
    the launch was bound to the cores of its cluster, as read back; else no cluster is named.
    A model that was compiled for an Edge TPU ran on it where it took its operators, whatever the compiler left to the
    processor: that is of the variant, and its delegation says how much.
    """
    if unit.kind == "edgetpu" and delegation is not None and delegation.taken == 0:
        return ComputeUnit(kind="cpu")
    kind = _KIND_OF.get(backend or "", "cpu" if unit.kind == "cpu" else None)
    cluster = unit.cluster if bound and kind == "cpu" else None
    if kind is not None:
        return ComputeUnit(kind=kind, backend=backend if backend in _KIND_OF else None, cluster=cluster)
    if delegation is None or delegation.full is not False:
        return None
    return _SHARED_WITH.get(unit.kind)


def adapter_of(unit: ComputeUnit, stderr: str) -> str | None:
    """The GPU adapter that ran, in the accelerator's own words; None where it says nothing, and off the GPU."""
    found = _ADAPTER.search(stderr) if unit.kind == "gpu" else None
    return found["name"] if found else None
