"""Troubles of devices as they are listed."""

from harness.core.trouble import Trouble, TroubleKind
from reports.troubles import record_fields, record_text


def a_trouble(number: int = 0, name: str = "pi5") -> Trouble:
    return Trouble(
        device="0042", name=name, at=60.0 * number, kind=TroubleKind.LOST, words="it stopped answering", campaign="c1"
    )


def test_nothing_is_said_where_nothing_ever_happened() -> None:
    assert record_text((), {}) == ""


def test_the_newest_trouble_stands_first_and_a_quarantine_last() -> None:
    lines = record_text((a_trouble(0), a_trouble(1)), {"0042": "quarantined since then"}).splitlines()
    assert lines[2].split() == ["1970-01-01", "00:01", "pi5", "(0042)", "lost", *["it", "stopped", "answering", "c1"]]
    assert lines[-1] == "0042: quarantined since then"


def test_a_long_history_is_cut_and_that_is_said() -> None:
    assert "and 5 earlier" in record_text(tuple(map(a_trouble, range(25))), {}).splitlines()


def test_scripts_get_all_of_it() -> None:
    fields = record_fields((a_trouble(),), {"0042": "why"})
    assert fields["quarantined"] == [{"device": "0042", "reason": "why"}]
    assert fields["troubles"] == [
        {
            "device": "0042",
            "name": "pi5",
            "at": 0.0,
            "kind": "lost",
            "words": "it stopped answering",
            "campaign": "c1",
        }
    ]
