"""Campaigns in and out of a store."""

import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from harness.core.campaign import ModelFailed
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.errors import StoreError
from harness.core.launch import FailureKind, LaunchFailure, LaunchOutcome, Pass
from harness.core.model import Model
from harness.core.trouble import Trouble, TroubleKind
from harness.core.variant import BuildFailed, BuildOutcome
from harness.store import BlockState, Store, StoredCampaign
from tests.support.told import a_summary
from tests.unit.harness.store.nouns import (
    a_block,
    a_campaign,
    a_cell,
    a_launch,
    a_record,
    a_variant,
    begin,
    of_type,
)

CANARY = Canary(median_ns=5.0, samples_ns=(4.0, 5.0, 6.0))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Iterator[Store]:
    shutil.copy(empty, tmp_path / "bench.db")
    with Store.open(tmp_path / "bench.db") as store:
        yield store


def failure(attempt: str = "f1") -> LaunchFailure:
    return LaunchFailure(
        attempt=attempt, pass_=Pass.LATENCY, kind=FailureKind.CRASH, message="died", exit_code=139, stderr_tail="boom"
    )


def test_a_store_and_its_folders_are_made(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a" / ".bench" / "bench.db") as store:
        assert store.campaigns() == ()
        assert store.latest() is None
    assert (tmp_path / "a" / ".bench" / "bench.db").is_file()


def test_a_whole_campaign_comes_back_the_same(tmp_path: Path) -> None:
    written = StoredCampaign(
        campaign=a_campaign(),
        environment={"python": "3.11"},
        devices=(DeviceFacts(name="local", family="linux", simulated=False, cores=2),),
        models_failed=(ModelFailed(name="x", path="x.tflite", error="empty"),),
        exclusions=(Exclusion(what="gpu", reason="no driver"),),
        cells=(a_cell("float32"), a_cell("int8"), a_cell("uint8")),
        skipped={a_cell("uint8").id: "cannot work"},
        builds=(a_variant("int8"), BuildFailed(model="digits", name="uint8", recipe="uint8", error="no")),
    )
    with Store.open(tmp_path / "bench.db") as store:
        store.begin_campaign(
            written.campaign,
            environment=written.environment,
            devices=written.devices,
            models=written.models,
            models_failed=written.models_failed,
            exclusions=written.exclusions,
            cells=written.cells,
            skipped=written.skipped,
        )
        for build in written.builds:
            store.save_build("c1", build)
    with Store.open(tmp_path / "bench.db") as again:
        assert again.load("c1") == written


def test_launches_come_back_with_samples_ops_and_failures(store: Store) -> None:
    begin(store)
    launches = (a_launch(position=0, outcome=a_record(ops=4)), a_launch(position=1, outcome=failure()))
    store.begin_block(a_block())
    for launch in launches:
        store.save_launch(launch)
    store.end_block("b1", CANARY)
    read = store.load("c1")
    assert read.launches == launches
    assert [(block.state, block.canary_after) for block in read.blocks] == [(BlockState.COMPLETE, CANARY)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(outcome=of_type(LaunchOutcome), build=of_type(BuildOutcome), model=of_type(Model))
def test_whatever_a_noun_holds_comes_back(
    store: Store, outcome: LaunchOutcome, build: BuildOutcome, model: Model
) -> None:
    number = uuid.uuid4().hex
    identity = f"campaign {number}"
    store.begin_campaign(
        a_campaign(identity),
        environment={},
        devices=(),
        models=(model,),
        models_failed=(),
        exclusions=(),
        cells=(a_cell(),),
        skipped={},
    )
    block = f"block {number}"
    launch = a_launch(block, outcome=replace(outcome, attempt=f"attempt {number}"))
    store.save_build(identity, build)
    store.begin_block(a_block(block, identity))
    store.save_launch(launch)
    store.end_block(block, None)
    read = store.load(identity)
    assert (read.launches, read.builds, read.models) == ((launch,), (build,), (model,))


def test_launches_of_a_torn_block_stay_and_never_count(store: Store, tmp_path: Path) -> None:
    begin(store)
    store.begin_block(a_block("b1"))
    store.save_launch(a_launch("b1"))
    assert store.tear_open_blocks("c1") == 1
    assert store.tear_open_blocks("c1") == 0
    read = store.load("c1")
    assert [block.state for block in read.blocks] == [BlockState.TORN]
    assert read.launches == ()
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        assert connection.execute("SELECT count(*) FROM launch").fetchone() == (1,)


def test_a_block_that_was_only_begun_does_not_count_yet(store: Store) -> None:
    begin(store)
    store.begin_block(a_block())
    store.save_launch(a_launch())
    assert store.load("c1").launches == ()


def test_tearing_leaves_other_campaigns_and_complete_blocks_alone(store: Store) -> None:
    begin(store, "c1")
    begin(store, "c2")
    store.begin_block(a_block("b1", "c1"))
    store.end_block("b1", None)
    store.begin_block(a_block("b2", "c2"))
    assert store.tear_open_blocks("c1") == 0
    assert [block.state for block in store.load("c2").blocks] == [BlockState.BEGUN]


def test_blocks_and_launches_come_in_the_order_they_were_begun(store: Store) -> None:
    begin(store)
    for block in ("z", "a", "m"):
        store.begin_block(a_block(block))
        for position in (1, 0):
            store.save_launch(a_launch(block, position))
        store.end_block(block, None)
    read = store.load("c1")
    assert [block.id for block in read.blocks] == ["z", "a", "m"]
    order = [(launch.block, launch.position) for launch in read.launches]
    assert order == [("z", 0), ("z", 1), ("a", 0), ("a", 1), ("m", 0), ("m", 1)]


def test_a_later_build_of_a_variant_replaces_the_earlier(store: Store) -> None:
    begin(store)
    store.save_build("c1", BuildFailed(model="digits", name="int8", recipe="int8", error="disk full"))
    store.save_build("c1", a_variant("int8"))
    assert store.load("c1").builds == (a_variant("int8"),)


def test_a_campaign_that_ended_says_when(store: Store) -> None:
    begin(store)
    store.end_campaign("c1", 200.0)
    assert store.load("c1").campaign == a_campaign(ended_at=200.0)


def test_campaigns_come_newest_first(store: Store) -> None:
    for identity, started_at in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        begin(store, identity, started_at=started_at)
    assert [campaign.id for campaign in store.campaigns()] == ["c", "b", "a"]
    latest = store.latest()
    assert latest is not None
    assert latest.id == "c"


def test_the_start_of_an_id_is_enough_where_it_is_one_campaigns(store: Store) -> None:
    for identity in ("abc", "abd", "ab", "xyz"):
        begin(store, identity)
    assert store.load("x").campaign.id == "xyz"
    assert store.load("ab").campaign.id == "ab"
    with pytest.raises(StoreError, match="3 campaigns begin with a: "):
        store.load("a")
    with pytest.raises(StoreError, match=r"no campaign '%'; there are .*abc"):
        store.load("%")


@pytest.mark.parametrize("start", ["", "c"])
def test_an_empty_store_has_no_campaign_to_load(store: Store, start: str) -> None:
    with pytest.raises(StoreError, match=r"bench\.db: no campaign .*; there is none yet, run one"):
        store.load(start)


def test_a_launch_for_a_block_that_is_over_is_refused(store: Store) -> None:
    begin(store)
    store.begin_block(a_block("b1"))
    store.end_block("b1", None)
    store.begin_block(a_block("b2"))
    store.tear_open_blocks("c1")
    with pytest.raises(StoreError, match="block b1 is complete and takes nothing more"):
        store.save_launch(a_launch("b1"))
    with pytest.raises(StoreError, match="block b2 is torn and takes nothing more"):
        store.save_launch(a_launch("b2"))
    with pytest.raises(StoreError, match="there is no block b3"):
        store.save_launch(a_launch("b3"))


def test_a_position_and_an_attempt_are_taken_once(store: Store) -> None:
    begin(store)
    store.begin_block(a_block())
    store.save_launch(a_launch(position=0, outcome=a_record("one")))
    with pytest.raises(StoreError, match="block b1 has a launch at position 0 already"):
        store.save_launch(a_launch(position=0, outcome=a_record("two")))
    with pytest.raises(StoreError, match="attempt one is saved already"):
        store.save_launch(a_launch(position=1, outcome=a_record("one")))
    store.end_block("b1", None)
    assert len(store.load("c1").launches) == 1


def test_a_cell_that_was_not_planned_is_refused(store: Store) -> None:
    begin(store)
    store.begin_block(a_block())
    strange = a_launch()
    with pytest.raises(StoreError, match="has no cell"):
        store.save_launch(type(strange)(block="b1", cell="0" * 16, position=0, outcome=strange.outcome))


def test_a_block_ends_once(store: Store) -> None:
    begin(store)
    store.begin_block(a_block())
    store.end_block("b1", None)
    with pytest.raises(StoreError, match="block b1 is complete"):
        store.end_block("b1", None)
    with pytest.raises(StoreError, match="block b1 is there already"):
        store.begin_block(a_block())


def test_nothing_is_saved_for_a_campaign_that_is_not_there(store: Store) -> None:
    for save in (
        lambda: store.save_build("no", a_variant()),
        lambda: store.begin_block(a_block(campaign="no")),
        lambda: store.end_campaign("no", 1.0),
        lambda: store.tear_open_blocks("no"),
    ):
        with pytest.raises(StoreError, match=r"bench\.db: there is no campaign no; begin it first"):
            save()


def test_a_campaign_begins_once(store: Store) -> None:
    begin(store)
    with pytest.raises(StoreError, match="campaign c1 is there already"):
        begin(store)


def test_a_skipped_cell_must_be_a_cell(store: Store) -> None:
    with pytest.raises(StoreError, match="skipped cells that are not among its cells: zz"):
        store.begin_campaign(
            a_campaign(),
            environment={},
            devices=(),
            models=(),
            models_failed=(),
            exclusions=(),
            cells=(),
            skipped={"zz": "no"},
        )
    assert store.campaigns() == ()


def test_threads_share_a_store(store: Store) -> None:
    begin(store)
    faults: list[StoreError] = []

    def save(name: str) -> None:
        try:
            store.begin_block(a_block(name))
            for position in range(20):
                store.save_launch(a_launch(name, position))
            store.end_block(name, None)
        except StoreError as error:
            faults.append(error)

    threads = [threading.Thread(target=save, args=(f"b{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert faults == []
    assert len(store.load("c1").launches) == 80


def test_columns_answer_questions_without_this_code(store: Store, tmp_path: Path) -> None:
    begin(store)
    store.begin_block(a_block())
    store.save_launch(a_launch(position=0, outcome=a_record(samples=3)))
    store.save_launch(a_launch(position=1, outcome=failure()))
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        rows = connection.execute("SELECT pass, failure, exit_code, median_ns FROM launch ORDER BY position").fetchall()
    assert rows == [("latency", None, None, 1_000_001.0), ("latency", "crash", 139, None)]


def test_a_launch_that_its_tool_told_comes_back_and_fills_the_column_of_its_median(
    store: Store, tmp_path: Path
) -> None:
    begin(store)
    record = replace(a_record(samples=0), cpu_ns=(), starts_ns=(), warmup_ns=(), summary=a_summary(5_000.0))
    store.begin_block(a_block())
    store.save_launch(a_launch(outcome=record))
    store.end_block("b1", CANARY)
    assert store.load("c1").launches[0].outcome == record
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        assert connection.execute("SELECT median_ns FROM launch").fetchall() == [(5_000.0,)]


def test_the_query_of_the_documentation_works(store: Store, tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "store.md").read_text(encoding="utf-8")
    begin(store)
    store.begin_block(a_block("b1"))
    store.save_launch(a_launch("b1", outcome=a_record(samples=3)))
    store.end_block("b1", None)
    store.begin_block(a_block("b2"))
    store.save_launch(a_launch("b2", outcome=a_record("other", samples=99)))
    with closing(sqlite3.connect(tmp_path / "bench.db")) as connection:
        rows = connection.execute(page.split('sqlite3 .bench/bench.db "')[1].split('"')[0]).fetchall()
    assert rows == [("digits", "int8", "cpu", 1.000001)]


def test_importing_the_store_loads_no_database_library() -> None:
    code = "import sys, harness.store; print([m for m in ('sqlalchemy', 'alembic', 'sqlite3') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


def test_opening_a_store_of_today_loads_no_migration_library(tmp_path: Path) -> None:
    Store.open(tmp_path / "bench.db").close()
    code = (
        "import sys, pathlib; from harness.store import Store; "
        f"Store.open(pathlib.Path({str(tmp_path)!r}, 'bench.db')).close(); print('alembic' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "False"


def test_troubles_are_kept_over_campaigns_in_order(tmp_path: Path) -> None:
    first = Trouble(device="0042", name="pi5", at=1.0, kind=TroubleKind.LOST, words="no answer \udcff", campaign="c1")
    freed = Trouble(device="0042", name="pi5", at=2.0, kind=TroubleKind.RELEASED, words="by hand")
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
        store.save_trouble(first)
        store.save_trouble(freed)
        assert store.troubles() == (first, freed)
        assert store.load("c1").troubles == (first,)


def test_a_trouble_of_no_campaign_here_is_refused(tmp_path: Path) -> None:
    stray = Trouble(device="0042", name="pi5", at=1.0, kind=TroubleKind.LOST, words="", campaign="elsewhere")
    with Store.open(tmp_path / "bench.db") as store, pytest.raises(StoreError, match="no campaign elsewhere"):
        store.save_trouble(stray)


def test_campaigns_of_a_device_are_found_newest_first(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        for number, identity in enumerate(("c1", "c2", "c3")):
            store.begin_campaign(
                a_campaign(identity, started_at=float(number)),
                environment={},
                devices=[DeviceFacts(name="pi5", family="linux", simulated=False, serial="0042")],
                models=[],
                models_failed=[],
                exclusions=[],
                cells=[],
                skipped={},
            )
        assert store.campaigns_with("0042", 2) == ("c3", "c2")
        assert store.campaigns_with("nobody", 5) == ()


def test_a_block_that_came_to_nothing_says_why_and_takes_nothing_more(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
        block = a_block()
        store.begin_block(block)
        store.tear_block(block.id, "the canary moved")
        (torn,) = store.load("c1").blocks
        assert (torn.state, torn.why) == (BlockState.TORN, "the canary moved")
        with pytest.raises(StoreError, match="is torn and takes nothing more"):
            store.end_block(block.id, None)
