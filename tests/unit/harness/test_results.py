"""What is concluded from what the store holds."""

import dataclasses
from pathlib import Path

import pytest

from harness.core.campaign import Campaign, CampaignResult, CellResult
from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary
from harness.core.judgement import ColdStart, Verdict
from harness.core.launch import Api, Delegation, FailureKind, LaunchOutcome, LaunchRecord, LoadTimes, Pass, WeightCache
from harness.core.outcome import Failed, Invalid, Measured, Skipped
from harness.core.variant import BuildFailed, Variant
from harness.plan import make_plan
from harness.results import assemble
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch
from tests.support.launches import a_failure, a_record
from tests.support.plans import CPU, a_model, some_facts, some_rules, some_wishes

_CAMPAIGN = Campaign(id="c", name="c", started_at=0.0, ended_at=1.0, config="", command="", seed=0, version="0")
_CANARY = Canary(median_ns=1e6, samples_ns=(1e6,))


def a_variant(name: str, size: int = 1000) -> Variant:
    return Variant(
        model="m",
        name=name,
        recipe=name,
        format="tflite",
        digest=name,
        path=Path(name),
        size_bytes=size,
        zip_bytes=size,
        weights_compressed=1,
        weights_total=1,
        parameters=250,
        tensors=(),
        inputs=(),
        outputs=(),
        build_s=0.1,
    )


class Records:
    """A stored campaign under construction: `float32` (the source) and `int8` on `cpu`."""

    def __init__(self, cold_starts: int = 0, unit: ComputeUnit = CPU) -> None:
        wishes = some_wishes("float32", "int8", units=(unit,), launches=10, cold_starts=cold_starts)
        device = dataclasses.replace(some_facts(), units=(unit,))
        self.plan = make_plan(wishes, [a_model()], [device], some_rules())
        self.blocks: list[BlockRecord] = []
        self.launches: list[StoredLaunch] = []

    def cell(self, variant: str) -> Cell:
        return next(cell for cell in self.plan.cells if cell.variant == variant)

    def block(
        self, index: int, *outcomes: tuple[str, LaunchOutcome], pass_: Pass = Pass.LATENCY, torn: bool = False
    ) -> None:
        name = f"{pass_}{index}{'torn' if torn else ''}"
        self.blocks.append(
            BlockRecord(
                id=name,
                campaign="c",
                device="local",
                group="g",
                pass_=pass_,
                index=index,
                canary_before=_CANARY,
                canary_after=_CANARY,
                state=BlockState.TORN if torn else BlockState.COMPLETE,
            )
        )
        self.launches.extend(
            StoredLaunch(block=name, cell=self.cell(variant).id, position=position, outcome=outcome)
            for position, (variant, outcome) in enumerate(outcomes)
        )

    def assemble(self, **changes: object) -> CampaignResult:
        stored = StoredCampaign(
            campaign=_CAMPAIGN,
            cells=self.plan.cells,
            builds=(a_variant("float32"), a_variant("int8", 250)),
            blocks=tuple(self.blocks),
            launches=tuple(self.launches),
        )
        return assemble(dataclasses.replace(stored, **changes))  # type: ignore[arg-type]

    def result(self, variant: str, **changes: object) -> CellResult:
        return next(cell for cell in self.assemble(**changes).cells if cell.cell.variant == variant)


def ten_blocks(ratio: float, cold_starts: int = 0) -> Records:
    records = Records(cold_starts)
    for index in range(10):
        noise = 1 + index % 3 / 1000
        slow = ("float32", a_record(median_ns=round(1e6 * noise)))
        fast = ("int8", a_record(median_ns=round(1e6 * ratio)))
        records.block(index, slow, fast)
    return records


def test_launches_are_compared_with_the_source_of_their_block() -> None:
    comparison = ten_blocks(0.5).result("int8").comparison
    assert comparison is not None
    assert comparison.verdict is Verdict.FASTER
    assert comparison.ratio == pytest.approx(0.5, rel=0.01)
    assert comparison.pairs == 10


def test_source_has_no_comparison_with_itself() -> None:
    assert ten_blocks(0.5).result("float32").comparison is None


def test_size_stands_as_a_ratio_to_the_source() -> None:
    assert ten_blocks(0.5).result("int8").size_ratio == 0.25


def test_torn_block_does_not_count() -> None:
    records = ten_blocks(0.5)
    records.block(10, ("int8", a_record(median_ns=10**9)), torn=True)
    latency = records.result("int8").latency
    assert latency is not None
    assert latency.launches == 10


def test_cell_of_an_unbuilt_variant_failed_with_the_builder_words() -> None:
    failed = BuildFailed(model="m", name="int8", recipe="int8", error="no calibration")
    outcome = Records().result("int8", builds=(a_variant("float32"), failed)).outcome
    assert outcome == Failed(error="not built: no calibration")


def test_refused_build_is_skipped() -> None:
    refused = BuildFailed(model="m", name="int8", recipe="int8", error="already int8", refused=True)
    assert Records().result("int8", builds=(refused,)).outcome == Skipped(reason="already int8")


def test_skipped_cell_keeps_its_reason() -> None:
    records = Records()
    outcome = records.result("int8", skipped={records.cell("int8").id: "no such unit"}).outcome
    assert outcome == Skipped(reason="no such unit")


def test_a_variant_that_could_not_be_built_failed_also_where_nothing_could_have_run_it() -> None:
    records = Records()
    failed = BuildFailed(model="m", name="int8", recipe="int8", error="no calibration")
    outcome = records.result("int8", builds=(failed,), skipped={records.cell("int8").id: "no such unit"}).outcome
    assert outcome == Failed(error="not built: no calibration")


def test_first_launch_failed_and_so_did_the_cell() -> None:
    records = Records()
    records.block(0, ("float32", a_record()), ("int8", a_failure()))
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.exit_code) == (FailureKind.CRASH, 139)


def test_cell_that_broke_down_keeps_its_numbers_as_invalid() -> None:
    records = Records()
    for index in range(4):
        records.block(index, ("float32", a_record()), ("int8", a_record() if index < 2 else a_failure()))
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Invalid)
    assert outcome.reasons == ("2 of 4 launches failed, the last two in a row: segmentation fault",)
    assert len(outcome.measurement.launches) == 2


def test_failed_passes_beside_leave_good_latency_alone() -> None:
    records = ten_blocks(0.5)
    records.block(0, ("int8", a_failure(Pass.OPS)), pass_=Pass.OPS)
    records.block(0, ("int8", a_failure(Pass.MEMORY)), pass_=Pass.MEMORY)
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Measured)
    assert outcome.measurement.lost == 0


def test_another_unit_than_the_one_asked_for_is_invalid() -> None:
    records = Records()
    elsewhere = dataclasses.replace(a_record(), observed=ComputeUnit.parse("gpu"))
    records.block(0, ("float32", a_record()), ("int8", elsewhere))
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Invalid)
    assert outcome.reasons == ("asked for cpu, ran on gpu",)


def test_launches_through_both_faces_of_the_runtime_are_no_measurement() -> None:
    records = Records()
    for index, api in enumerate([Api.COMPILED_MODEL, Api.INTERPRETER, Api.COMPILED_MODEL]):
        records.block(index, ("int8", dataclasses.replace(a_record(), api=api)))
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Invalid)
    assert outcome.reasons == ("launches went through both faces: compiled-model in 2, interpreter in 1",)


@pytest.mark.parametrize(("asked", "valid"), [("gpu", False), ("gpu/software", True)])
def test_a_software_adapter_is_no_gpu(asked: str, *, valid: bool) -> None:
    records = Records(unit=ComputeUnit.parse(asked))
    software = dataclasses.replace(a_record(), observed=ComputeUnit.parse("gpu/software"), backend="software")
    for index in range(2):
        records.block(index, ("float32", software))
    result = records.result("float32")
    assert isinstance(result.outcome, Measured if valid else Invalid)
    assert result.grade is not None
    assert (f"asked for {asked}, ran on gpu/software" in result.grade.reasons) is not valid


def test_single_lost_launch_is_counted_and_the_cell_stands() -> None:
    records = Records()
    for index in range(4):
        records.block(index, ("float32", a_record()), ("int8", a_failure() if index == 2 else a_record()))
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Measured)
    assert outcome.measurement.lost == 1


def test_cell_that_was_never_reached_says_how_to_measure_it() -> None:
    outcome = Records().result("int8").outcome
    assert isinstance(outcome, Failed)
    assert "run --resume" in outcome.error


def test_failed_memory_pass_leaves_its_words() -> None:
    records = ten_blocks(0.5)
    records.block(0, ("int8", a_failure(Pass.MEMORY, "killed")), pass_=Pass.MEMORY)
    outcome = records.result("int8").outcome
    assert isinstance(outcome, Measured)
    assert outcome.measurement.memory is None
    assert outcome.measurement.memory_unavailable == "killed"


def test_cold_start_stands_apart_by_what_was_done_with_the_weight_cache() -> None:
    records = ten_blocks(0.5, cold_starts=1)
    starts = [
        (cache, compile_ns) for cache, compile_ns in ((WeightCache.FILL, 9), (WeightCache.OFF, 5), (WeightCache.USE, 1))
    ]
    records.block(0, *(("int8", a_cold_start(cache, compile_ns)) for cache, compile_ns in starts), pass_=Pass.COLD)
    cold = records.result("int8").cold
    assert cold is not None
    assert [figures.compile if figures else None for figures in (cold.filled, cold.off, cold.used)] == [9, 5, 1]
    assert cold.unavailable is None


def test_failed_cold_start_leaves_its_words_and_the_others_their_figures() -> None:
    records = ten_blocks(0.5, cold_starts=1)
    outcomes = (("int8", a_failure(Pass.COLD, "no cache here")), ("int8", a_cold_start(WeightCache.OFF, 5)))
    records.block(0, *outcomes, pass_=Pass.COLD)
    cold = records.result("int8").cold
    assert cold is not None
    assert (cold.used, cold.unavailable) == (None, "no cache here")
    assert cold.off is not None


def one_cold_start(unit: str, cache: WeightCache, taken: int) -> ColdStart:
    """Of a variant of which a delegate took so many of 9 operators."""
    records = Records(cold_starts=1, unit=ComputeUnit.parse(unit))
    state = Delegation(delegate="xnnpack" if taken else None, full=taken == 9, taken=taken, total=9, partitions=1)
    records.block(0, ("int8", dataclasses.replace(a_record(), delegation=state)))
    records.block(0, ("int8", a_cold_start(cache, 5)), pass_=Pass.COLD)
    cold = records.result("int8").cold
    assert cold is not None
    return cold


@pytest.mark.parametrize("unit", ["cpu/builtin", "gpu"])
def test_a_unit_without_a_weight_cache_says_so(unit: str) -> None:
    cold = one_cold_start(unit, WeightCache.OFF, taken=0)
    assert (cold.unavailable, cold.idle) == ("XNNPACK's weight cache is not a thing of this unit", None)


@pytest.mark.parametrize(("taken", "idle"), [(0, True), (8, False)])
def test_a_weight_cache_is_idle_where_xnnpack_took_nothing(taken: int, *, idle: bool) -> None:
    cold = one_cold_start("cpu", WeightCache.FILL, taken)
    assert (cold.unavailable, cold.idle) == (None, idle)


def test_without_cold_starts_nothing_is_said_of_them() -> None:
    assert ten_blocks(0.5).result("int8").cold is None


def a_cold_start(cache: WeightCache, compile_ns: float) -> LaunchRecord:
    load = LoadTimes(environment_ns=1, compile_ns=compile_ns, first_ns=1)
    return dataclasses.replace(a_record(), pass_=Pass.COLD, weight_cache=cache, load=load)
