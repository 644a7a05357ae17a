"""A campaign over devices of several families, as the store would give it back; the times are invented.

This machine, a board over SSH with clusters, an Edge TPU board, a phone whose tool keeps no samples, a phone that did
not answer and one that was given up in the middle.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.campaign import CampaignResult
from harness.core.cell import Cell
from harness.core.compute_unit import KINDS, ComputeUnit
from harness.core.device import Canary, Cluster, Conditions, DeviceFacts, Exclusion
from harness.core.launch import Delegation, FailureKind, LaunchFailure, LaunchOutcome, LaunchRecord, OpTable, Pass
from harness.results import assemble
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch
from tests.support.measurements import EPOCH, MS, a_cell, a_launch, some_ops
from tests.support.results import a_campaign
from tests.support.told import told
from tests.support.variants import TRAITS, a_model, a_variant

RECIPES = ("float32", "float16", "int8", "dynamic-int8", "sparse-75+int8")
NO_FLOAT = "this unit runs int8 alone: compile an int8 variant"
GONE = "oldphone (R58M1): adb lost the device in a launch and it did not come back in 60 s; plug it in and run --resume"
ABSENT = "galaxy: no such serial among the devices of adb; `run_bench.py devices` lists what is attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A unit of a device: how slow it is, which recipes it can run, and whether its tool keeps samples."""

    device: str
    family: str
    unit: str
    base_ns: float
    recipes: tuple[str, ...] = RECIPES
    told: bool = False
    launches: int = 10
    fails_after: int | None = None
    ratios: Mapping[str, float] | None = None


PLACES = (
    Place(device="local", family="linux", unit="cpu", base_ns=4 * MS),
    Place(device="local", family="linux", unit="cpu:4", base_ns=1.6 * MS),
    Place(device="rock5", family="linux", unit="cpu@big:4", base_ns=5.5 * MS),
    Place(device="rock5", family="linux", unit="cpu@little:4", base_ns=19 * MS),
    Place(device="coral", family="edgetpu", unit="cpu", base_ns=61 * MS),
    Place(device="coral", family="edgetpu", unit="edgetpu", base_ns=7 * MS, recipes=("int8", "sparse-75+int8")),
    Place(device="pixel8", family="android", unit="cpu@big:4", base_ns=3.1 * MS, told=True),
    Place(device="pixel8", family="android", unit="gpu", base_ns=0.083 * MS, told=True, ratios={"int8": 1.0}),
    Place(device="pixel8", family="android", unit="npu/nnapi", base_ns=1.2 * MS, told=True),
    Place(device="oldphone", family="android", unit="cpu:4", base_ns=12 * MS, told=True, fails_after=3),
)


def a_fleet_result(
    places: Sequence[Place] = PLACES, *, models: Sequence[str] = ("mobilenet_v2", "digits"), hostile: str = ""
) -> CampaignResult:
    """The whole campaign; hostile stands wherever a device's own words do."""
    return assemble(a_stored_fleet(places, models=models, hostile=hostile))


def a_stored_fleet(
    places: Sequence[Place] = PLACES, *, models: Sequence[str] = ("mobilenet_v2", "digits"), hostile: str = ""
) -> StoredCampaign:
    cells: list[Cell] = []
    blocks: list[BlockRecord] = []
    launches: list[StoredLaunch] = []
    for m, model in enumerate(models):
        for place in places:
            mine = [
                a_cell(recipe, model=model, device=place.device, family=place.family, unit=place.unit)
                for recipe in RECIPES
            ]
            cells += mine
            for block, taken in _blocks(place, mine, 0.2 if m else 1.0, hostile):
                blocks.append(block)
                launches += taken
    campaign = a_campaign(name="fleet")
    return StoredCampaign(
        campaign=replace(campaign, command="python run_bench.py run fleet.yaml"),
        environment={"weighbridge": "0.5.0", "python": "3.11.9"},
        devices=some_devices(hostile),
        models=tuple(a_model(name) for name in models),
        exclusions=tuple(Exclusion(what=f"galaxy: {kind}", reason=ABSENT) for kind in ("cpu",)),
        cells=tuple(cells),
        skipped={
            cell.id: NO_FLOAT
            for cell in cells
            for place in places
            if (cell.device, str(cell.unit)) == (place.device, place.unit) and cell.recipe not in place.recipes
        },
        builds=tuple(a_variant(recipe, model=model) for model in models for recipe in RECIPES),
        blocks=tuple(blocks),
        launches=tuple(launches),
    )


def _blocks(
    place: Place, cells: Sequence[Cell], scale: float, hostile: str
) -> Iterator[tuple[BlockRecord, list[StoredLaunch]]]:
    """Latency blocks with one launch of each cell, then one of operators where samples are kept."""
    group = f"{place.device} {place.unit} {cells[0].model}"
    canary = Canary(median_ns=2 * MS, samples_ns=(2 * MS,))
    running = [cell for cell in cells if cell.recipe in place.recipes]
    rng = random.Random(group)
    for index in range(place.launches):
        block = BlockRecord(
            id=f"{group} {index}",
            campaign="c",
            device=place.device,
            group=group,
            pass_=Pass.LATENCY,
            index=index,
            canary_before=canary if place.fails_after is None else None,
            canary_after=replace(canary, median_ns=2.01 * MS) if place.fails_after is None else None,
            state=BlockState.COMPLETE,
        )
        heat = rng.lognormvariate(0, 0.006)
        taken = [
            StoredLaunch(
                block=block.id,
                cell=cell.id,
                position=at,
                outcome=_outcome(place, cell, index, scale * heat, hostile, rng),
            )
            for at, cell in enumerate(running)
        ]
        yield block, taken
    if not place.told:
        for at, cell in enumerate(running):
            ops = replace(block, id=f"{group} ops {at}", pass_=Pass.OPS, index=0)
            yield ops, [StoredLaunch(block=ops.id, cell=cell.id, position=0, outcome=_ops(place, cell, scale))]


def _outcome(place: Place, cell: Cell, index: int, scale: float, hostile: str, rng: random.Random) -> LaunchOutcome:
    attempt = f"{cell.id} {index}"
    if place.fails_after is not None and (index >= place.fails_after or cell.recipe not in RECIPES[:2]):
        return LaunchFailure(attempt=attempt, pass_=Pass.LATENCY, kind=FailureKind.LOST, message=GONE)
    record = _launch(place, cell, scale * rng.lognormvariate(0, 0.004), attempt, index)
    record = replace(record, before=_state(place, index, hostile), after=_state(place, index + 1, hostile))
    return told(record) if place.told else record


def _launch(place: Place, cell: Cell, scale: float, attempt: str, index: int) -> LaunchRecord:
    ratio = (place.ratios or {}).get(cell.recipe) or TRAITS[cell.recipe][0]
    observed = ComputeUnit(kind=cell.unit.kind)
    record = a_launch(
        attempt=attempt,
        median_ns=place.base_ns * scale * ratio,
        started_at=EPOCH + 20 * index,
        unit=observed,
        seed=index,
    )
    backend = {"edgetpu": "edgetpu", "gpu": "gpu", "npu": "nnapi"}.get(cell.unit.kind, "xnnpack")
    extent = Delegation(delegate=backend, full=cell.unit.kind != "npu", taken=None, total=None)
    return replace(record, backend=backend, delegation=extent)


def _ops(place: Place, cell: Cell, scale: float) -> LaunchRecord:
    table: OpTable = some_ops(66, total_ns=0.95 * place.base_ns * scale, placed_on=f"{cell.unit.kind}/xnnpack")
    return replace(
        _launch(place, cell, scale, f"{cell.id} ops", 0), pass_=Pass.OPS, samples_ns=(), cpu_ns=(), ops=table
    )


def _state(place: Place, index: int, hostile: str) -> Conditions:
    moment = Conditions(taken_at=EPOCH + 20 * index, load=0.3, temperatures={f"soc{hostile}": 41.0 + index})
    if place.family == "android":
        return replace(
            moment,
            power="battery",
            battery_percent=82.0 - index,
            thermal_status=min(index // 5, 1),
            clock_caps_mhz={"cpu0": 1800.0, "cpu4": 2850.0},
            clocks_mhz={"cpu0": 1800.0, "cpu4": 2400.0},
            prepared={
                f"fixed performance mode{hostile}": f"on{hostile}",
                "stay awake": "on",
                "governor": "refused: no root",
            },
        )
    if place.device == "rock5":
        return replace(
            moment,
            governor=f"performance{hostile}",
            clocks_mhz={"cpu0": 1800.0, "cpu4": 2256.0},
            clock_caps_mhz={"cpu0": 1800.0, "cpu4": 2256.0},
            neighbours=0.05,
            power="mains",
            throttled=False,
            prepared={"governor": "performance", "affinity": "4-7"},
        )
    return replace(moment, governor="schedutil", clocks_mhz={"cpu0": 2900.0}, neighbours=0.4)


def some_devices(hostile: str = "") -> tuple[DeviceFacts, ...]:
    big = Cluster(name="big", cores=(4, 5, 6, 7), max_mhz=2256.0, part=f"Cortex-A76{hostile}")
    little = Cluster(name="little", cores=(0, 1, 2, 3), max_mhz=1800.0, part="Cortex-A55")
    middle = Cluster(name="middle", cores=(4, 5, 6, 7), max_mhz=2367.0, part="Cortex-A715")
    prime = Cluster(name="big", cores=(8,), max_mhz=2914.0, part="Cortex-X3")
    return (
        _device("local", "linux", "Example Processor 9", ("cpu", "cpu:4"), arch="x86_64", cores=4),
        _device(
            "rock5",
            "linux",
            f"Rockchip RK3588{hostile}",
            ("cpu", "cpu@big:4", "cpu@little:4"),
            serial="3f2a9c",
            clusters=(little, big),
            details={"soc": f"RK3588{hostile}", "kernel": "6.1.43"},
            cores=8,
        ),
        _device(
            "coral",
            "edgetpu",
            "NXP i.MX8M",
            ("cpu", "edgetpu"),
            serial="1b0f7d9a",
            details={"Edge TPU": "PCIe, libedgetpu 16.0, max clock"},
            cores=4,
        ),
        _device(
            "pixel8",
            "android",
            "Tensor G3",
            ("cpu@big:4", "gpu", "npu/nnapi"),
            serial=f"37021FDJH{hostile}",
            clusters=(little, middle, prime),
            details={f"build{hostile}": f"UQ1A.240105.004{hostile}", "soc": "Tensor G3"},
            cores=9,
            adapters=("Mali-G715",),
        ),
        DeviceFacts(
            name="galaxy",
            family="unknown",
            simulated=False,
            exclusions=tuple(Exclusion(what=kind, reason=ABSENT) for kind in KINDS),
        ),
        _device("oldphone", "android", "Snapdragon 660", ("cpu:4",), serial="R58M1", cores=8),
    )


def _device(name: str, family: str, processor: str, units: Sequence[str], **facts: object) -> DeviceFacts:
    made = DeviceFacts(
        name=name,
        family=family,
        simulated=False,
        os="Android 14" if family == "android" else "Debian GNU/Linux 12",
        arch="aarch64",
        processor=processor,
        memory_bytes=8_000_000_000,
        runtimes={"benchmark_model": "2.16.1"} if family == "android" else {"ai-edge-litert": "2.3.0"},
        units=tuple(map(ComputeUnit.parse, units)),
        exclusions=(Exclusion(what="npu", reason="no dispatch library was found"),),
    )
    return replace(made, **facts)  # type: ignore[arg-type]
