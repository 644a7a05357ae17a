"""Nouns as JSON and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.campaign import Campaign, CampaignResult, ModelFailed
from harness.core.cell import Cell
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.errors import StoreError
from harness.core.launch import FailureKind, LaunchOutcome, MeasureSettings, OpTable
from harness.core.model import Graph, Model
from harness.core.variant import Accuracy, BuildOutcome
from harness.store.codec import CodecError, dumps, loads
from harness.store.records import BlockRecord, StoredCampaign, StoredLaunch
from tests.unit.harness.store.nouns import a_cell, of_type

NOUNS = (
    Campaign,
    Model | ModelFailed,
    Cell,
    DeviceFacts,
    Exclusion,
    Canary | None,
    LaunchOutcome,
    OpTable,
    Graph,
    BuildOutcome,
    BlockRecord,
    StoredLaunch,
    StoredCampaign,
    CampaignResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """A noun as it once was."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Newer:
    """The same noun with a field more."""

    name: str
    note: str | None = None


@pytest.mark.parametrize("kind", NOUNS, ids=str)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_noun_comes_back_the_same(kind: object, data: st.DataObject) -> None:
    noun = data.draw(of_type(kind))
    text = dumps(noun, kind)
    back = loads(text, kind)
    assert back == noun
    assert type(back) is type(noun)
    assert dumps(back, kind) == text


def test_a_cell_keeps_its_id() -> None:
    cell = a_cell()
    back = loads(dumps(cell, Cell), Cell)
    assert back.id == cell.id


def test_whole_seconds_stay_as_they_were_written() -> None:
    settings = MeasureSettings(max_launch_s=10)
    assert repr(loads(dumps(settings, MeasureSettings), MeasureSettings)) == repr(settings)


def test_numbers_of_numpy_are_numbers() -> None:
    accuracy = Accuracy(metric="top1", value=np.float64(0.5), n=np.int64(3))  # type: ignore[arg-type]
    assert loads(dumps(accuracy, Accuracy), Accuracy) == Accuracy(metric="top1", value=0.5, n=3)


def test_a_field_that_an_older_version_did_not_know_takes_its_default() -> None:
    assert loads(dumps(Older(name="x"), Older), Newer) == Newer(name="x", note=None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, str),
        ("3", int),
        (True, int),
        (1, bool),
        (1.5, int),
        (True, float),
        ([1], tuple[int, ...]),
        ((1, "a"), tuple[int, ...]),
        ((1,), tuple[int, int]),
        ({1: "a"}, Mapping[str, str]),
        ("crash", FailureKind),
        ("/a", Path),
        (Older(name="x"), Newer),
        (Older(name=3), Older),  # type: ignore[arg-type]
        (Older(name="x"), LaunchOutcome),
        (None, LaunchOutcome),
        (3, None | str),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_when_it_is_written(value: object, kind: object) -> None:
    with pytest.raises(CodecError):
        dumps(value, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", int),
        ("{", Older),
        ("[" * 100_000, Older),
        ("3", str),
        ("[1]", tuple[int, int]),
        ('{"name": 3}', Older),
        ("{}", Older),
        ('{"name": "x", "note": "y"}', Older),
        ('{"name": "x"}', LaunchOutcome),
        ('{"is": "Older", "name": "x"}', LaunchOutcome),
        ('{"is": ["LaunchRecord"]}', LaunchOutcome),
        ('"crashed"', FailureKind),
        ("3", FailureKind),
        ('{"kind": "qpu"}', Cell),
    ],
    ids=lambda value: str(value)[:40],
)
def test_text_that_is_no_such_noun_is_refused(text: str, kind: object) -> None:
    with pytest.raises(StoreError):
        loads(text, kind)


def test_a_refusal_says_which_field() -> None:
    with pytest.raises(CodecError, match=r"Cell\.settings: MeasureSettings\.launches: 'x' is not a whole number"):
        dumps_with_launches("x")


def dumps_with_launches(launches: object) -> str:
    cell = a_cell()
    settings = MeasureSettings(launches=launches)  # type: ignore[arg-type]
    return dumps(Cell(**{name: getattr(cell, name) for name in cell.__slots__} | {"settings": settings}), Cell)


def test_a_type_without_a_rule_is_refused() -> None:
    with pytest.raises(CodecError, match="complex has no rule"):
        dumps(1j, complex)
