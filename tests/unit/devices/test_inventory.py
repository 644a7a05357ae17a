"""This machine, by its own agent."""

import os
import platform
from pathlib import Path

import pytest

from devices.inventory import LocalAgent, local_device, local_facts, local_state
from harness.core.compute_unit import ComputeUnit
from harness.core.errors import DeviceBusy, DeviceLost


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> LocalAgent:
    folder = tmp_path_factory.mktemp("agents")
    return LocalAgent(agents=folder, leases=folder)


def test_this_machine_tells_what_it_is(agent: LocalAgent) -> None:
    facts = local_facts("here", agent)
    assert (facts.name, facts.simulated, facts.arch) == ("here", False, platform.machine())
    assert facts.runtimes == {"LiteRT": "2.3.0"}
    assert ComputeUnit(kind="cpu", backend="builtin") in facts.units


def test_every_kind_of_unit_is_offered_or_excluded(agent: LocalAgent) -> None:
    facts = local_facts(agent=agent)
    kinds = {unit.kind for unit in facts.units} | {exclusion.what for exclusion in facts.exclusions}
    assert kinds == {"cpu", "gpu", "npu", "edgetpu"}


def test_its_state_is_told_with_its_facts(agent: LocalAgent) -> None:
    facts, conditions = local_state(agent=agent)
    assert facts.name == "local"
    assert conditions.load is None or conditions.load >= 0


def test_facts_are_told_while_somebody_measures(agent: LocalAgent) -> None:
    with local_device(agent=agent) as device:
        assert local_facts(agent=agent) == device.facts


def test_a_second_measurement_is_refused_under_any_name(agent: LocalAgent) -> None:
    with local_device("mine", agent), pytest.raises(DeviceBusy, match=f"^yours: process {os.getpid()} "):
        local_device("yours", agent).__enter__()


def test_facts_come_from_the_root_that_is_given(agent: LocalAgent, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  1024 kB\n")
    facts = local_facts(agent=LocalAgent(agents=agent.agents, root=tmp_path))
    assert (facts.memory_bytes, facts.os) == (1024 * 1024, None)


def test_an_agent_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceLost, match=r"cannot be put into .*; set XDG_CACHE_HOME"):
        local_facts(agent=LocalAgent(agents=tmp_path / "file" / "agents"))
