"""Scenarios from YAML, and what is refused."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from devices.scenario import Fault, Heat, Scenario, scenario_from
from harness.core.errors import ConfigError
from harness.core.launch import FailureKind, Pass
from harness.yaml_source import parse

MANUAL = Path(__file__).parents[3] / "docs" / "simulated-device.md"
EXAMPLES = Path(__file__).parents[3] / "examples" / "scenarios"


def _problem(mapping: object) -> str:
    with pytest.raises(ConfigError) as caught:
        scenario_from(mapping)
    (problem,) = caught.value.problems
    return problem


def test_an_empty_mapping_is_the_default_scenario() -> None:
    assert scenario_from({}) == Scenario()


def test_plain_values_become_a_scenario() -> None:
    plain = {
        "name": "hot",
        "heat": {"rise": 30, "throttle": {45: 1.5}},
        "faults": [{"kind": "crash", "at_launch": 3, "during": "ops"}],
    }
    assert scenario_from(plain) == Scenario(
        name="hot",
        heat=Heat(rise=30.0, throttle={45.0: 1.5}),
        faults=(Fault(kind=FailureKind.CRASH, at_launch=3, during=Pass.OPS),),
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_scenario(path: Path) -> None:
    tree = parse(path.read_text(), source=path.name)
    assert scenario_from(tree.root, source=path.name) != Scenario()


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} >= {"steady", "phone", "hostile"}


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"nmae": "x"}, ("nmae", "Unexpected")),
        ({"seed": "x"}, ("seed", "integer")),
        ({"launch_noise": float("nan")}, ("launch_noise", "finite")),
        ({"launch_noise": -1}, ("0 or more",)),
        ({"spike_probability": 1.5}, ("within 0 and 1",)),
        ({"unit_factors": {}}, ("at least one unit",)),
        ({"unit_factors": {"tpu": 1}}, ("unknown compute unit 'tpu'",)),
        ({"latency_ns": {"a": 0}}, ("above 0",)),
        ({"cores": 0}, ("cores", "1 or more")),
        ({"heat": {"time_constant_s": 0}}, ("heat", "above 0")),
        ({"heat": {"throttle": {40: 0.5}}}, ("heat", "1 or more")),
        ({"faults": [{"kind": "crush", "at_launch": 1}]}, ("faults.0.kind", "'crash'")),
        ({"faults": [{"kind": "crash"}]}, ("faults.0", "at_launch")),
        ({"faults": [{"kind": "crash", "probability": 2}]}, ("faults.0", "(0, 1]")),
        ({"faults": [{"kind": "crash", "at_launch": 1, "unit": "cpu:0"}]}, ("faults.0", "cpu:0")),
        ([], ("the whole",)),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key_and_what_was_given(
    mapping: object, words: tuple[str, ...]
) -> None:
    problem = _problem(mapping)
    assert all(word in problem for word in words), problem
    assert "given" in problem


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        scenario_from({"seed": "x", "cores": "y", "wrong": 1})
    assert len(caught.value.problems) == 3


def _placed_problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        scenario_from(parse(text, source="s.yaml").root, source="s.yaml")
    return caught.value.problems[0]


def test_a_problem_in_a_file_has_line_and_column() -> None:
    assert _placed_problem("name: x\nheat:\n  rsie: 3\n").startswith("s.yaml:3:3: heat.rsie: ")


def test_a_problem_in_a_list_has_the_place_of_its_entry() -> None:
    assert _placed_problem("faults:\n  - {kind: crash}\n").startswith("s.yaml:2:5: faults.0: ")


def test_an_empty_file_is_refused() -> None:
    assert _placed_problem("").startswith("s.yaml: the whole: ")


@pytest.mark.parametrize("noun", [Scenario, Heat, Fault])
def test_the_manual_has_every_key(noun: type[Scenario | Heat | Fault]) -> None:
    rows = re.findall(r"^\| `(\w+)`", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
    assert {field.name for field in fields(noun)} <= set(rows)
