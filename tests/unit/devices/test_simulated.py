"""The simulated device gives back the truth of its scenario, and fails as it is told to."""

import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from devices.scenario import Fault, Heat, Scenario
from devices.simulated import SimulatedDevice, true_latency
from devices.simulated_body import RealClock, VirtualClock
from harness.core.compute_unit import ComputeUnit
from harness.core.errors import DeviceLost
from harness.core.launch import (
    FailureKind,
    LaunchFailure,
    LaunchOrder,
    LaunchOutcome,
    LaunchRecord,
    MeasureSettings,
    Pass,
)
from harness.core.model import Graph, OpNode

MS = 1_000_000
QUIET = Scenario(
    launch_noise=0.0,
    sample_noise=0.0,
    spike_probability=0.0,
    latency_ns={"float32": 10 * MS, "int8": 4 * MS},
)


def _order(
    variant: str = "float32",
    *,
    attempt: str = "attempt-0",
    unit: str = "cpu",
    pass_: Pass = Pass.LATENCY,
    settings: MeasureSettings | None = None,
    graph: Graph | None = None,
    path: Path | None = None,
    deadline_s: float = 60.0,
) -> LaunchOrder:
    return LaunchOrder(
        attempt=attempt,
        variant=path or Path(variant),
        variant_digest=f"{variant}-digest",
        pass_=pass_,
        unit=ComputeUnit.parse(unit),
        settings=settings or MeasureSettings(inferences=20, warmup_s=0.0),
        deadline_s=deadline_s,
        graph=graph,
    )


def _record(outcome: LaunchOutcome) -> LaunchRecord:
    assert isinstance(outcome, LaunchRecord), outcome
    return outcome


def _failure(outcome: LaunchOutcome) -> LaunchFailure:
    assert isinstance(outcome, LaunchFailure), outcome
    return outcome


def _medians(scenario: Scenario, launches: int, variant: str = "float32") -> list[float]:
    device = SimulatedDevice(scenario)
    orders = (_order(variant, attempt=f"attempt-{n}") for n in range(launches))
    return [statistics.median(_record(device.launch(order)).samples_ns) for order in orders]


def _node(index: int, macs: int | None, size: int) -> OpNode:
    return OpNode(
        index=index,
        type="CONV_2D",
        name=f"op{index}",
        shape=(1, 8),
        inputs=(index,),
        outputs=(index + 1,),
        macs=macs,
        weight_bytes=size,
        activation_bytes=0,
    )


GRAPH = Graph(nodes=(_node(0, 700, 50), _node(1, 200, 0), _node(2, None, 50)), inputs=(0,))


def test_it_says_that_it_is_simulated() -> None:
    facts = SimulatedDevice(Scenario(name="dry")).facts
    assert (facts.name, facts.family, facts.simulated) == ("dry", "simulated", True)


def test_it_offers_the_units_of_its_scenario() -> None:
    offered = [str(unit) for unit in SimulatedDevice(Scenario()).facts.units]
    assert offered == ["cpu", "cpu:2", "cpu/builtin"]


def test_without_noise_every_sample_is_the_truth() -> None:
    assert set(_record(SimulatedDevice(QUIET).launch(_order("int8"))).samples_ns) == {4 * MS}


@pytest.mark.parametrize(
    ("unit", "factor"), [("cpu", 1.0), ("cpu/xnnpack", 1.0), ("cpu:2", 0.58), ("cpu/builtin", 2.6)]
)
def test_units_scale_the_truth(unit: str, factor: float) -> None:
    record = _record(SimulatedDevice(QUIET).launch(_order(unit=unit)))
    assert record.samples_ns[0] == pytest.approx(factor * 10 * MS)


def test_threads_that_the_scenario_does_not_name_gain_by_amdahl() -> None:
    record = _record(SimulatedDevice(QUIET).launch(_order(unit="cpu:4")))
    assert record.samples_ns[0] == pytest.approx((0.15 + 0.85 / 4) * 10 * MS)


def test_a_variant_outside_the_scenario_takes_time_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(1000))
    scenario = replace(QUIET, fixed_ns=500.0, ns_per_byte=2.0)
    assert _record(SimulatedDevice(scenario).launch(_order("new", path=path))).samples_ns[0] == 2500


def test_a_folder_counts_with_all_its_files(tmp_path: Path) -> None:
    file, folder = tmp_path / "m.tflite", tmp_path / "m.mlpackage"
    file.write_bytes(bytes(3_000))
    (folder / "weights").mkdir(parents=True)
    (folder / "model.mlmodel").write_bytes(bytes(1_000))
    (folder / "weights" / "weight.bin").write_bytes(bytes(2_000))
    truths = [true_latency(Scenario(), _order("other", path=path)) for path in (file, folder)]
    assert truths[0] == truths[1] is not None


def test_a_missing_file_outside_the_scenario_is_an_error() -> None:
    failure = _failure(SimulatedDevice(QUIET).launch(_order("new")))
    assert failure.kind is FailureKind.ERROR
    assert "no such file" in failure.message


@pytest.mark.parametrize("unit", ["gpu", "cpu:64"])
def test_a_unit_it_does_not_have_is_an_error(unit: str) -> None:
    failure = _failure(SimulatedDevice(QUIET).launch(_order(unit=unit)))
    assert failure.message == f"simulated cannot run {unit}: it offers cpu, cpu:2, cpu/builtin on 4 cores"


def test_the_same_seed_and_attempt_give_the_same_launch() -> None:
    noisy = Scenario(latency_ns=QUIET.latency_ns, spike_probability=0.2)
    assert SimulatedDevice(noisy).launch(_order()) == SimulatedDevice(noisy).launch(_order())


@pytest.mark.parametrize("other", [_order(attempt="another"), _order("int8")])
def test_another_attempt_or_variant_gives_other_noise(other: LaunchOrder) -> None:
    noisy = Scenario(latency_ns={"float32": MS, "int8": MS})
    first = _record(SimulatedDevice(noisy).launch(_order()))
    assert first.samples_ns != _record(SimulatedDevice(noisy).launch(other)).samples_ns


def test_another_seed_gives_other_noise() -> None:
    first, second = (SimulatedDevice(Scenario(seed=seed, latency_ns={"float32": MS})) for seed in (1, 2))
    assert _record(first.launch(_order())).samples_ns != _record(second.launch(_order())).samples_ns


def test_launch_noise_is_the_sd_of_the_log_of_launch_medians() -> None:
    logs = [math.log(median) for median in _medians(replace(QUIET, launch_noise=0.03), 400)]
    assert statistics.stdev(logs) == pytest.approx(0.03, rel=0.15)
    assert statistics.fmean(logs) == pytest.approx(math.log(10 * MS), abs=0.006)


def test_sample_noise_is_the_sd_of_the_log_of_samples() -> None:
    settings = MeasureSettings(inferences=600, warmup_s=0.0, max_launch_s=100.0)
    device = SimulatedDevice(replace(QUIET, sample_noise=0.05))
    samples = _record(device.launch(_order(settings=settings))).samples_ns
    assert statistics.stdev(map(math.log, samples)) == pytest.approx(0.05, rel=0.15)


def test_slow_launches_are_as_frequent_and_as_slow_as_said() -> None:
    medians = _medians(replace(QUIET, slow_launch_probability=0.25, slow_launch_factor=1.5), 400)
    assert {round(median / MS, 3) for median in medians} == {10.0, 15.0}
    assert medians.count(15 * MS) / 400 == pytest.approx(0.25, abs=0.08)


def test_spikes_take_wall_time_without_cpu_time() -> None:
    record = _record(SimulatedDevice(replace(QUIET, spike_probability=1.0, spike_factor=3.0)).launch(_order()))
    assert set(zip(record.samples_ns, record.cpu_ns, strict=True)) == {(30 * MS, 10 * MS)}


def test_cpu_time_sums_the_threads() -> None:
    record = _record(SimulatedDevice(QUIET).launch(_order(unit="cpu:2")))
    assert record.cpu_ns[0] == 2 * record.samples_ns[0]


def test_drift_is_relative_to_the_age_of_the_device() -> None:
    clock = VirtualClock(1000.0)
    device = SimulatedDevice(replace(QUIET, drift_per_hour=0.1), clock)
    clock.advance(1800)
    assert _record(device.launch(_order())).samples_ns[0] == pytest.approx(1.05 * 10 * MS, rel=1e-3)


def test_work_heats_the_device_up_to_its_throttling_steps_and_idling_cools_it() -> None:
    heat = Heat(ambient=30.0, rise=20.0, time_constant_s=10.0, throttle={40.0: 1.5, 48.0: 2.0})
    clock = VirtualClock()
    device = SimulatedDevice(replace(QUIET, heat=heat), clock)
    long = MeasureSettings(inferences=10_000, warmup_s=0.0, max_launch_s=60.0)
    record = _record(device.launch(_order(settings=long, deadline_s=120.0)))
    assert [value // MS for value in sorted(set(record.samples_ns))] == [10, 15, 20]
    assert (record.before.throttled, record.after.throttled) == (False, True)
    clock.advance(60)
    cooled = _record(device.launch(_order())).before
    assert (round(cooled.temperatures["simulated"]), cooled.throttled) == (30, False)


def test_the_canary_moves_with_the_device() -> None:
    clock = VirtualClock()
    device = SimulatedDevice(replace(QUIET, drift_per_hour=0.2), clock)
    before = device.canary().median_ns
    clock.advance(3600)
    assert device.canary().median_ns / before == pytest.approx(1.2, rel=0.02)


def test_a_launch_takes_its_time_on_the_virtual_clock_alone() -> None:
    clock = VirtualClock()
    device = SimulatedDevice(replace(QUIET, environment_ns=0.5e9), clock)
    record = _record(device.launch(_order()))
    # 0.5 s to start, 30 ms for the first inference, 3 to warm up and 20 timed.
    assert clock() == pytest.approx(0.5 + 0.03 + 0.03 + 0.2)
    assert record.wall_s == pytest.approx(clock())
    assert (record.load.environment_ns, record.load.first_ns) == (0.5e9, 30 * MS)


def test_a_real_clock_is_asked_to_sleep_as_long_as_the_launch_takes() -> None:
    slept: list[float] = []
    device = SimulatedDevice(replace(QUIET, environment_ns=0.5e9), RealClock(lambda: sum(slept), slept.append))
    device.launch(_order())
    assert sum(slept) == pytest.approx(0.76)


def test_samples_start_one_after_another() -> None:
    record = _record(SimulatedDevice(QUIET).launch(_order()))
    gaps = {later - earlier for earlier, later in zip(record.starts_ns, record.starts_ns[1:], strict=False)}
    assert all(gap == pytest.approx(10 * MS, abs=2) for gap in gaps)


def test_warm_up_lasts_as_long_as_asked() -> None:
    settings = MeasureSettings(inferences=1, warmup_inferences=3, warmup_s=0.1)
    assert len(_record(SimulatedDevice(QUIET).launch(_order(settings=settings))).warmup_ns) in (10, 11)


def test_a_launch_stops_early_with_what_it_has() -> None:
    settings = MeasureSettings(inferences=50, warmup_s=0.0, max_launch_s=0.105)
    assert len(_record(SimulatedDevice(QUIET).launch(_order(settings=settings))).samples_ns) == 12


def test_a_launch_longer_than_its_deadline_is_killed() -> None:
    failure = _failure(SimulatedDevice(QUIET).launch(_order(deadline_s=0.1)))
    assert (failure.kind, failure.exit_code) == (FailureKind.DEADLINE, 137)


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [(FailureKind.CRASH, 139), (FailureKind.DEADLINE, 137), (FailureKind.ERROR, 1), (FailureKind.PROTOCOL, 0)],
)
def test_a_fault_strikes_the_launch_that_it_names_and_no_other(kind: FailureKind, exit_code: int) -> None:
    device = SimulatedDevice(replace(QUIET, faults=(Fault(kind=kind, at_launch=1),)))
    outcomes = [device.launch(_order(attempt=f"attempt-{n}")) for n in range(3)]
    assert [isinstance(outcome, LaunchFailure) for outcome in outcomes] == [False, True, False]
    failure = _failure(outcomes[1])
    assert (failure.kind, failure.exit_code, failure.attempt) == (kind, exit_code, "attempt-1")


def test_a_hang_takes_the_whole_deadline() -> None:
    clock = VirtualClock()
    device = SimulatedDevice(replace(QUIET, faults=(Fault(kind=FailureKind.DEADLINE, at_launch=0),)), clock)
    device.launch(_order(deadline_s=45.0))
    assert clock() == 45.0


def test_a_fault_by_probability_strikes_as_often_as_said() -> None:
    device = SimulatedDevice(replace(QUIET, faults=(Fault(kind=FailureKind.CRASH, probability=0.3),)))
    outcomes = [device.launch(_order(attempt=f"attempt-{n}")) for n in range(400)]
    assert sum(isinstance(outcome, LaunchFailure) for outcome in outcomes) / 400 == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("fault", "struck"),
    [
        (Fault(kind=FailureKind.CRASH, probability=1.0, variant="int8"), False),
        (Fault(kind=FailureKind.CRASH, probability=1.0, variant="float32-dig"), True),
        (Fault(kind=FailureKind.CRASH, probability=1.0, unit="cpu/builtin"), False),
        (Fault(kind=FailureKind.CRASH, probability=1.0, unit="cpu"), True),
        (Fault(kind=FailureKind.CRASH, probability=1.0, during=Pass.OPS), False),
        (Fault(kind=FailureKind.CRASH, probability=1.0, during=Pass.LATENCY), True),
    ],
)
def test_a_fault_can_be_narrowed_down(fault: Fault, struck: bool) -> None:
    outcome = SimulatedDevice(replace(QUIET, faults=(fault,))).launch(_order())
    assert isinstance(outcome, LaunchFailure) is struck


def test_a_lost_device_stays_lost_until_it_is_entered_again() -> None:
    with SimulatedDevice(replace(QUIET, faults=(Fault(kind=FailureKind.LOST, at_launch=0),))) as device:
        for use in (lambda: device.launch(_order()), device.canary, lambda: device.launch(_order())):
            with pytest.raises(DeviceLost, match="simulated"):
                use()
        with device:
            assert isinstance(device.launch(_order()), LaunchRecord)


def test_a_fallback_runs_on_another_unit_and_says_so() -> None:
    scenario = replace(QUIET, falls_back={"gpu": "cpu/builtin"})
    device = SimulatedDevice(scenario)
    record = _record(device.launch(_order(unit="gpu")))
    assert ComputeUnit.parse("gpu") in device.facts.units
    assert (str(record.observed), record.backend) == ("cpu/builtin", "builtin")
    assert record.samples_ns[0] == 26 * MS


def test_operators_share_the_inference_by_work_and_are_labelled_estimated() -> None:
    table = _record(SimulatedDevice(QUIET).launch(_order(pass_=Pass.OPS, graph=GRAPH))).ops
    assert table is not None
    assert [op.share for op in table.ops] == [0.75, 0.2, 0.05]
    assert {op.label for op in table.ops} == {"estimated"}
    assert sum(op.latency_ns or 0 for op in table.ops) == pytest.approx(0.97 * 10 * MS)
    assert table.coverage == 0.97


def test_an_ops_pass_without_a_graph_says_why_it_has_no_operators() -> None:
    record = _record(SimulatedDevice(QUIET).launch(_order(pass_=Pass.OPS)))
    assert record.ops is None
    assert "graph" in (record.ops_unavailable or "")


def test_memory_grows_with_the_file_and_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(5_000_000))
    memory = _record(SimulatedDevice(QUIET).launch(_order(pass_=Pass.MEMORY, path=path))).memory
    assert memory is not None
    assert memory.anonymous is not None
    assert memory.after_run == memory.anonymous + 5_000_000
    assert memory.method == "simulated"


@pytest.mark.parametrize("pass_", [Pass.LATENCY, Pass.OPS])
def test_only_the_memory_pass_reads_memory(pass_: Pass) -> None:
    assert _record(SimulatedDevice(QUIET).launch(_order(pass_=pass_, graph=GRAPH))).memory is None
