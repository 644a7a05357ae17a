"""When a cell is given up, and what a journal knows of what was done."""

from pathlib import Path

import pytest

from harness.core.campaign import Campaign
from harness.core.launch import LaunchOutcome, Pass
from harness.journal import Journal, has_latency, is_hopeless
from harness.plan import Block, Plan, make_plan, schedule
from harness.store import Store
from tests.support.launches import a_failure, a_record
from tests.support.plans import CPU, a_model, some_facts, some_rules, some_wishes

OK, BAD = a_record(), a_failure()


@pytest.mark.parametrize(
    ("outcomes", "hopeless"),
    [
        ([], False),
        ([BAD], True),
        ([OK], False),
        ([OK, BAD], False),
        ([OK, BAD, OK, BAD], False),
        ([OK, BAD, BAD], True),
        ([BAD, OK, OK], True),
    ],
)
def test_cell_is_given_up_at_its_first_launch_or_after_two_in_a_row(
    outcomes: list[LaunchOutcome], hopeless: bool
) -> None:
    assert is_hopeless(outcomes) is hopeless


def test_only_a_measured_latency_launch_is_one() -> None:
    assert has_latency([a_record()])
    assert not has_latency([a_failure(), a_record(Pass.OPS)])


def a_plan() -> Plan:
    wishes = some_wishes("float32", "int8", units=(CPU,), launches=2)
    return make_plan(wishes, [a_model()], [some_facts()], some_rules())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "bench.db")


def a_journal(store: Store, plan: Plan) -> Journal:
    campaign = Campaign(id="c", name="c", started_at=0.0, ended_at=None, config="", command="", seed=0, version="0")
    store.begin_campaign(
        campaign,
        environment={},
        devices=[some_facts()],
        models=[a_model()],
        models_failed=[],
        exclusions=[],
        cells=plan.cells,
        skipped={},
    )
    return Journal(store, store.load("c"))


def run_block(journal: Journal, block: Block, *, end: bool = True) -> None:
    identity = journal.begin(block, None)
    for position, cell in enumerate(block.cells):
        journal.save(identity, cell.id, position, a_record(block.pass_, attempt=f"{identity}.{position}"))
    if end:
        journal.end(block, identity, None)


def test_block_is_done_once_it_has_ended(store: Store) -> None:
    plan = a_plan()
    first, second, *_ = schedule(plan.cells, 0)
    journal = a_journal(store, plan)
    run_block(journal, first)
    run_block(journal, second, end=False)
    assert journal.is_done(first)
    assert not journal.is_done(second)


def test_next_journal_knows_what_the_last_one_ended(store: Store) -> None:
    plan = a_plan()
    first, second, *_ = schedule(plan.cells, 0)
    journal = a_journal(store, plan)
    run_block(journal, first)
    run_block(journal, second, end=False)
    store.tear_open_blocks("c")
    again = Journal(store, store.load("c"))
    assert again.is_done(first)
    assert not again.is_done(second)
    assert [len(again.outcomes(cell.id)) for cell in plan.cells] == [1, 1]


def test_torn_block_can_be_run_again(store: Store) -> None:
    plan = a_plan()
    first = schedule(plan.cells, 0)[0]
    run_block(a_journal(store, plan), first, end=False)
    store.tear_open_blocks("c")
    again = Journal(store, store.load("c"))
    run_block(again, first)
    assert len(store.load("c").launches) == len(first.cells)
