"""This machine, by its own agent."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from devices.inventory import LocalAgent, local_device, local_facts, local_state
from devices.runtimes.agent_launch import Route
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


def test_two_devices_of_this_machine_can_be_entered_by_one_campaign(agent: LocalAgent) -> None:
    with local_device("new", agent) as new, local_device("old", agent) as old:
        assert new.facts.machine == old.facts.machine
        assert new.canary().samples_ns
        assert old.canary().samples_ns


def test_another_process_that_measures_under_any_name_refuses_a_measurement(agent: LocalAgent) -> None:
    script = """
import sys
from pathlib import Path
from devices.inventory import LocalAgent, local_device
with local_device("mine", LocalAgent(agents=Path(sys.argv[1]), leases=Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""
    argv = (sys.executable, "-c", script, str(agent.leases))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DeviceBusy, match=f"^yours: process {holder.pid} "):
            local_device("yours", agent).__enter__()
        holder.communicate(timeout=30)


def test_facts_name_the_runtime_that_measures(agent: LocalAgent) -> None:
    assert local_facts(agent=agent).runtime == "LiteRT"


def test_a_runtime_that_this_python_lacks_leaves_no_units_and_says_what_to_install(agent: LocalAgent) -> None:
    facts = local_device("old", agent, Route(runtime="tflite-runtime")).facts
    assert facts.units == ()
    assert facts.exclusions[0].reason == (
        f"tflite-runtime was not found by {sys.executable}: make it an environment of its own, and name that as the "
        "device's python (docs/tflite-runtime.md)"
    )


def test_a_python_that_is_not_there_is_an_error_that_names_it(agent: LocalAgent, tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match=r"cannot be started with .*/nothing: No such file"):
        local_facts(agent=LocalAgent(agents=agent.agents, python=tmp_path / "nothing"))


def test_facts_come_from_the_root_that_is_given(agent: LocalAgent, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  1024 kB\n")
    facts = local_facts(agent=LocalAgent(agents=agent.agents, root=tmp_path))
    assert (facts.memory_bytes, facts.os) == (1024 * 1024, None)


def test_an_agent_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceLost, match=r"cannot be put into .*; set XDG_CACHE_HOME"):
        local_facts(agent=LocalAgent(agents=tmp_path / "file" / "agents"))
