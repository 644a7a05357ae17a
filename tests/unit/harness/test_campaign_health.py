"""What a campaign does about devices that are hot, unfit, lost for a while, busy, or not what they were."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.scenario import Fault, Heat, Scenario
from devices.simulated import SimulatedDevice
from devices.simulated_body import VirtualClock
from harness.campaign import run_campaign
from harness.core.device import Canary
from harness.core.errors import DeviceBusy, DeviceError, DeviceFull, DeviceRefused
from harness.core.launch import FailureKind, LaunchOrder, LaunchOutcome, Pass
from harness.core.limits import LIMITS, Limits
from harness.core.outcome import Failed, Measured
from harness.core.ports import Device
from harness.core.trouble import TroubleKind
from harness.countdown import Progress
from harness.journal import Journal
from harness.plan import make_plan, schedule
from harness.results import assemble
from harness.store import BlockState, Store
from tests.support.campaigns import CAMPAIGN, RECIPES, a_scenario, a_simulated_plan, begin_simulated, loadables
from tests.support.plans import a_model, some_rules, some_wishes

PHONE = LIMITS["simulated"]
HOT = Heat(zone="soc-thermal", start=58.0, ambient=29.0, rise=30.0, time_constant_s=60)
# What nothing cools: the room is warmer than the limit.
OVEN = Heat(zone="soc-thermal", ambient=47.5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "bench.db") as opened:
        yield opened


def run(
    store: Store,
    folder: Path,
    *devices: Device,
    limits: Limits = PHONE,
    report: Callable[[Progress], None] = lambda _: None,
    launches: int = 3,
) -> tuple[str, ...]:
    """A campaign over these devices, or the rest of it."""
    facts = [device.facts for device in devices]
    plan = make_plan(some_wishes(*RECIPES, launches=launches), [a_model()], facts, some_rules())
    if not store.campaigns():
        begin_simulated(store, plan, devices[0])
    store.tear_open_blocks(CAMPAIGN)
    named = {device.facts.name: device for device in devices}
    journal = Journal(store, store.load(CAMPAIGN))
    kept = dict.fromkeys(named, limits)
    return run_campaign(schedule(plan.runnable(), 0), loadables(folder), named, journal, report, limits=kept)


def simulated(name: str = "sim", **changes: object) -> SimulatedDevice:
    return SimulatedDevice(replace(a_scenario(**changes), name=name))


def test_a_hot_device_is_waited_for_and_every_block_starts_cool(store: Store, tmp_path: Path) -> None:
    said: list[str] = []
    assert run(store, tmp_path, simulated(heat=HOT), report=lambda step: said.append(step.text)) == ()
    stored = store.load(CAMPAIGN)
    assert stored.blocks[0].waited_s > 30
    firsts = {launch.block: launch.outcome for launch in reversed(stored.launches)}
    starts = [outcome.before.temperatures["soc-thermal"] for outcome in firsts.values()]  # type: ignore[union-attr]
    assert max(starts) < 40.5
    assert "waiting for sim to cool: SoC 58 °C, limit 40 °C" in said


def test_a_device_that_does_not_get_fit_is_given_up_and_the_others_go_on(store: Store, tmp_path: Path) -> None:
    oven, fine = simulated("oven", heat=OVEN), simulated("fine")
    assert run(store, tmp_path, oven, fine) == (
        "oven: SoC 47.5 °C after 300 s, limit 40 °C; cool it or raise limits.soc_celsius",
    )
    outcomes = {(c.cell.device, type(c.outcome)) for c in assemble(store.load(CAMPAIGN)).cells}
    assert outcomes == {("oven", Failed), ("fine", Measured)}
    (trouble,) = store.load(CAMPAIGN).troubles
    assert (trouble.name, trouble.kind) == ("oven", TroubleKind.UNFIT)


def test_cells_of_a_device_that_was_given_up_say_why(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path, simulated(heat=OVEN))
    reasons = {c.outcome.error for c in assemble(store.load(CAMPAIGN)).cells if isinstance(c.outcome, Failed)}
    assert reasons == {
        "not measured: sim was given up: SoC 47.5 °C after 300 s, limit 40 °C; cool it or raise limits.soc_celsius; "
        "`run --resume` measures it"
    }


def test_a_resume_measures_what_an_unfit_device_left(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path, simulated(heat=OVEN))
    assert run(store, tmp_path, simulated()) == ()
    assert all(isinstance(cell.outcome, Measured) for cell in assemble(store.load(CAMPAIGN)).cells)


def test_waiting_in_one_campaign_is_bounded(store: Store, tmp_path: Path) -> None:
    limits = replace(PHONE, campaign_wait_s=20.0)
    (reason,) = run(store, tmp_path, simulated(heat=HOT), limits=limits)
    assert "after 20 s" in reason
    assert reason.endswith("all of limits.campaign_wait_s (20 s) has been waited")


def test_without_limits_nothing_is_waited_for(store: Store, tmp_path: Path) -> None:
    assert run(store, tmp_path, simulated(heat=OVEN), limits=Limits()) == ()
    assert {block.waited_s for block in store.load(CAMPAIGN).blocks} == {0.0}


class Moody(SimulatedDevice):
    """A device whose canary is slower by a factor at some of its canaries, by their number from 0."""

    def __init__(self, slow: Callable[[int], float], clock: VirtualClock | None = None) -> None:
        super().__init__(a_scenario(), clock)
        self._slow, self._taken = slow, 0

    def canary(self) -> Canary:
        canary = super().canary()
        factor, self._taken = self._slow(self._taken), self._taken + 1
        return replace(canary, median_ns=canary.median_ns * factor)


def latency_blocks(store: Store) -> list[tuple[str, float, bool]]:
    blocks = [block for block in store.load(CAMPAIGN).blocks if block.pass_ is Pass.LATENCY]
    return [(block.state.value, block.waited_s, block.doubt is not None) for block in blocks]


def test_a_slow_canary_is_waited_for_until_it_is_back(store: Store, tmp_path: Path) -> None:
    hot = Moody(lambda number: 1.3 if number in (6, 7, 8) else 1.0)
    assert run(store, tmp_path, hot, limits=Limits(canary=0.1)) == ()
    blocks = latency_blocks(store)
    assert [state for state, _, _ in blocks].count("complete") == 9
    assert 10.0 <= sum(waited for _, waited, _ in blocks) <= 15.0
    assert not any(doubt for _, _, doubt in blocks)


def test_a_canary_that_does_not_come_back_is_waited_for_no_longer_than_said(store: Store, tmp_path: Path) -> None:
    hot = Moody(lambda number: 1.3 if number >= 6 else 1.0)
    limits = Limits(canary=0.1, cooldown_s=30.0)
    assert run(store, tmp_path, hot, limits=limits) == ()
    vain = [waited for _, waited, doubt in latency_blocks(store) if doubt]
    assert vain
    assert vain[0] == 30.0
    graded = [cell.grade.reasons for cell in assemble(store.load(CAMPAIGN)).cells if cell.grade]
    assert any("after 30 s of waiting" in reason for reasons in graded for reason in reasons)


def test_a_block_during_which_the_canary_moved_is_run_again_once_and_says_why(store: Store, tmp_path: Path) -> None:
    moved = Moody(lambda number: 1.5 if number == 1 else 1.0)
    seen: list[Progress] = []
    assert run(store, tmp_path, moved, limits=Limits(canary=0.1), report=seen.append) == ()
    torn, again, *_ = store.load(CAMPAIGN).blocks
    assert (torn.state, again.state, torn.index, again.index) == (BlockState.TORN, BlockState.COMPLETE, 0, 0)
    assert torn.why is not None
    assert torn.why.startswith("the canary moved by +5")
    assert seen[-1].done == seen[-1].total


def test_a_block_that_moves_twice_counts_the_second_time(store: Store, tmp_path: Path) -> None:
    moved = Moody(lambda number: 1.0 + 0.5 * (number % 2))
    assert run(store, tmp_path, moved, limits=Limits(canary=0.1, cooldown_s=0.0)) == ()
    states = [state for state, _, _ in latency_blocks(store)]
    assert states.count("complete") == 9
    assert states.count("torn") <= 9


def test_a_device_that_is_lost_for_a_while_costs_a_block_and_is_put_on_record(store: Store, tmp_path: Path) -> None:
    away = Fault(kind=FailureKind.LOST, at_launch=3, calls=0)
    assert run(store, tmp_path, simulated(faults=(away,))) == ()
    stored = store.load(CAMPAIGN)
    (torn,) = [block for block in stored.blocks if block.state is BlockState.TORN]
    assert torn.why is not None
    assert "the simulated device is gone" in torn.why
    assert [trouble.kind for trouble in stored.troubles] == [TroubleKind.AGENT]


def test_a_device_that_stays_away_is_given_up_and_put_on_record(store: Store, tmp_path: Path) -> None:
    away = Fault(kind=FailureKind.LOST, at_launch=3)
    (reason,) = run(store, tmp_path, simulated(faults=(away,)))
    assert "the simulated device is gone" in reason
    assert [trouble.kind for trouble in store.load(CAMPAIGN).troubles] == [TroubleKind.LOST]


class Closed(SimulatedDevice):
    """Lets nobody in from its third launch on, for a reason."""

    def __init__(self, error: DeviceError) -> None:
        super().__init__(Scenario(name="sim", latency_ns={"float32": 2e6, "int8": 1e6}))
        self._error, self._number = error, 0

    def launch(self, order: LaunchOrder) -> LaunchOutcome:
        self._number += 1
        if self._number > 2:
            raise self._error
        return super().launch(order)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DeviceRefused("sim", "the host key has changed"), TroubleKind.REFUSED),
        (DeviceFull("sim", "no space is left"), TroubleKind.FULL),
        (DeviceBusy("sim", "somebody measures on it"), TroubleKind.BUSY),
    ],
)
def test_a_device_that_lets_nobody_in_is_given_up_at_once_and_resumed(
    store: Store, tmp_path: Path, error: DeviceError, kind: TroubleKind
) -> None:
    fine = simulated("fine")
    assert run(store, tmp_path, Closed(error), fine) == (str(error),)
    stored = store.load(CAMPAIGN)
    assert [(trouble.kind, trouble.words) for trouble in stored.troubles] == [(kind, error.reason)]
    measured = {c.cell.device for c in assemble(stored).cells if isinstance(c.outcome, Measured)}
    assert measured >= {"fine"}
    assert run(store, tmp_path, simulated(), fine) == ()
    assert all(isinstance(cell.outcome, Measured) for cell in assemble(store.load(CAMPAIGN)).cells)


def test_ctrl_c_ends_a_wait(store: Store, tmp_path: Path) -> None:
    def interrupt(step: Progress) -> None:
        if step.text.startswith("waiting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, tmp_path, simulated(heat=OVEN), report=interrupt)
    assert store.load(CAMPAIGN).troubles == ()


def test_the_plan_of_these_tests_has_nine_latency_blocks() -> None:
    blocks = schedule(a_simulated_plan(simulated()).cells, 0)
    assert sum(block.pass_ is Pass.LATENCY for block in blocks) == 9
