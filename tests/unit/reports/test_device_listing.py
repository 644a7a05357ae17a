"""What `devices` prints."""

import json

from harness.core.device import Conditions
from harness.core.survey import Cleaned, Phone, Phones, Seen, Want
from reports.device_listing import cleaned_text, phones_fields, phones_text, seen_fields, seen_text
from tests.support.plans import some_facts

SEEN = Seen(
    name="local",
    kind="ssh",
    facts=some_facts(),
    now=Conditions(taken_at=0.0),
    over=(Want(what="SoC 70 °C, limit 65 °C", advice="cool it or raise limits.soc_celsius"),),
    unknown=("battery", "load per core"),
    held="bench@tower has measured on it for 3 min",
)
GONE = Seen(name="pi5", kind="ssh", problem="nothing listens there; is sshd on, and the port right?")


def test_a_device_tells_its_state_and_what_it_wants() -> None:
    lines = seen_text(
        [SEEN], {"local": [Want(what="runtime: not found", advice="`run_bench.py setup c`")]}
    ).splitlines()
    assert lines[-4:] == [
        "  in use: bench@tower has measured on it for 3 min",
        "  over its limit: SoC 70 °C, limit 65 °C; cool it or raise limits.soc_celsius",
        "  unknown at a first look, and so not judged: battery, load per core",
        "  want: runtime: not found: `run_bench.py setup c`",
    ]


def test_a_device_that_does_not_answer_is_one_line_and_the_others_are_shown() -> None:
    gone, shown = seen_text([GONE, SEEN], {}).split("\n\n")
    assert gone == "pi5 (ssh): does not answer: nothing listens there; is sshd on, and the port right?"
    assert shown.startswith("local: ")


def test_scripts_get_the_same() -> None:
    fields = json.loads(json.dumps(seen_fields(SEEN, [Want(what="w", advice="a")])))
    assert (fields["name"], fields["kind"], fields["problem"]) == ("local", "ssh", None)
    assert fields["over"] == ["SoC 70 °C, limit 65 °C"]
    assert fields["unknown"] == ["battery", "load per core"]
    assert fields["wants"] == [{"what": "w", "advice": "a"}]
    assert fields["conditions"]["taken_at"] == 0.0
    gone = json.loads(json.dumps(seen_fields(GONE, ())))
    assert (gone["problem"], gone["conditions"], gone["units"]) == (GONE.problem, None, [])


def test_phones_are_listed_with_what_helps_and_how_to_add_more() -> None:
    phones = Phones(server="adb server on port 5037", found=(Phone(serial="A1", state="offline", advice="plug it in"),))
    lines = phones_text(phones).splitlines()
    assert lines[:2] == ["phones (adb server on port 5037)", "  A1: offline: plug it in"]
    assert any("kind: android, serial: SERIAL" in line for line in lines)
    assert phones_fields(phones)["found"] == [{"serial": "A1", "state": "offline", "advice": "plug it in"}]
    assert phones_text(Phones(server="none runs")).startswith("phones: none (none runs)\n")


def test_words_of_a_device_break_no_line() -> None:
    hostile = Phones(server="s", found=(Phone(serial="A\n1\x1b[31m", state="device"),))
    assert "\x1b" not in phones_text(hostile)
    assert "A\n1" not in phones_text(hostile)


def test_what_was_cleaned_is_counted() -> None:
    assert cleaned_text(Cleaned(name="pi5", files=3, bytes=2_000_000)) == "pi5: removed 3 files, 2.00 MB"
