"""How a cell ended."""

from dataclasses import dataclass

from harness.core.compute_unit import ComputeUnit
from harness.core.device import Canary
from harness.core.launch import Api, Delegation, FailureKind, LaunchRecord, MemoryReading, OpTable


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLaunch:
    """A latency launch with its place: block pairs it with the source's launch of the same block.

    canary_before and canary_after bracket the block; None where none was taken. doubt is what waiting for the device
    did not bring about before it.
    """

    block: int
    position: int
    record: LaunchRecord
    canary_before: Canary | None
    canary_after: Canary | None
    doubt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Everything measured of a cell. launches are in block order and hold raw samples.

    observed is the unit that the runtime shows to have run. ops_unavailable says why ops is None.
    memory_unavailable why memory is None.
    lost counts latency launches of this cell that failed.
    api, fallback, delegation and adapter are as in LaunchRecord; delegation of the ops pass where that says more.
    cold are the launches of the cold pass in order, empty where there was none; cold_unavailable why some are missing.
    """

    launches: tuple[BlockLaunch, ...]
    ops: OpTable | None
    ops_unavailable: str | None
    memory: MemoryReading | None
    memory_unavailable: str | None = None
    observed: ComputeUnit | None
    backend: str | None
    runtime: str
    lost: int = 0
    api: Api | None = None
    fallback: str | None = None
    delegation: Delegation | None = None
    adapter: str | None = None
    cold: tuple[LaunchRecord, ...] = ()
    cold_unavailable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Numbers that stand."""

    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Not tried, by plan."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalid:
    """Measured, but not what was asked for."""

    measurement: Measurement
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Tried, and no measurement came of it."""

    error: str
    kind: FailureKind | None = None
    exit_code: int | None = None
    stderr_tail: str = ""


Outcome = Measured | Skipped | Invalid | Failed


def measurement_of(outcome: Outcome) -> Measurement | None:
    """The numbers of a cell, whether they stand or not."""
    return outcome.measurement if isinstance(outcome, Measured | Invalid) else None
