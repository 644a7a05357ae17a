"""What a device is and the state it is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.compute_unit import ComputeUnit
from harness.core.units import Bytes, Celsius, Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Something that was left out, with the reason: a unit this device does not have, a recipe that cannot work."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A device that was asked for. kind is `local` or `simulated`.

    python runs the agent, None for this Python; runtime is the one to measure with, None for the first that is found;
    dispatch is the folder of a vendor's NPU dispatch library.

    scenario is the simulated device's truth, as plain or YAML values that remember their place; source names its file.
    """

    name: str
    kind: str
    scenario: object = None
    source: str = ""
    python: Path | None = None
    runtime: str | None = None
    dispatch: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What a device says of itself. None is "it did not say", never a fact of the host.

    simulated: its times are made up by a scenario and must never be shown as measured.
    runtimes maps a runtime found on the device to its version; runtime is the one that it measures with. units are
    what it offers, exclusions what it lacks. adapters are its GPUs by name, software ones said to be so. machine:
    devices of one machine never measure at the same time.
    """

    name: str
    family: str
    simulated: bool
    os: str | None = None
    arch: str | None = None
    processor: str | None = None
    cores: int | None = None
    memory_bytes: Bytes | None = None
    runtimes: Mapping[str, str] = field(default_factory=dict)
    units: tuple[ComputeUnit, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    runtime: str | None = None
    machine: str | None = None
    adapters: tuple[str, ...] = ()

    @property
    def offered(self) -> tuple[str, ...]:
        """Its units as text; one that `units: auto` leaves out says so."""
        return tuple(f"{unit} (by name only)" if unit.by_name_only else str(unit) for unit in self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The state of a device at one moment.

    taken_at is seconds since the epoch by the device's clock. None and missing keys are unknown.
    temperatures by zone, clocks by core in MHz; power is `mains`, `battery` or None.
    load is the 1-minute load average; throttled is what the device itself reports.
    """

    taken_at: float
    temperatures: Mapping[str, Celsius] = field(default_factory=dict)
    clocks_mhz: Mapping[str, float] = field(default_factory=dict)
    governor: str | None = None
    load: float | None = None
    power: str | None = None
    memory_available_bytes: Bytes | None = None
    throttled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Time of a small fixed workload in the agent: the median of its repetitions."""

    median_ns: Nanoseconds
    samples_ns: tuple[Nanoseconds, ...]
