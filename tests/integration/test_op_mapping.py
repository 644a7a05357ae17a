"""The mapping of events to operators, on real launches of this machine, against operators run alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.inventory import LocalAgent, local_device
from devices.runtimes.litert_kernels import ELIDED, price_of
from harness.core import digest
from harness.core.compute_unit import ComputeUnit
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, OpTable, Pass
from harness.core.ports import Device
from harness.sources.tflite import read_graph
from tests.support import zoo
from tests.support.cut_out import Source
from tests.support.menagerie import menagerie
from tests.support.one_op import compare, run_alone

# With those that take longer, some of each: several partitions, weights unpacked at load, hybrid kernels, lookup
# tables, a fused padding.
CHECKED = (
    zoo.Entry(network="segmentation", recipe="float16"),
    zoo.Entry(network="residual_cnn", recipe="float32"),
    zoo.Entry(network="partitioned", recipe="float32"),
)
LONGER = (
    zoo.Entry(network="mobilenet_v1", recipe="float32"),
    zoo.Entry(network="mobilenet_v2", recipe="dynamic-int8"),
    zoo.Entry(network="gated_cnn", recipe="int8"),
    zoo.Entry(network="inception_v3", recipe="int8"),
)
# As many reshapes, clamps, conversions or transpositions as XNNPACK puts beside one operator, and not one kernel more.
MOST_HELPERS = 2 * ELIDED


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("agent")
    with local_device(agent=LocalAgent(agents=folder, leases=folder)) as entered:
        yield entered


def _ops(device: Device, path: Path, unit: str = "cpu") -> OpTable:
    order = LaunchOrder(
        attempt=path.stem,
        variant=path,
        variant_digest=digest.of_file(path),
        pass_=Pass.OPS,
        unit=ComputeUnit.parse(unit),
        settings=MeasureSettings(inferences=3, warmup_inferences=1, warmup_s=0, warmup_max_s=0.01),
        deadline_s=60,
        graph=read_graph(path),
    )
    outcome = device.launch(order)
    assert isinstance(outcome, LaunchRecord)
    assert outcome.ops is not None
    return outcome.ops


@pytest.mark.parametrize(
    "entry", [*CHECKED, *(pytest.param(each, marks=pytest.mark.thorough) for each in LONGER)], ids=lambda e: e.name
)
def test_every_operator_of_a_model_has_the_kernels_it_runs_as_alone(
    entry: zoo.Entry, device: Device, tmp_path: Path
) -> None:
    path = zoo.write(entry, tmp_path)
    table = _ops(device, path)
    agreement = compare(path.read_bytes(), table, tmp_path)
    assert agreement.differences == ()
    assert agreement.same + agreement.merged == agreement.total
    assert not table.approximate


def test_the_oracle_sees_two_operators_whose_kernels_were_exchanged(device: Device, tmp_path: Path) -> None:
    path = zoo.write(CHECKED[-1], tmp_path)
    table = _ops(device, path)
    first, second, *rest = table.ops
    assert first.kernels != second.kernels
    wrong = replace(table, ops=(replace(first, kernels=second.kernels), replace(second, kernels=first.kernels), *rest))
    seen = {index for d in compare(path.read_bytes(), wrong, tmp_path).differences for index in d.operators}
    assert {first.index, second.index} <= seen


def test_the_runtimes_own_kernels_are_all_named(device: Device, tmp_path: Path) -> None:
    table = _ops(device, zoo.write(CHECKED[-1], tmp_path), "cpu/builtin")
    assert {row.placed_on for row in table.ops} == {"cpu/builtin"}
    assert all(len(row.kernels) == 1 for row in table.ops)
    assert (table.mapping_cost, table.partitions) == (0, 0)


@pytest.mark.thorough
def test_each_operator_that_xnnpack_takes_runs_as_its_rule_says(tmp_path: Path) -> None:
    source = Source(menagerie())
    alone = run_alone(source, [(i,) for i in range(len(source.operators))], tmp_path, None)
    kinds = {index: source.name(index) for (index,) in alone}
    strange = {
        (kinds[index], kernels)
        for (index,), kernels in alone.items()
        if isinstance(kernels, str) or not kernels or price_of(kinds[index], kernels) > MOST_HELPERS
        if kernels != (kinds[index],)  # the runtime ran it itself
    }
    assert strange == set()
    taken = {kinds[index] for (index,), kernels in alone.items() if kernels != (kinds[index],)}
    assert len(taken) >= 50


@pytest.mark.thorough
def test_a_model_of_all_operators_side_by_side_is_mapped_without_doubt(device: Device, tmp_path: Path) -> None:
    path = tmp_path / "menagerie.tflite"
    path.write_bytes(menagerie())
    table = _ops(device, path)
    agreement = compare(path.read_bytes(), table, tmp_path)
    assert agreement.differences == ()
    assert not table.approximate
