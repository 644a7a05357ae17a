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
class SshAddress:
    """How a board is reached. What is None is as OpenSSH's own configuration has it, and its defaults after that.

    host is a name, an address or an alias of ssh_config. jump is `[user@]host[:port]`, as of `ssh -J`. password_env
    names the environment variable that holds the password: a password itself stands in no configuration.
    """

    host: str
    port: int | None = None
    user: str | None = None
    key: Path | None = None
    jump: str | None = None
    password_env: str | None = None
    known_hosts: Path | None = None
    ssh_config: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdbAddress:
    """How an Android phone is reached. serial None: the only one attached. address: `host:port`, connected to first.

    adb is the program, None for the one that adbutils brings; server_port is that of its server, None for its default.
    """

    serial: str | None = None
    address: str | None = None
    adb: Path | None = None
    server_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTpuChoice:
    """Which Edge TPU is used, and how. None: the library's own choice.

    accelerator is `usb`, `pci`, or one of them with a number (`usb:0`), as libedgetpu's option `device` has it. library
    is its path or name on the device. compiler is the host's edgetpu_compiler.
    """

    accelerator: str | None = None
    library: str | None = None
    compiler: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneTools:
    """What a phone measures with: the host's folder of benchmark_model and its like, and an NPU's delegate.

    None: the bench's own cache (`doctor` says where). delegate is the library of an external delegate on the host, with
    the options that it is given; nnapi_accelerator is NNAPI's own name of the driver that `npu/nnapi` goes to.
    """

    folder: Path | None = None
    delegate: Path | None = None
    delegate_options: Mapping[str, str] = field(default_factory=dict)
    nnapi_accelerator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A device that was asked for. kind is a key of the table in devices/opening.py.

    python runs the agent, a path on the device, None for its own choice; runtime is the one to measure with, None for
    the first that is found; dispatch is the folder of a vendor's NPU dispatch library, on the device. ssh, adb, edgetpu
    and tools are None where the kind has no use for them. prepare: what makes measuring steadier is switched on there,
    and restored.

    scenario is the simulated device's truth, as plain or YAML values that remember their place; source names its file.
    """

    name: str
    kind: str
    scenario: object = None
    source: str = ""
    python: Path | None = None
    runtime: str | None = None
    dispatch: Path | None = None
    ssh: SshAddress | None = None
    adb: AdbAddress | None = None
    edgetpu: EdgeTpuChoice | None = None
    tools: PhoneTools | None = None
    prepare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cores of one kind. name is `little`, `middle` or `big` by their highest clock, `all` where there is one kind.

    part is the processor's own name of them (`Cortex-A76`, or the number that stands for it).
    """

    name: str
    cores: tuple[int, ...]
    max_mhz: float | None = None
    part: str | None = None


ABSENT = "unknown"  # the family of a device that did not say what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What a device says of itself. None is "it did not say", never a fact of the host.

    simulated: its times are made up by a scenario and must never be shown as measured.
    runtimes maps a runtime found on the device to its version; runtime is the one that it measures with. units are
    what it offers, exclusions what it lacks. adapters are its GPUs by name, software ones said to be so. machine:
    devices of one machine never measure at the same time. serial is its own, which tells it from another at the same
    address. details are further facts of its family by name, in words (`soc`, `build`, `USB speed`).
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
    serial: str | None = None
    clusters: tuple[Cluster, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_absent(self) -> bool:
        """Whether it did not answer at all."""
        return self.family == ABSENT

    @property
    def offered(self) -> tuple[str, ...]:
        """Its units as text; one that `units: auto` leaves out says so."""
        return tuple(f"{unit} (by name only)" if unit.by_name_only else str(unit) for unit in self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The state of a device at one moment.

    taken_at is seconds since the epoch by the device's clock. None and missing keys are unknown.
    temperatures by zone, clocks by core in MHz; power is `mains`, `battery` or None.
    load is the 1-minute load average; throttled is what the device itself reports. clock_caps_mhz is the highest clock
    that is permitted now, by core. battery_percent is its charge. thermal_status is Android's, from 0 (none) to 6
    (shutdown). neighbours is how many cores other programs kept busy of late. prepared is what the bench has switched
    on or pinned, by name, as the device reads back.
    """

    taken_at: float
    temperatures: Mapping[str, Celsius] = field(default_factory=dict)
    clocks_mhz: Mapping[str, float] = field(default_factory=dict)
    governor: str | None = None
    load: float | None = None
    power: str | None = None
    memory_available_bytes: Bytes | None = None
    throttled: bool | None = None
    clock_caps_mhz: Mapping[str, float] = field(default_factory=dict)
    battery_percent: float | None = None
    thermal_status: int | None = None
    neighbours: float | None = None
    prepared: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Time of a small fixed workload in the agent: the median of its repetitions."""

    median_ns: Nanoseconds
    samples_ns: tuple[Nanoseconds, ...]
