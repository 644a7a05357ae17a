"""What every Device does, whatever runs behind it: this machine, a board, a phone, the simulated one."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from devices.absent import AbsentDevice
from devices.boards import ssh_device
from devices.inventory import LocalAgent, local_device
from devices.scenario import Scenario
from devices.simulated import SimulatedDevice
from harness.core.compute_unit import ComputeUnit
from harness.core.errors import DeviceBusy, DeviceError, DeviceLost, DeviceUnfit
from harness.core.launch import FailureKind, LaunchFailure, LaunchOrder, LaunchRecord, MeasureSettings, Pass
from harness.core.limits import NO_LIMITS, Limits
from harness.core.ports import Device
from harness.sources.tflite import read_graph
from tests.support.boards import a_board
from tests.support.models import tiny_cnn, write_model
from tests.support.phones import a_bed

pytestmark = pytest.mark.waits

SETTINGS = MeasureSettings(inferences=6, warmup_s=0.0, warmup_max_s=0.2, max_launch_s=5.0)
CPU = ComputeUnit(kind="cpu")


def this_machine(folder: Path) -> Device:
    return local_device(agent=LocalAgent(agents=folder, leases=folder))


def simulated(_: Path) -> Device:
    return SimulatedDevice(Scenario(name="simulated"))


def board(folder: Path) -> Device:
    return ssh_device(_STARTED.enter_context(a_board(folder / "board")))


def phone(folder: Path) -> Device:
    """An emulated one. Its tool prints a summary, no samples."""
    place = folder / "bed"
    place.mkdir(exist_ok=True)
    return _STARTED.enter_context(a_bed(place)).open()


Make = Callable[[Path], Device]
each_device = pytest.mark.parametrize("make", [this_machine, board, simulated, phone])
each_with_samples = pytest.mark.parametrize("make", [this_machine, board, simulated])
_STARTED = ExitStack()  # what a test's devices are reached through


@pytest.fixture(autouse=True)
def _end_what_was_started() -> Iterator[None]:
    yield
    _STARTED.close()


_NUMBERS = itertools.count(7)  # a board starts no attempt twice


def an_order(folder: Path, pass_: Pass = Pass.LATENCY, unit: ComputeUnit = CPU) -> LaunchOrder:
    model = write_model(folder, tiny_cnn())
    return LaunchOrder(
        attempt=f"attempt-{next(_NUMBERS)}",
        variant=model,
        variant_digest="0" * 64,
        pass_=pass_,
        unit=unit,
        settings=SETTINGS,
        deadline_s=60.0,
        graph=read_graph(model),
    )


def record_of(device: Device, order: LaunchOrder) -> LaunchRecord:
    outcome = device.launch(order)
    assert isinstance(outcome, LaunchRecord), outcome
    return outcome


@each_device
def test_facts_are_known_before_entering_and_stay(make: Make, tmp_path: Path) -> None:
    device = make(tmp_path)
    before = device.facts
    with device as entered:
        assert entered.facts == before
    assert before.name
    assert before.family


@each_device
def test_a_device_offers_the_cpu_with_one_thread(make: Make, tmp_path: Path) -> None:
    assert CPU in make(tmp_path).facts.units


@each_device
def test_no_unit_is_offered_twice_and_none_that_is_excluded(make: Make, tmp_path: Path) -> None:
    facts = make(tmp_path).facts
    assert len(set(facts.units)) == len(facts.units)
    assert {str(unit) for unit in facts.units}.isdisjoint({exclusion.what for exclusion in facts.exclusions})
    assert all(exclusion.reason for exclusion in facts.exclusions)


@each_device
def test_a_canary_is_the_median_of_its_samples(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        canary = device.canary()
    assert len(canary.samples_ns) >= 3
    assert min(canary.samples_ns) <= canary.median_ns <= max(canary.samples_ns)
    assert min(canary.samples_ns) > 0


@each_device
@pytest.mark.parametrize("pass_", list(Pass))
def test_a_record_answers_its_order(make: Make, tmp_path: Path, pass_: Pass) -> None:
    order = an_order(tmp_path, pass_)
    with make(tmp_path) as device:
        record = record_of(device, order)
    assert (record.attempt, record.pass_) == (order.attempt, pass_)
    assert record.runtime
    assert record.wall_s > 0


@each_with_samples
def test_a_latency_record_has_a_wall_cpu_and_start_for_each_inference(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        record = record_of(device, an_order(tmp_path))
    assert len(record.samples_ns) == len(record.cpu_ns) == len(record.starts_ns) == SETTINGS.inferences
    assert list(record.starts_ns) == sorted(record.starts_ns)
    assert min(record.samples_ns) > 0
    assert len(record.warmup_ns) >= SETTINGS.warmup_inferences


@each_device
def test_a_latency_record_has_samples_or_a_summary_of_them(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        record = record_of(device, an_order(tmp_path))
    assert (record.summary is None) == bool(record.samples_ns)
    assert record.summary is None or record.summary.count == SETTINGS.inferences


@each_with_samples
def test_samples_are_whole_nanoseconds(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        record = record_of(device, an_order(tmp_path))
    assert {type(value) for value in (*record.samples_ns, *record.cpu_ns, *record.starts_ns)} == {int}


@each_device
def test_an_ops_record_has_a_row_for_each_operator(make: Make, tmp_path: Path) -> None:
    order = an_order(tmp_path, Pass.OPS)
    with make(tmp_path) as device:
        record = record_of(device, order)
    assert record.ops is not None
    assert order.graph is not None
    assert {op.index for op in record.ops.ops} >= {node.index for node in order.graph.nodes}


@each_device
def test_only_a_memory_record_has_a_memory_reading(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        latency = record_of(device, an_order(tmp_path, Pass.LATENCY))
        memory = record_of(device, an_order(tmp_path, Pass.MEMORY))
    assert latency.memory is None
    assert memory.memory is not None
    assert memory.memory.method


@each_device
def test_conditions_before_and_after_a_launch_have_times_that_do_not_run_backwards(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        record = record_of(device, an_order(tmp_path))
    assert 0 <= record.before.taken_at <= record.after.taken_at


@each_device
def test_the_unit_observed_is_of_the_kind_asked_for(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        observed = record_of(device, an_order(tmp_path)).observed
    assert observed is not None
    assert observed.kind == "cpu"


@each_device
def test_a_unit_that_is_not_offered_is_a_failure_and_no_exception(make: Make, tmp_path: Path) -> None:
    order = an_order(tmp_path, unit=ComputeUnit(kind="edgetpu"))
    with make(tmp_path) as device:
        outcome = device.launch(order)
    assert isinstance(outcome, LaunchFailure)
    assert outcome.kind is FailureKind.ERROR
    assert (outcome.attempt, outcome.pass_) == (order.attempt, Pass.LATENCY)
    assert "edgetpu" in outcome.message


@each_device
def test_a_device_can_be_entered_again(make: Make, tmp_path: Path) -> None:
    device = make(tmp_path)
    for _ in range(2):
        with device:
            assert record_of(device, an_order(tmp_path))


@each_device
def test_a_device_that_was_left_is_lost_until_it_is_entered_again(make: Make, tmp_path: Path) -> None:
    device, order = make(tmp_path), an_order(tmp_path)
    with device:
        pass
    for use in (lambda: device.launch(order), device.canary):
        with pytest.raises(DeviceLost, match="closed; enter it"):
            use()
    with device:
        assert record_of(device, order)


@each_device
def test_a_device_without_limits_is_fit_at_once(make: Make, tmp_path: Path) -> None:
    told: list[str] = []
    with make(tmp_path) as device:
        assert device.make_fit(NO_LIMITS, told.append) == 0
    assert told == []


IMPOSSIBLE = Limits(load_per_core=-1.0, wait_s=0.0)  # below any load, also that of an idle machine


def loaded(_: Path) -> Device:
    return SimulatedDevice(Scenario(name="simulated", load=1.0))


@pytest.mark.parametrize("make", [this_machine, board, loaded, phone])
def test_a_device_that_does_not_get_fit_is_an_error_with_the_limit_to_raise(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device, pytest.raises(DeviceUnfit, match=r"load per core .* raise limits\.load_per_core"):
        device.make_fit(IMPOSSIBLE, lambda _: None)


@each_device
def test_a_device_that_rested_measures(make: Make, tmp_path: Path) -> None:
    with make(tmp_path) as device:
        device.rest(0.01)
        assert record_of(device, an_order(tmp_path))


@each_device
def test_a_device_that_was_left_neither_rests_nor_gets_fit(make: Make, tmp_path: Path) -> None:
    device = make(tmp_path)
    with device:
        pass
    for use in (lambda: device.rest(60.0), lambda: device.make_fit(NO_LIMITS, lambda _: None)):
        with pytest.raises(DeviceLost, match="closed; enter it"):
            use()


@pytest.mark.parametrize("error", [DeviceLost("pi5", "no answer"), DeviceBusy("pi5", "ada has it")])
def test_an_absent_device_answers_everything_with_its_reason(error: DeviceError, tmp_path: Path) -> None:
    device: Device = AbsentDevice.known(this_machine(tmp_path).facts, error)
    uses: list[Callable[[], object]] = [
        device.conditions,
        device.canary,
        lambda: device.rest(1.0),
        lambda: device.make_fit(NO_LIMITS, lambda _: None),
        lambda: device.launch(an_order(tmp_path)),
    ]
    with device:
        for use in uses:
            with pytest.raises(type(error), match=error.reason):
                use()
