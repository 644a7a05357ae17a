"""Carrying out a plan: what is launched, what is passed over, what an interruption leaves."""

import dataclasses
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.scenario import Fault
from harness.campaign import run_campaign
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import Canary, Conditions, DeviceFacts
from harness.core.errors import DeviceLost, DeviceRefused, StoreError
from harness.core.launch import Api, FailureKind, LaunchFailure, LaunchOrder, LaunchOutcome, LaunchRecord, Pass
from harness.core.limits import Limits
from harness.core.model import Graph, OpNode
from harness.core.ports import Waiting
from harness.countdown import Countdown, Progress
from harness.journal import Journal
from harness.launching import launch_order
from harness.plan import make_plan, schedule
from harness.store import BlockRecord, Store, StoredLaunch
from tests.support.campaigns import CAMPAIGN, RECIPES, a_simulated_plan, begin_simulated, carry_on, loadables, simulated
from tests.support.plans import a_model, some_rules, some_wishes

# float32 and int8 on three units: 3 latency launches, 1 per-op and 1 memory launch each.
CELLS, LAUNCHES = 6, 6 * (3 + 1 + 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "bench.db") as opened:
        yield opened


def counts(store: Store) -> Counter[tuple[str, Pass]]:
    return Counter((launch.cell, launch.outcome.pass_) for launch in store.load(CAMPAIGN).launches)


def test_each_cell_gets_all_its_launches(store: Store, tmp_path: Path) -> None:
    with simulated() as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        assert carry_on(store, plan, device, tmp_path) == ()
    expected = {Pass.LATENCY: 3, Pass.OPS: 1, Pass.MEMORY: 1}
    assert counts(store) == {(cell.id, pass_): count for cell in plan.cells for pass_, count in expected.items()}


def test_latency_blocks_stand_between_canaries(store: Store, tmp_path: Path) -> None:
    with simulated() as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        carry_on(store, plan, device, tmp_path)
    for block in store.load(CAMPAIGN).blocks:
        assert (block.canary_before is not None, block.canary_after is not None) == (block.pass_ is Pass.LATENCY,) * 2


def test_progress_counts_to_the_end(store: Store, tmp_path: Path) -> None:
    seen: list[Progress] = []
    with simulated() as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        carry_on(store, plan, device, tmp_path, seen.append)
    assert [step.done for step in seen] == list(range(1, LAUNCHES + 1))
    assert (seen[-1].total, seen[-1].left_s) == (LAUNCHES, 0)


def test_cell_that_crashes_at_once_costs_one_launch(store: Store, tmp_path: Path) -> None:
    crash = Fault(kind=FailureKind.CRASH, probability=1.0, variant="int8", unit="cpu")
    with simulated(faults=(crash,)) as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        carry_on(store, plan, device, tmp_path)
    broken = next(cell for cell in plan.cells if (cell.variant, str(cell.unit)) == ("int8", "cpu"))
    outcomes = [launch.outcome for launch in store.load(CAMPAIGN).launches if launch.cell == broken.id]
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], LaunchFailure)
    assert sum(counts(store).values()) == LAUNCHES - 4


def test_cold_starts_are_measured_with_the_weight_cache_and_without(store: Store, tmp_path: Path) -> None:
    with simulated() as device:
        plan = a_simulated_plan(device, cold_starts=2)
        begin_simulated(store, plan, device)
        assert carry_on(store, plan, device, tmp_path) == ()
    cell = next(cell for cell in plan.cells if str(cell.unit) == "cpu")
    outcomes = [launch.outcome for launch in store.load(CAMPAIGN).launches if launch.cell == cell.id]
    cold = [o.weight_cache.value for o in outcomes if isinstance(o, LaunchRecord) and o.pass_ is Pass.COLD]
    assert cold == ["fill", "off", "use", "use", "off"]


def test_devices_of_one_machine_take_turns(store: Store, tmp_path: Path) -> None:
    turns: list[str] = []
    devices = {name: Neighbour(name, turns) for name in ("a", "b")}
    facts = [device.facts for device in devices.values()]
    plan = make_plan(some_wishes(*RECIPES, launches=2), [a_model()], facts, some_rules())
    begin_simulated(store, plan, devices["a"])
    journal = Journal(store, store.load(CAMPAIGN))
    blocks = schedule(plan.runnable(), 0)
    assert run_campaign(blocks, loadables(tmp_path), devices, journal, lambda _: None) == ()
    assert turns == sorted(turns)
    assert set(turns) == {"a", "b"}


def test_lost_device_is_given_up_and_resumed(store: Store, tmp_path: Path) -> None:
    lost = Fault(kind=FailureKind.LOST, at_launch=7)
    with simulated(faults=(lost,)) as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        (reason,) = carry_on(store, plan, device, tmp_path)
    assert "sim" in reason
    with simulated() as device:
        assert carry_on(store, plan, device, tmp_path) == ()
    assert set(counts(store)) == {
        (cell.id, pass_) for cell in plan.cells for pass_ in (Pass.LATENCY, Pass.OPS, Pass.MEMORY)
    }


class Unreliable:
    """A device that raises what no device should, at one launch."""

    def __init__(self, at: int) -> None:
        self._device, self._at, self._launches = simulated(), at, 0

    @property
    def facts(self) -> DeviceFacts:
        return self._device.facts

    def __enter__(self) -> "Unreliable":
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def conditions(self) -> Conditions:
        return self._device.conditions()

    def canary(self) -> Canary:
        return self._device.canary()

    def make_fit(self, limits: Limits, waiting: Waiting) -> float:
        return self._device.make_fit(limits, waiting)

    def rest(self, seconds: float) -> None:
        self._device.rest(seconds)

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self._launches += 1
        if self._launches == self._at:
            raise ZeroDivisionError("a fault of ours")
        return self._device.launch(order)


def test_unforeseen_error_fails_one_cell_alone(store: Store, tmp_path: Path) -> None:
    device = Unreliable(at=2)
    plan = a_simulated_plan(device)
    begin_simulated(store, plan, device)
    assert carry_on(store, plan, device, tmp_path) == ()
    failures = [o for launch in store.load(CAMPAIGN).launches if isinstance(o := launch.outcome, LaunchFailure)]
    assert ["ZeroDivisionError: a fault of ours" in failure.message for failure in failures] == [True]


def test_agent_that_dies_once_tears_its_block_and_charges_no_cell(store: Store, tmp_path: Path) -> None:
    device = Forgetful(at=1)
    plan = a_simulated_plan(device)
    begin_simulated(store, plan, device)
    assert carry_on(store, plan, device, tmp_path) == ()
    assert set(counts(store).values()) == {3, 1}
    assert [o for launch in store.load(CAMPAIGN).launches if isinstance(o := launch.outcome, LaunchFailure)] == []


def test_launch_that_takes_the_agent_down_twice_costs_its_cell_alone(store: Store, tmp_path: Path) -> None:
    device = Deadly(at=0)
    plan = a_simulated_plan(device)
    begin_simulated(store, plan, device)
    assert carry_on(store, plan, device, tmp_path) == ()
    failed = {launch.cell for launch in store.load(CAMPAIGN).launches if isinstance(launch.outcome, LaunchFailure)}
    assert failed == {cell.id for cell in plan.cells if cell.variant == "int8"}
    assert sum(counts(store).values()) == 3 * (5 + 1)


class Neighbour(Unreliable):
    """One of several devices that are the same machine; notes whose turn it was."""

    def __init__(self, name: str, turns: list[str]) -> None:
        super().__init__(at=-1)
        self._turns = turns
        self._facts = dataclasses.replace(self._device.facts, name=name, machine="one")

    @property
    def facts(self) -> DeviceFacts:
        return self._facts

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self._turns.append(self._facts.name)
        return super().launch(order)


class Interpreted(Unreliable):
    """A device that runs everything through the Interpreter; keeps what orders say of that."""

    def __init__(self) -> None:
        super().__init__(at=-1)
        self.told: set[tuple[Api | None, str | None]] = set()

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self.told.add((order.api, order.fallback))
        outcome = super().launch(order)
        assert isinstance(outcome, LaunchRecord)
        return dataclasses.replace(outcome, api=Api.INTERPRETER, fallback="a refusal")


def test_a_resume_goes_on_through_the_face_that_a_cell_was_begun_with(store: Store, tmp_path: Path) -> None:
    first, second = Interpreted(), Interpreted()
    plan = a_simulated_plan(first)
    begin_simulated(store, plan, first)
    blocks = schedule(plan.runnable(), 0)
    begun = [block for block in blocks if block.pass_ is Pass.LATENCY and block.index == 0]
    run_campaign(begun, loadables(tmp_path), {"sim": first}, Journal(store, store.load(CAMPAIGN)), lambda _: None)
    assert carry_on(store, plan, second, tmp_path) == ()
    assert first.told == {(None, None)}
    assert second.told == {(Api.INTERPRETER, "a refusal")}


class Forgetful(Unreliable):
    """A device whose agent goes away under one launch."""

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        try:
            return super().launch(order)
        except ZeroDivisionError:
            lost = "the agent went away"
            return LaunchFailure(attempt=order.attempt, pass_=order.pass_, kind=FailureKind.LOST, message=lost)


class Deadly(Unreliable):
    """A device whose agent goes away under every launch of one variant."""

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        if order.variant.stem != "int8":
            return self._device.launch(order)
        return LaunchFailure(attempt=order.attempt, pass_=order.pass_, kind=FailureKind.LOST, message="it is gone")


def test_a_device_that_refuses_us_is_given_up_at_once_and_resumed(store: Store, tmp_path: Path) -> None:
    device = Refusing(at=4)
    plan = a_simulated_plan(device)
    begin_simulated(store, plan, device)
    assert carry_on(store, plan, device, tmp_path) == ("sim: its host key is another",)
    assert carry_on(store, plan, simulated(), tmp_path) == ()
    assert set(counts(store).values()) == {3, 1}


class Refusing(Unreliable):
    """A board that has another host key from one launch on."""

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self._launches += 1
        if self._launches < self._at:
            return self._device.launch(order)
        raise DeviceRefused("sim", "its host key is another")


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Python's own handler: a process that was started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_interruption_tears_the_block_under_way(store: Store, tmp_path: Path) -> None:
    device = Interrupted(at=4)
    plan = a_simulated_plan(device)
    begin_simulated(store, plan, device)
    with pytest.raises(KeyboardInterrupt):
        carry_on(store, plan, device, tmp_path)
    assert sum(counts(store).values()) == 2
    assert carry_on(store, plan, simulated(), tmp_path) == ()
    assert set(counts(store).values()) == {3, 1}


class Interrupted(Unreliable):
    """Somebody presses Ctrl-C at one launch; from then on the device is closed, as on the way out."""

    closed = False

    def __exit__(self, *exc: object) -> None:
        self.closed = True

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self._launches += 1
        if self._launches < self._at:
            return self._device.launch(order)
        signal.raise_signal(signal.SIGINT)
        deadline = Deadline(60.0)
        while not self.closed:
            assert not deadline.expired
            time.sleep(0.001)
        raise DeviceLost("sim", "closed")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it on the way out."""


class MortalStore(Store):
    """Dies before or after its n-th write, as a process does that is killed."""

    writes = 0
    dies_at = 0
    after = False

    def _step(self) -> bool:
        self.writes += 1
        return self.writes == self.dies_at

    def begin_block(self, block: BlockRecord) -> None:
        dies = self._step()
        if not dies or self.after:
            super().begin_block(block)
        if dies:
            raise Killed

    def save_launch(self, launch: StoredLaunch) -> None:
        dies = self._step()
        if not dies or self.after:
            super().save_launch(launch)
        if dies:
            raise Killed

    def end_block(self, block: str, canary_after: Canary | None) -> None:
        dies = self._step()
        if not dies or self.after:
            super().end_block(block, canary_after)
        if dies:
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_write_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    with simulated() as device:
        plan = a_simulated_plan(device, launches=2)
        expected = {Pass.LATENCY: 2, Pass.OPS: 1, Pass.MEMORY: 1}
        complete = {(cell.id, pass_): count for cell in plan.cells for pass_, count in expected.items()}
        writes = sum(len(block.cells) + 2 for block in schedule(plan.cells, 0))
        for step in range(1, writes + 1, 7):  # blocks take 4 or 3 writes: every kind of step is met
            with MortalStore.open(tmp_path / f"{step}.db") as store:
                assert isinstance(store, MortalStore)
                begin_simulated(store, plan, device)
                store.dies_at, store.after = step, after
                with pytest.raises(Killed):
                    carry_on(store, plan, device, tmp_path)
                before = store.load(CAMPAIGN).launches
                assert carry_on(store, plan, device, tmp_path) == ()
                stored = store.load(CAMPAIGN).launches
            assert Counter((launch.cell, launch.outcome.pass_) for launch in stored) == complete
            assert {launch.outcome.attempt for launch in before} <= {launch.outcome.attempt for launch in stored}


class FullStore(Store):
    """A disk that is full from the first launch on."""

    def save_launch(self, launch: StoredLaunch) -> None:
        raise StoreError(f"disk full at position {launch.position}")


def test_store_that_cannot_be_written_ends_the_campaign(tmp_path: Path) -> None:
    with FullStore.open(tmp_path / "full.db") as store, simulated() as device:
        plan = a_simulated_plan(device)
        begin_simulated(store, plan, device)
        with pytest.raises(StoreError, match="disk full"):
            carry_on(store, plan, device, tmp_path)


def test_launch_has_a_deadline_beyond_what_it_may_take(tmp_path: Path) -> None:
    with simulated() as device:
        cell = a_simulated_plan(device).cells[0]
    order = launch_order(cell, Pass.LATENCY, "a", loadables(tmp_path)["m", "float32"])
    assert order.deadline_s > cell.settings.max_launch_s + cell.settings.warmup_max_s


@pytest.mark.parametrize("unit", ["gpu", "gpu/software", "npu"])
def test_an_accelerator_has_time_to_compile(unit: str, tmp_path: Path) -> None:
    with simulated() as device:
        cell = a_simulated_plan(device).cells[0]
    loadable = loadables(tmp_path)["m", "float32"]
    slow = dataclasses.replace(cell, unit=ComputeUnit.parse(unit))
    usual, patient = (launch_order(each, Pass.LATENCY, "a", loadable).deadline_s for each in (cell, slow))
    assert patient > usual + 120


def test_time_left_follows_what_launches_took() -> None:
    seen: list[Progress] = []
    with simulated() as device:
        blocks = schedule(a_simulated_plan(device).cells, 0)
    clock = Countdown(blocks, seen.append)
    for cell in blocks[0].cells:
        clock.ended(cell, "", 10.0)
    assert seen[-1].left_s == pytest.approx(10.0 * (LAUNCHES - len(blocks[0].cells)), rel=0.01)


def test_heavy_model_may_take_its_time(tmp_path: Path) -> None:
    (cell, *_) = a_simulated_plan(simulated()).cells
    node = OpNode(
        index=0,
        type="CONV_2D",
        name="y",
        shape=(),
        inputs=(),
        outputs=(),
        macs=10**9,
        weight_bytes=0,
        activation_bytes=0,
    )
    light = loadables(tmp_path)["m", "int8"]
    heavy, absurd = (
        dataclasses.replace(light, graph=Graph(nodes=(dataclasses.replace(node, macs=macs),), inputs=()))
        for macs in (10**9, 10**30)
    )
    allowed = [launch_order(cell, Pass.LATENCY, "a", each).deadline_s for each in (light, heavy, absurd)]
    assert allowed[1] == pytest.approx(allowed[0] + 30)
    assert allowed[2] == pytest.approx(allowed[0] + 600)
