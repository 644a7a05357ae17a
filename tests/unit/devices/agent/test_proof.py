"""Whether profiled events are the operators of the model that they are proven with."""

from pathlib import Path
from typing import Any

import pytest

from devices.agent.proof import OPERATORS, is_wanted, judge, model_content
from harness.sources.tflite import read_graph

GOOD: list[Any] = [("Invoke", 1, 0, 0, 99), *((name, 2, place, 0, 20) for place, name in enumerate(OPERATORS))]
RUNTIME: dict[str, object] = {"name": "tflite-runtime", "version": "2.14.0", "package": "p", "library": "l"}


def test_events_that_are_the_operators_are_proof() -> None:
    assert judge(GOOD, 2) is None


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (GOOD[:-1], "3 events of the kind 2 for 4 operators"),
        ([GOOD[2], GOOD[1], *GOOD[3:]], "are not the operators"),
        ([*GOOD[:-1], ("TANH", 2, 3, 0, 0)], "took no time"),
        ([*GOOD[:-1], ("TANH", 8, 3, 0, 9)], "3 events of the kind 2"),
        ([*GOOD[:-1], ("TANH", 2, 9, 0, 9)], "are not the operators"),
    ],
)
def test_events_that_are_not_are_none(events: list[Any], words: str) -> None:
    assert words in str(judge(events, 2))


def test_the_model_that_it_is_proven_with_has_those_operators(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(model_content())
    assert tuple(node.type for node in read_graph(tmp_path / "m.tflite").nodes) == OPERATORS


@pytest.mark.parametrize(
    ("changes", "machine", "wanted"),
    [
        ({}, "linux aarch64", True),
        ({}, "linux x86_64", False),
        ({}, "linux armv7l", False),
        ({"version": "2.13.0"}, "linux aarch64", False),
        ({"name": "LiteRT"}, "linux aarch64", False),
    ],
)
def test_a_proof_is_sought_where_it_can_be_found(changes: dict[str, object], machine: str, *, wanted: bool) -> None:
    assert is_wanted({**RUNTIME, **changes}, machine) is wanted
