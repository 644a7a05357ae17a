"""Wall time of one campaign over five devices, over that of the slowest device alone.

The devices are simulated, with a clock that really passes: their time is waiting, as it is for a host whose devices
work, and not CPU. What is left over 1 is what devices cost one another: threads, and one store.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from devices.scenario import Scenario
from devices.simulated import SimulatedDevice
from devices.simulated_body import RealClock
from harness.campaign import run_campaign
from harness.core.launch import LaunchRecord
from harness.journal import Journal
from harness.plan import make_plan, schedule
from harness.store import Store
from tests.benchmarks.line import print_line
from tests.support.campaigns import CAMPAIGN, RECIPES, begin_simulated, loadables
from tests.support.plans import a_model, some_rules, some_wishes

# Milliseconds of an inference, by device; the first is the slowest.
_LATENCIES_MS = (40.0, 36.0, 32.0, 28.0, 24.0)
_LAUNCHES = 8


def a_device(number: int) -> SimulatedDevice:
    """Device number of the table, in real time."""
    latency = dict.fromkeys(RECIPES, _LATENCIES_MS[number] * 1e6)
    scenario = Scenario(name=f"device-{number}", seed=number, latency_ns=latency, unit_factors={"cpu": 1.0})
    return SimulatedDevice(scenario, RealClock())


def measure(devices: Sequence[SimulatedDevice], root: Path) -> tuple[float, int]:
    """Run a campaign over these devices; its wall time in seconds, and the launches that measured something."""
    wishes = some_wishes(*RECIPES, launches=_LAUNCHES)
    plan = make_plan(wishes, [a_model()], [device.facts for device in devices], some_rules())
    with Store.open(root / f"{len(devices)}.db") as store:
        begin_simulated(store, plan, devices[0])
        journal = Journal(store, store.load(CAMPAIGN))
        named = {device.facts.name: device for device in devices}
        started = time.monotonic()
        given_up = run_campaign(schedule(plan.cells, 0), loadables(root), named, journal, lambda _: None)
        wall_s = time.monotonic() - started
        launches = [launch.outcome for launch in store.load(CAMPAIGN).launches]
    assert given_up == ()
    return wall_s, sum(isinstance(launch, LaunchRecord) for launch in launches)


def main() -> None:
    devices = [a_device(number) for number in range(len(_LATENCIES_MS))]
    with tempfile.TemporaryDirectory() as root:
        alone_s, _ = measure(devices[:1], Path(root))
        together_s, launches = measure([a_device(number) for number in range(len(devices))], Path(root))
    detail = {
        "devices": len(devices),
        "launches": launches,
        "together_s": round(together_s, 2),
        "alone_s": round(alone_s, 2),
    }
    print_line("campaign_parallel", together_s / alone_s, "over the slowest device alone", detail)


if __name__ == "__main__":
    main()
