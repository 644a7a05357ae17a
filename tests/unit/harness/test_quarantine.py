"""When a device is no longer measured."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.core.trouble import Trouble, TroubleKind
from harness.plan import make_plan
from harness.quarantine import (
    POLICY,
    RECENT_CAMPAIGNS,
    Quarantine,
    is_quarantine,
    quarantine_of,
    record_at,
    record_of,
    release,
    withhold,
)
from harness.store import Store
from tests.support.plans import a_model, some_facts, some_rules, some_wishes
from tests.unit.harness.store.nouns import begin

MANUAL = Path(__file__).parents[3] / "docs" / "health.md"
RECENT = ("e", "d", "c", "b", "a")


def a_trouble(campaign: str | None = "a", kind: TroubleKind = TroubleKind.LOST, at: float = 0.0) -> Trouble:
    return Trouble(device="0042", name="pi5", at=at, kind=kind, words="it stopped answering", campaign=campaign)


def test_three_losses_within_one_campaign_are_a_quarantine() -> None:
    troubles = [a_trouble(at=at) for at in (1.0, 2.0, 3.0)]
    assert quarantine_of(troubles[:2], RECENT) is None
    found = quarantine_of(troubles, RECENT)
    assert found is not None
    assert (found.device, found.name, found.since) == ("0042", "pi5", 3.0)
    assert "3 times lost in campaign a" in found.why


def test_losses_in_three_of_the_last_five_campaigns_are_a_quarantine() -> None:
    troubles = [a_trouble("a"), a_trouble("c"), a_trouble("e", at=9.0)]
    found = quarantine_of(troubles, RECENT)
    assert found is not None
    assert found.since == 9.0
    assert "lost in 3 of its last 5 campaigns" in found.why


def test_losses_in_campaigns_of_long_ago_are_forgiven() -> None:
    assert quarantine_of([a_trouble("old"), a_trouble("older"), a_trouble("a")], RECENT) is None


@pytest.mark.parametrize("kind", [TroubleKind.BUSY, TroubleKind.REFUSED, TroubleKind.FULL])
def test_what_says_nothing_of_reliability_never_is_a_quarantine(kind: TroubleKind) -> None:
    assert quarantine_of([a_trouble(campaign, kind) for campaign in RECENT * 5], RECENT) is None


def test_troubles_before_a_release_do_not_count() -> None:
    troubles = [a_trouble()] * 3 + [a_trouble(None, TroubleKind.RELEASED)]
    assert quarantine_of(troubles, RECENT) is None
    assert quarantine_of(troubles + [a_trouble()] * 2, RECENT) is None
    assert quarantine_of(troubles + [a_trouble()] * 3, RECENT) is not None


def test_the_manual_holds_the_policy_of_the_code() -> None:
    text = MANUAL.read_text(encoding="utf-8").split("## Quarantine", 1)[1]
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert rows == [(str(kind), str(rule.in_one), str(rule.campaigns)) for kind, rule in POLICY.items()]
    assert f"last {RECENT_CAMPAIGNS} campaigns" in text


def test_cells_of_a_quarantined_device_are_skipped_with_the_way_out() -> None:
    plan = make_plan(some_wishes("int8"), [a_model()], [some_facts("pi5"), some_facts("local")], some_rules())
    held = {"pi5": Quarantine(device="0042", name="pi5", since=0.0, why="3 times lost")}
    withheld = withhold(plan, held)
    assert {cell.device for cell in withheld.runnable()} == {"local"}
    (reason,) = set(withheld.skipped.values())
    assert reason == (
        "quarantined since 1970-01-01 00:00 UTC after 3 times lost: `run_bench.py devices --release pi5` lifts it"
    )
    assert is_quarantine(reason)


def test_a_release_lifts_a_quarantine_and_keeps_the_history(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
        for _ in range(3):
            store.save_trouble(a_trouble("c1"))
        assert set(record_of(store).quarantines) == {"0042"}
        assert release(store, "pi5", 5.0) == "0042"
        record = record_of(store)
    assert record.quarantines == {}
    assert [trouble.kind.value for trouble in record.troubles] == ["lost"] * 3 + ["released"]


def test_a_release_of_a_device_without_troubles_says_who_has_some(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
        store.save_trouble(a_trouble("c1"))
        with pytest.raises(ConfigError, match=r"pi6: no trouble .* on record: pi5"):
            release(store, "pi6", 0.0)


def test_a_quarantine_follows_the_serial_and_not_the_name(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bench.db") as store:
        begin(store)
        for _ in range(3):
            store.save_trouble(a_trouble("c1"))
        record = record_of(store)
    renamed, another = replace(some_facts("shelf-3"), serial="0042"), replace(some_facts("pi5"), serial="0043")
    assert set(record.among([renamed, another])) == {"shelf-3"}


def test_no_store_has_nothing_on_record_and_is_not_made(tmp_path: Path) -> None:
    assert record_at(tmp_path / "bench.db").troubles == ()
    assert not (tmp_path / "bench.db").exists()
