"""A small campaign on the simulated device, without building anything."""

from collections.abc import Callable
from pathlib import Path

from devices.scenario import Scenario
from devices.simulated import SimulatedDevice
from harness.campaign import run_campaign
from harness.core.campaign import Campaign
from harness.core.ports import Device
from harness.core.variant import Variant
from harness.countdown import Progress
from harness.journal import Journal
from harness.launching import Loadable
from harness.plan import Plan, make_plan, schedule
from harness.store import Store
from tests.support.plans import a_model, some_rules, some_wishes

CAMPAIGN = "c"
RECIPES = ("float32", "int8")


def a_scenario(**changes: object) -> Scenario:
    return Scenario(name="sim", latency_ns={"float32": 2e6, "int8": 1e6}, **changes)  # type: ignore[arg-type]


def a_simulated_plan(device: Device, launches: int = 3, cold_starts: int = 0) -> Plan:
    wishes = some_wishes(*RECIPES, launches=launches, cold_starts=cold_starts)
    return make_plan(wishes, [a_model()], [device.facts], some_rules())


def begin_simulated(store: Store, plan: Plan, *devices: Device) -> None:
    campaign = Campaign(
        id=CAMPAIGN, name="c", started_at=0.0, ended_at=None, config="", command="", seed=0, version="0"
    )
    store.begin_campaign(
        campaign,
        environment={},
        devices=[device.facts for device in devices],
        models=[a_model()],
        models_failed=[],
        exclusions=[],
        cells=plan.cells,
        skipped=plan.skipped,
    )


def loadables(folder: Path) -> dict[tuple[str, str], Loadable]:
    """Variants that the simulated device can be told apart: empty files under the recipe's name."""
    return {("m", recipe): Loadable(variant=_variant(recipe, folder), inputs=(), graph=None) for recipe in RECIPES}


def _variant(recipe: str, folder: Path) -> Variant:
    path = folder / f"{recipe}.tflite"
    path.write_bytes(recipe.encode())
    return a_built_variant(recipe, path, recipe)


def a_built_variant(recipe: str, path: Path, digest: str) -> Variant:
    """A variant of the model `m` whose file is there. Its sizes mean nothing."""
    return Variant(
        model="m",
        name=recipe,
        recipe=recipe,
        format="tflite",
        digest=digest,
        path=path,
        size_bytes=10,
        zip_bytes=10,
        weights_compressed=0,
        weights_total=0,
        parameters=0,
        tensors=(),
        inputs=(),
        outputs=(),
        build_s=0.0,
    )


def carry_on(
    store: Store, plan: Plan, device: Device, folder: Path, report: Callable[[Progress], None] = lambda _: None
) -> tuple[str, ...]:
    """What a run and a resume both do with a campaign that is in the store."""
    store.tear_open_blocks(CAMPAIGN)
    journal = Journal(store, store.load(CAMPAIGN))
    blocks = schedule(plan.runnable(), 0)
    return run_campaign(blocks, loadables(folder), {device.facts.name: device}, journal, report)


def simulated(**changes: object) -> SimulatedDevice:
    return SimulatedDevice(a_scenario(**changes))
