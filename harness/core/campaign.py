"""One run of a plan, and everything that came of it: what views are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.cell import Cell
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts, Exclusion
from harness.core.judgement import Bands, ColdStart, Comparison, Grade, LatencySummary, LaunchSummary, LoadSummary
from harness.core.limits import Limits
from harness.core.model import Model
from harness.core.outcome import Outcome
from harness.core.variant import BuildFailed, Variant, VariantSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One run of a plan. started_at and ended_at are seconds since the epoch; ended_at None: not finished.

    config is the text of the configuration as it was read; command repeats the run. config_path is where that
    stood, None where it was not a file. bands decide its verdicts, limits by a device's name what it had to keep to.
    specs are the variants to build. dry_run: on simulated devices in place of those of the configuration.
    """

    id: str
    name: str
    started_at: float
    ended_at: float | None
    config: str
    command: str
    seed: int
    version: str
    bands: Bands = field(default_factory=Bands)
    config_path: str | None = None
    specs: tuple[VariantSpec, ...] = ()
    dry_run: bool = False
    limits: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFailed:
    """A model that could not be read, with the error's own words."""

    name: str
    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A cell with what came of it. Summaries are computed on reading, from the raw samples in outcome.

    variant None: it was never built. comparison None: this is the source, or one of the two has no latency.
    size_ratio is size over the source's. launches are in block order, empty where nothing was measured.
    explanation says in a few sentences why it is as fast as it is, from what was seen. compared_on is the unit whose
    source it is compared to, where that is not its own: an Edge TPU cannot run the source.
    """

    cell: Cell
    outcome: Outcome
    variant: Variant | None
    latency: LatencySummary | None
    load: LoadSummary | None
    grade: Grade | None
    comparison: Comparison | None
    size_ratio: float | None
    launches: tuple[LaunchSummary, ...] = ()
    cold: ColdStart | None = None
    explanation: tuple[str, ...] = ()
    compared_on: ComputeUnit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignResult:
    """All that a view may show of one campaign.

    environment: facts of the host (weighbridge, python, packages). exclusions: what the plan left out.
    """

    campaign: Campaign
    environment: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[DeviceFacts, ...] = ()
    models: tuple[Model, ...] = ()
    models_failed: tuple[ModelFailed, ...] = ()
    builds_failed: tuple[BuildFailed, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    cells: tuple[CellResult, ...] = ()
