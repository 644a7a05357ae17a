"""What a campaign has already done, so that a resume does the rest and nothing twice."""

import threading
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.deadline import Clock
from harness.core.device import Canary, DeviceFacts
from harness.core.launch import Api, LaunchOutcome, LaunchRecord, Pass
from harness.core.trouble import Trouble, TroubleKind, identity_of
from harness.core.units import Nanoseconds, Seconds
from harness.plan import Block
from harness.store.records import BlockRecord, BlockState, StoredCampaign, StoredLaunch

if TYPE_CHECKING:
    from harness.store import Store

# Two in a row: the cell does not recover, and each further launch would cost its whole deadline.
_FAILURES_IN_A_ROW = 2


def is_hopeless(outcomes: Sequence[LaunchOutcome]) -> bool:
    """Whether a cell is given up: its very first launch failed, or its last two did.

    outcomes are the cell's launches of all passes, in order.
    """
    failed = [not isinstance(outcome, LaunchRecord) for outcome in outcomes]
    return failed[:1] == [True] or failed[-_FAILURES_IN_A_ROW:] == [True] * _FAILURES_IN_A_ROW


class Journal:
    """Writes each step of one campaign to the store as it happens, and answers what is left.

    Safe to use from one thread per device. Errors: StoreError as the store raises it.
    """

    def __init__(self, store: "Store", stored: StoredCampaign, now: Clock = time.time) -> None:
        self._store = store
        self._now = now
        self._campaign = stored.campaign.id
        self._lock = threading.Lock()
        complete = {block.id: block for block in stored.blocks if block.state is BlockState.COMPLETE}
        self._done = {(b.device, b.group, b.pass_.value, b.index) for b in complete.values()}
        self._outcomes: dict[str, list[LaunchOutcome]] = {}
        self._open: dict[str, list[tuple[str, LaunchOutcome]]] = {}
        self._canaries: dict[str, list[Nanoseconds]] = {}
        for block in complete.values():
            taken = [c.median_ns for c in (block.canary_before, block.canary_after) if c is not None]
            self._canaries.setdefault(block.device, []).extend(taken)
        for launch in stored.launches:
            if launch.block in complete:
                self._outcomes.setdefault(launch.cell, []).append(launch.outcome)

    def is_done(self, block: Block) -> bool:
        return block.key in self._done

    def outcomes(self, cell: str) -> tuple[LaunchOutcome, ...]:
        """The launches of a cell so far, in order, without those of torn blocks."""
        return tuple(self._outcomes.get(cell, ()))

    def canaries(self, device: str) -> tuple[Nanoseconds, ...]:
        """Those of a device that the campaign had when it was taken up."""
        return tuple(self._canaries.get(device, ()))

    def begin(self, block: Block, canary: Canary | None, *, waited_s: Seconds = 0.0, doubt: str | None = None) -> str:
        """Note that a block starts; the answer is its id. Until `end`, a crash tears it."""
        identity = uuid.uuid4().hex
        record = BlockRecord(
            id=identity,
            campaign=self._campaign,
            device=block.device,
            group=block.group,
            pass_=block.pass_,
            index=block.index,
            canary_before=canary,
            canary_after=None,
            state=BlockState.BEGUN,
            waited_s=waited_s,
            doubt=doubt,
        )
        with self._lock:
            self._store.begin_block(record)
        return identity

    def save(self, block: str, cell: str, position: int, outcome: LaunchOutcome) -> None:
        """Save a launch as it ends. It counts once its block has ended."""
        with self._lock:
            self._store.save_launch(StoredLaunch(block=block, cell=cell, position=position, outcome=outcome))
            self._open.setdefault(block, []).append((cell, outcome))

    def tear(self, block: str, why: str) -> None:
        """Give up a block whose launches came to nothing: they stay, and never count."""
        with self._lock:
            self._store.tear_block(block, why)
            self._open.pop(block, None)

    def trouble(self, facts: DeviceFacts, kind: TroubleKind, words: str) -> None:
        """Note what went wrong with a device itself."""
        trouble = Trouble(
            device=identity_of(facts),
            name=facts.name,
            at=self._now(),
            kind=kind,
            words=words,
            campaign=self._campaign,
        )
        with self._lock:
            self._store.save_trouble(trouble)

    def end(self, block: Block, identity: str, canary: Canary | None) -> None:
        with self._lock:
            self._store.end_block(identity, canary)
            self._done.add(block.key)
            for cell, outcome in self._open.pop(identity, []):
                self._outcomes.setdefault(cell, []).append(outcome)


def has_latency(outcomes: Sequence[LaunchOutcome]) -> bool:
    """Whether a cell has at least one latency launch that measured something."""
    return any(isinstance(o, LaunchRecord) and o.pass_ is Pass.LATENCY for o in outcomes)


def first_face(outcomes: Sequence[LaunchOutcome]) -> tuple[Api | None, str | None]:
    """Through which face of the runtime a cell was measured first, and why not through another; None: not known."""
    first = next((outcome for outcome in outcomes if isinstance(outcome, LaunchRecord)), None)
    return (None, None) if first is None else (first.api, first.fallback)
