"""How much of an inference the per-op table explains: the lowest coverage over a fixed list of models.

0 where a kernel or an operator is unaccounted for, or where the runtime's own kernels, which name their operators,
cover less than 0.99. detail holds every model with its coverage, the doubt of its mapping, and how many of its
operators have the kernels that they have when they are cut out and run alone.
"""

import tempfile
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from devices.inventory import local_device
from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, OpTable, Pass
from harness.core.ports import Device
from harness.sources.tflite import read_graph
from tests.benchmarks.line import print_line
from tests.benchmarks.stdout import on_stderr
from tests.support import zoo
from tests.support.one_op import compare

_LEAST_BUILTIN = 0.99
_INFERENCES = {"cpu": 60, "cpu/builtin": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class PerOp:
    """What came of one model. agree_merged counts operators that agree together with the neighbours that XNNPACK
    merged them with. median_ms is of profiled inferences."""

    model: str
    coverage: float
    builtin_coverage: float
    unaccounted: int
    cost: float
    approximate: bool
    partitions: int
    operators: int
    agree_alone: int
    agree_merged: int
    median_ms: float


def launch(device: Device, path: Path, unit: str) -> tuple[LaunchRecord, OpTable]:
    """One ops pass. Raises RuntimeError where it gave no operators: then there is nothing to benchmark."""
    order = LaunchOrder(
        attempt=f"{path.stem}-{unit}",
        variant=path,
        variant_digest=digest.of_file(path),
        pass_=Pass.OPS,
        unit=ComputeUnit.parse(unit),
        settings=MeasureSettings(inferences=_INFERENCES[unit]),
        deadline_s=120.0,
        graph=read_graph(path),
    )
    outcome = device.launch(order)
    if not isinstance(outcome, LaunchRecord) or outcome.ops is None:
        raise RuntimeError(f"{path.name} on {unit}: {outcome}")
    return outcome, outcome.ops


def unaccounted(table: OpTable, doubted: AbstractSet[int]) -> int:
    """Kernels without an operator, and operators without a kernel that do not vanish outside the model too."""
    return sum(row.index < 0 or (not row.kernels and row.index in doubted) for row in table.ops)


def measure(device: Device, entry: zoo.Entry, directory: Path) -> PerOp:
    """Both units of one model, and its operators alone."""
    path = zoo.write(entry, directory)
    record, table = launch(device, path, "cpu")
    _, own = launch(device, path, "cpu/builtin")
    agreement = compare(path.read_bytes(), table, directory)
    doubted = {index for difference in agreement.differences for index in difference.operators}
    return PerOp(
        model=entry.name,
        coverage=round(table.coverage or 0.0, 4),
        builtin_coverage=round(own.coverage or 0.0, 4),
        unaccounted=unaccounted(table, doubted) + unaccounted(own, {row.index for row in own.ops}),
        cost=table.mapping_cost,
        approximate=table.approximate,
        partitions=table.partitions,
        operators=agreement.total,
        agree_alone=agreement.same,
        agree_merged=agreement.merged,
        median_ms=round(median(record.samples_ns) / 1e6, 2),
    )


def value_of(models: list[PerOp]) -> float:
    if any(model.unaccounted or model.builtin_coverage < _LEAST_BUILTIN for model in models):
        return 0.0
    return min(model.coverage for model in models)


def main() -> None:
    with on_stderr(), tempfile.TemporaryDirectory() as scratch, local_device() as device:
        models = [measure(device, entry, Path(scratch)) for entry in zoo.ZOO]
    detail = {
        "agree": f"{sum(m.agree_alone + m.agree_merged for m in models)} of {sum(m.operators for m in models)}",
        "over_1_ms": sum(model.median_ms >= 1 for model in models),
        "models": [asdict(model) for model in models],
    }
    print_line("per_op", value_of(models), "coverage", detail)


if __name__ == "__main__":
    main()
