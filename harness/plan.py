"""From what was asked to what will be done: cells, what is left out, and the order of launches.

Pure: takes the models that were read and the facts of the devices, touches nothing.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts, Exclusion
from harness.core.errors import ConfigError
from harness.core.launch import MeasureSettings, Pass, WeightCache
from harness.core.model import Model
from harness.core.units import Seconds
from harness.core.variant import VariantSpec

CellKey = tuple[str, str]

# Process start, runtime load and the lines back: measured 0.1 to 0.2 s on a laptop-class core.
_LAUNCH_OVERHEAD_S = 0.15
# What a phone-class core does of multiply-accumulates; only for the estimate before the first launch.
_MACS_PER_SECOND = {"builtin": 2e9}
_MACS_PER_SECOND_DEFAULT = 3e10
# The exact signed-rank interval of 99 % needs 8 pairs (harness/statistics/signed_rank.py).
LAUNCHES_FOR_A_VERDICT = 8
_COLD_INFERENCES = 6  # at most: the first, and five warm ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is known of recipes before anything is built; each answers in one sentence, or None.

    refusal: why a recipe cannot work on a model. unable: why a device can run nothing of a model's format. lacking: why
    a device's runtime cannot run what a recipe makes. warning: what a user should know who asks for it on a unit.
    """

    refusal: Callable[[VariantSpec, Model], str | None]
    unable: Callable[[Model, DeviceFacts], str | None]
    lacking: Callable[[VariantSpec, Model, DeviceFacts], str | None]
    warning: Callable[[VariantSpec, Model, ComputeUnit], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a campaign will do.

    cells are all cells of the matrix; skipped maps the id of a cell that will not be tried to the reason.
    specs are the variants to build, each once. exclusions say what never became a cell. warnings maps the id of
    a cell to what to expect of it.
    """

    specs: tuple[VariantSpec, ...]
    cells: tuple[Cell, ...]
    skipped: Mapping[str, str]
    exclusions: tuple[Exclusion, ...]
    warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def surprises(self) -> tuple[Exclusion, ...]:
        """What to expect of each variant, once for all its units and devices."""
        said = ((f"{c.model} {c.variant}", self.warnings[c.id]) for c in self.cells if c.id in self.warnings)
        found = tuple(Exclusion(what=what, reason=reason) for what, reason in dict.fromkeys(said))
        few = min((cell.settings.launches for cell in self.runnable()), default=LAUNCHES_FOR_A_VERDICT)
        return (_too_few(few), *found) if few < LAUNCHES_FOR_A_VERDICT else found

    def runnable(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.id not in self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Launches that belong together: one for each place of cells, in this order. A torn block is rerun whole.

    A cold block has one cell at every place. group pairs blocks of one device, model and unit; index counts blocks
    within the group and pass.
    """

    device: str
    group: str
    pass_: Pass
    index: int
    cells: tuple[Cell, ...]

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.device, self.group, self.pass_.value, self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the configuration asks for, model by model. units None: all that the device offers, but for those that have
    to be asked for by name.
    """

    specs: Mapping[str, tuple[VariantSpec, ...]]
    units: tuple[ComputeUnit, ...] | None
    settings: MeasureSettings


def make_plan(wishes: Wishes, models: Sequence[Model], devices: Sequence[DeviceFacts], rules: Rules) -> Plan:
    """Cross models, variants, devices and units; say what cannot work before anything is built."""
    cells: list[Cell] = []
    warnings: dict[str, str] = {}
    skipped: dict[str, str] = {}
    specs: list[VariantSpec] = []
    for model in models:
        wanted = with_source(model, wishes.specs.get(model.name, ()))
        refused = {spec.name: rules.refusal(spec, model) for spec in wanted if spec.prebuilt is None}
        specs.extend(spec for spec in wanted if not refused.get(spec.name))
        for device in devices:
            unable = rules.unable(model, device)
            units = wishes.units or _chosen_units(device)
            for unit in units[:1] if unable else units:  # one row says that nothing of it runs there
                missing = unable or why_missing(unit, device)
                for spec in wanted:
                    cell = _cell(model, spec, device, unit, wishes.settings)
                    cells.append(cell)
                    if reason := refused.get(spec.name) or missing or rules.lacking(spec, model, device):
                        skipped[cell.id] = reason
                    elif warning := _crowded(unit, device) or rules.warning(spec, model, unit):
                        warnings[cell.id] = warning
    excluded = tuple(
        Exclusion(what=f"{device.name}: {exclusion.what}", reason=exclusion.reason)
        for device in devices
        for exclusion in device.exclusions
    )
    return Plan(
        specs=tuple(specs),
        cells=tuple(cells),
        skipped=skipped,
        exclusions=excluded,
        warnings=warnings,
    )


def _crowded(unit: ComputeUnit, device: DeviceFacts) -> str | None:
    cores = next((len(each.cores) for each in device.clusters if each.name == unit.cluster), device.cores)
    if unit.threads is None or cores is None or unit.threads <= cores:
        return None
    there = f"{cores} cores" if unit.cluster is None else f"{cores} {unit.cluster} cores"
    return f"{unit} on {device.name}, which has {there}: threads wait for one another"


def _too_few(launches: int) -> Exclusion:
    reason = f"below {LAUNCHES_FOR_A_VERDICT} nothing can be called slower or faster"
    return Exclusion(what=f"measure.launches is {launches}", reason=reason)


def with_source(model: Model, specs: Sequence[VariantSpec]) -> tuple[VariantSpec, ...]:
    """The model at its own precision first: every number stands as a ratio to it.

    It goes by its precision, whatever name a list that is common to several models gives it. Raises ConfigError where
    another variant has taken that name.
    """
    source = VariantSpec(model=model.name, name=model.precision, recipe=model.precision)
    rest = tuple(spec for spec in specs if not is_source(spec, model))
    if any(spec.name == source.name for spec in rest):
        reason = f"a variant is called {source.name}, as the model itself is; give it another name"
        raise ConfigError(f"model {model.name}: {reason}")
    return (source, *rest)


def is_source(spec: VariantSpec, model: Model) -> bool:
    """Whether a spec is the model at its own precision and target, with no operator set to anything else."""
    as_it_is = spec.recipe == model.precision and spec.target in (None, model.target)
    return spec.prebuilt is None and as_it_is and not spec.settings


def _chosen_units(device: DeviceFacts) -> tuple[ComputeUnit, ...]:
    """What `units: auto` measures."""
    return tuple(unit for unit in device.units if not unit.by_name_only)


def why_missing(unit: ComputeUnit, device: DeviceFacts) -> str | None:
    """Why a device cannot run a unit, None if it can. Any number of threads can run, more than it has cores too."""
    if any(unit.is_offered_by(offered) for offered in device.units):
        return None
    for exclusion in device.exclusions:
        if exclusion.what == unit.kind:
            return exclusion.reason
    offers = ", ".join(str(offered) for offered in device.units) or "nothing"
    return f"{device.name} has no unit {unit}; it offers {offers}"


def select(plan: Plan, pattern: str) -> Plan:
    """Keep the cells whose `model/variant/device/unit` matches a glob, and the sources that they are compared to."""
    from fnmatch import fnmatchcase

    def place(cell: Cell) -> tuple[str, str, str]:
        return cell.model, cell.device, str(cell.unit)

    def matches(cell: Cell) -> bool:
        path = f"{cell.model}/{cell.variant}/{cell.device}/{cell.unit}"
        return fnmatchcase(path, pattern) or ("/" not in pattern and pattern in path)

    chosen = {cell for cell in plan.cells if matches(cell)}
    places = {place(cell) for cell in chosen}
    kept = tuple(c for c in plan.cells if c in chosen or (c.is_source and place(c) in places))
    names = {(cell.model, cell.variant) for cell in kept}
    return Plan(
        specs=tuple(spec for spec in plan.specs if (spec.model, spec.name) in names),
        cells=kept,
        skipped={cell.id: plan.skipped[cell.id] for cell in kept if cell.id in plan.skipped},
        exclusions=plan.exclusions,
        warnings={cell.id: plan.warnings[cell.id] for cell in kept if cell.id in plan.warnings},
    )


def schedule(cells: Sequence[Cell], seed: int) -> tuple[Block, ...]:
    """The order of launches: latency blocks of each group, then its per-op, memory and cold launches.

    Latency block 2k is a seeded permutation of the group's cells, block 2k+1 its mirror image (ABBA), so that a
    linear drift within two blocks falls on every cell alike.
    """
    blocks: list[Block] = []
    for (device, group), members in _groups(cells).items():
        blocks.extend(_latency_blocks(device, group, members, seed))
        for pass_ in (Pass.OPS, Pass.MEMORY):
            blocks.extend(Block(device=device, group=c.id, pass_=pass_, index=0, cells=(c,)) for c in members)
        blocks.extend(_cold_block(cell) for cell in members if cell.settings.cold_starts)
    return tuple(blocks)


def weight_cache(block: Block, place: int) -> WeightCache:
    """What the launch at a place of a block does with the weight cache: fill it, then off, use, use, off (ABBA)."""
    if block.pass_ is not Pass.COLD or not has_weight_cache(block.cells[place].unit):
        return WeightCache.OFF
    if place == 0:
        return WeightCache.FILL
    return WeightCache.OFF if place % 4 in (0, 1) else WeightCache.USE


def has_weight_cache(unit: ComputeUnit) -> bool:
    """XNNPACK packs weights, nothing else does."""
    return unit.kind == "cpu" and unit.backend in (None, "xnnpack")


def _cold_block(cell: Cell) -> Block:
    """One launch that writes the weight cache, then as many that read it as do without; without a cache these alone."""
    starts = cell.settings.cold_starts
    places = 2 * starts + 1 if starts and has_weight_cache(cell.unit) else starts
    return Block(device=cell.device, group=cell.id, pass_=Pass.COLD, index=0, cells=(cell,) * places)


def estimate(cells: Sequence[Cell], macs: Mapping[str, int | None]) -> Seconds:
    """A guess of the measuring time in seconds, before anything has run. macs by model name, per inference."""
    return sum(_cell_s(cell, macs.get(cell.model)) for cell in cells)


def launch_estimate(cell: Cell) -> Seconds:
    """A guess of one launch's time where nothing is known of the model."""
    return _launch_s(cell, None)


def _cell_s(cell: Cell, macs: int | None) -> Seconds:
    """Latency, per-op and memory launches, and cold ones, which have hardly an inference."""
    cold = len(_cold_block(cell).cells) * (_LAUNCH_OVERHEAD_S + _COLD_INFERENCES * _inference_s(cell, macs))
    return _launch_s(cell, macs) * (cell.settings.launches + 2) + cold


def _inference_s(cell: Cell, macs: int | None) -> Seconds:
    return (macs or 0) / _MACS_PER_SECOND.get(cell.unit.backend or "", _MACS_PER_SECOND_DEFAULT)


def _launch_s(cell: Cell, macs: int | None) -> Seconds:
    inference_s, settings = _inference_s(cell, macs), cell.settings
    warmup_s = min(settings.warmup_max_s, max(settings.warmup_s, settings.warmup_inferences * inference_s))
    return _LAUNCH_OVERHEAD_S + warmup_s + min(settings.max_launch_s, settings.inferences * inference_s)


def _cell(model: Model, spec: VariantSpec, device: DeviceFacts, unit: ComputeUnit, settings: MeasureSettings) -> Cell:
    return Cell(
        model=model.name,
        model_digest=model.digest,
        format=model.format,
        variant=spec.name,
        recipe=spec.recipe,
        device=device.name,
        family=device.family,
        unit=unit,
        settings=settings,
        is_source=is_source(spec, model),
        prebuilt=spec.prebuilt_digest,
        op_settings=spec.settings,
        signature=model.signature if model.signature != next(iter(model.signatures), None) else None,
        target=spec.target,
    )


def _groups(cells: Sequence[Cell]) -> dict[tuple[str, str], list[Cell]]:
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.device, f"{cell.model} on {cell.unit}"), []).append(cell)
    return groups


def _latency_blocks(device: str, group: str, cells: Sequence[Cell], seed: int) -> list[Block]:
    shuffler = random.Random(f"{seed}/{device}/{group}".encode("utf-8", "surrogateescape"))
    blocks = []
    order: list[Cell] = []
    for index in range(max(cell.settings.launches for cell in cells)):
        order = list(reversed(order)) if index % 2 else shuffler.sample(list(cells), len(cells))
        blocks.append(Block(device=device, group=group, pass_=Pass.LATENCY, index=index, cells=tuple(order)))
    return blocks
