"""What tests of the agent build on: orders, devices with an agent of their own, and a look at processes."""

import hashlib
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil

from devices.device import AttachedDevice
from devices.inventory import LocalAgent
from devices.runtimes.litert_ops import op_table
from devices.transport.local import ProcessLines
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import DeviceFacts
from harness.core.launch import LaunchOrder, LaunchRecord, MeasureSettings, Pass, WeightCache
from harness.core.model import Graph

QUICK = MeasureSettings(inferences=8, warmup_s=0.0, warmup_max_s=0.2, max_launch_s=5.0)
MISBEHAVING = Path(__file__).with_name("agent_launches.py")


def an_order(
    variant: Path,
    *,
    attempt: str = "a1",
    pass_: Pass = Pass.LATENCY,
    unit: str = "cpu",
    settings: MeasureSettings = QUICK,
    deadline_s: float = 30.0,
    inputs: tuple[Path, ...] = (),
    graph: Graph | None = None,
    signature: str | None = None,
    weight_cache: WeightCache = WeightCache.OFF,
) -> LaunchOrder:
    return LaunchOrder(
        attempt=attempt,
        variant=variant,
        variant_digest=hashlib.sha256(variant.read_bytes() if variant.is_file() else bytes(variant)).hexdigest(),
        pass_=pass_,
        unit=ComputeUnit.parse(unit),
        settings=settings,
        deadline_s=deadline_s,
        inputs=inputs,
        graph=graph,
        signature=signature,
        weight_cache=weight_cache,
    )


class Agents:
    """Starts agents and remembers them, so that a test can strike at one."""

    def __init__(self, agent: LocalAgent) -> None:
        self._agent = agent
        self.started: list[ProcessLines] = []

    def connect(self) -> ProcessLines:
        self.started.append(self._agent.connect("local"))
        return self.started[-1]

    def device(self) -> AttachedDevice:
        facts = DeviceFacts(name="local", family="linux", simulated=False)
        return AttachedDevice(facts, self.connect, nullcontext, op_table)


def misbehaving(folder: Path, silence_s: float = 15.0) -> Agents:
    """Agents whose launches are those of agent_launches.py."""
    launch = (sys.executable, "-I", "-S", str(MISBEHAVING))
    return Agents(LocalAgent(agents=folder, launch=launch, silence_s=silence_s))


def is_running(pid: int) -> bool:
    """Whether a process runs. One that is dead and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process ended in time."""
    deadline = Deadline(seconds)
    while is_running(pid):
        if deadline.expired:
            return False
        time.sleep(0.01)
    return True


def wait_for_pid(variant: Path, seconds: float = 10.0) -> int:
    """The process id that a misbehaving launch left beside its variant."""
    deadline = Deadline(seconds)
    note = Path(f"{variant}.pid")
    while not note.exists():
        assert not deadline.expired, "the launch did not start in time"
        time.sleep(0.01)
    return int(note.read_text())


def measured(outcome: object) -> LaunchRecord:
    """The record of a launch that must have gone well."""
    assert isinstance(outcome, LaunchRecord), outcome
    return outcome
