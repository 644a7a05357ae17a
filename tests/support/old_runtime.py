"""The tests' second environment: a Python that has tflite-runtime, and numpy as old as that needs."""

from collections.abc import Mapping
from pathlib import Path

from devices.device import AttachedDevice
from devices.inventory import LocalAgent, local_device
from devices.runtimes.agent_launch import Route
from tests.support.one_op import run_few

ROOT = Path(__file__).parents[2]
TFLITE_RUNTIME = "tflite-runtime"


def old_python() -> Path:
    """Its interpreter. Raises FileNotFoundError that says what makes it."""
    python = ROOT / ".venv-tflite-runtime/bin/python"
    if not python.exists():
        raise FileNotFoundError(f"{python}: make .venv-tflite-runtime/installed")
    return python


def old_device(folder: Path) -> AttachedDevice:
    """This machine as a device that measures with it; its agent and its lease lie in the folder."""
    agent = LocalAgent(agents=folder, leases=folder, python=old_python())
    return local_device("old", agent, Route(runtime=TFLITE_RUNTIME))


def run_in_old_runtime(order: Mapping[str, object]) -> list[list[str] | str]:
    """What operators cut out of a model run as there (tests.support.one_op)."""
    return run_few((str(old_python()), "-m", "tests.support.old_one_op"), order)
