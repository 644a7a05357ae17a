"""What one launch of a cell has to do."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.cell import Cell
from harness.core.launch import LaunchOrder, Pass, WeightCache
from harness.core.model import Graph
from harness.core.units import Seconds
from harness.core.variant import Variant

# Loading the runtime and the model, on the slowest board, before the first inference.
_LOAD_ALLOWANCE_S = 10.0
# A GPU compiles a program an operator: MobileNetV2 took two minutes on a software adapter (Mesa's lavapipe, cold).
_COMPILE_ALLOWANCE_S = {"gpu": 180.0, "npu": 180.0}
# The first inference, one of warming up and one that counts are made whatever they take. Reference kernels of int16x8
# do 1e9 multiply-accumulates a second on a server's core; a damaged file may claim any number of them.
_FEWEST_INFERENCES = 3
_SLOWEST_MACS_PER_SECOND = 1e8
_WORK_ALLOWANCE_S_AT_MOST = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """A variant with what its launches need: input files in signature order (empty: seeded inputs), its graph.

    signature is the key of the one to run, None for the first.
    """

    variant: Variant
    inputs: tuple[Path, ...]
    graph: Graph | None
    signature: str | None = None


def _work_allowance_s(loadable: Loadable) -> Seconds:
    """Time for the few inferences that are always made, on a slow board by the slowest kernels."""
    macs = sum(node.macs or 0 for node in loadable.graph.nodes) if loadable.graph else 0
    return min(_FEWEST_INFERENCES * macs / _SLOWEST_MACS_PER_SECOND, _WORK_ALLOWANCE_S_AT_MOST)


def launch_order(
    cell: Cell, pass_: Pass, attempt: str, loadable: Loadable, cache: WeightCache = WeightCache.OFF
) -> LaunchOrder:
    """What one launch of a cell has to do. Its deadline is three times what a slow launch may take."""
    settings = cell.settings
    loading_s = _COMPILE_ALLOWANCE_S.get(cell.unit.kind, _LOAD_ALLOWANCE_S)
    return LaunchOrder(
        attempt=attempt,
        variant=loadable.variant.path,
        variant_digest=loadable.variant.digest,
        pass_=pass_,
        unit=cell.unit,
        settings=settings,
        deadline_s=3 * (settings.max_launch_s + settings.warmup_max_s) + loading_s + _work_allowance_s(loadable),
        inputs=loadable.inputs,
        graph=loadable.graph if pass_ is Pass.OPS else None,
        signature=loadable.signature,
        weight_cache=cache,
    )
