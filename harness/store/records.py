"""What the store keeps besides the core nouns: blocks, launches in their place, a whole campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.core.campaign import Campaign, ModelFailed
from harness.core.cell import Cell
from harness.core.device import Canary, DeviceFacts, Exclusion
from harness.core.launch import LaunchOutcome, Pass
from harness.core.model import Model
from harness.core.trouble import Trouble
from harness.core.units import Seconds
from harness.core.variant import BuildOutcome


class BlockState(StrEnum):
    """begun: launches are being saved. complete: it counts. torn: it was interrupted, and never counts."""

    BEGUN = "begun"
    COMPLETE = "complete"
    TORN = "torn"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRecord:
    """A run of launches that belong together: one launch of each cell of `group`, between two canaries.

    id is unique for the store's lifetime; a block that is run again has a new one. index counts the blocks of one
    (device, group, pass). A canary is None where none was taken.
    """

    id: str
    campaign: str
    device: str
    group: str
    pass_: Pass
    index: int
    canary_before: Canary | None = None
    canary_after: Canary | None = None
    state: BlockState = BlockState.BEGUN
    waited_s: Seconds = 0.0
    doubt: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLaunch:
    """What a launch of `cell` (a Cell's id) gave, at its position in the block."""

    block: str
    cell: str
    position: int
    outcome: LaunchOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCampaign:
    """A campaign as read back.

    skipped maps the id of a cell that was not tried to the reason; those cells are in `cells` too.
    blocks holds all of them, torn ones included, in the order they were begun; launches only those of complete
    blocks, in block order, then by position. troubles are those of its devices in it, in order.
    """

    campaign: Campaign
    environment: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[DeviceFacts, ...] = ()
    models: tuple[Model, ...] = ()
    models_failed: tuple[ModelFailed, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    cells: tuple[Cell, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    builds: tuple[BuildOutcome, ...] = ()
    blocks: tuple[BlockRecord, ...] = ()
    launches: tuple[StoredLaunch, ...] = ()
    troubles: tuple[Trouble, ...] = ()
