"""What a simulated device does: the known truth behind its made-up times."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.compute_unit import ComputeUnit
from harness.core.errors import ConfigError
from harness.core.launch import FailureKind, Pass
from harness.core.units import Bytes, Celsius, Nanoseconds, Seconds

_STRICT = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a launch ends instead of measuring.

    It strikes the device's launch number `at_launch` (from 0, of all launches since the device was made), or any
    launch with `probability`; variant (start of the digest or name of the file), unit and pass narrow it down.
    calls: a device that is lost answers again after so many more calls, not only once it is entered again.
    """

    __pydantic_config__ = _STRICT

    kind: FailureKind
    at_launch: int | None = None
    probability: float = 0.0
    variant: str | None = None
    unit: str | None = None
    during: Pass | None = None
    calls: int | None = None

    def __post_init__(self) -> None:
        if (self.at_launch is None or self.at_launch < 0) and not 0 < self.probability <= 1:
            raise ValueError("a fault strikes at_launch (0 or more) or with a probability in (0, 1]; give one of them")
        _check_units(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Temperature of a body that takes up heat while it works: first order, with one time constant.

    It nears ambient + rise while working and ambient while idle, from start on (None: from ambient). throttle maps a
    temperature to the factor by which everything takes longer from there on, status to the thermal status that it
    reports (from 0), caps to the share of max_mhz that is permitted. zone is what it calls the temperature.
    """

    __pydantic_config__ = _STRICT

    ambient: Celsius = 30.0
    rise: Celsius = 15.0
    time_constant_s: Seconds = 120.0
    throttle: Mapping[Celsius, float] = field(default_factory=dict)
    start: Celsius | None = None
    zone: str = "simulated"
    status: Mapping[Celsius, int] = field(default_factory=dict)
    caps: Mapping[Celsius, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.time_constant_s <= 0 or any(factor < 1 for factor in self.throttle.values()):
            raise ValueError("time_constant_s is above 0, and a throttle factor 1 or more")
        if not all(0 < share <= 1 for share in self.caps.values()):
            raise ValueError("a cap is a share of max_mhz, above 0 and at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A device, as it truly is. All factors multiply latency; noises are standard deviations of its logarithm.

    latency_ns: true latency on `cpu` by variant: the start of its digest, or the name of its file. A variant that is
    not in it takes fixed_ns plus ns_per_byte times the size of its file. unit_factors: by unit, 1 where not named;
    the units named are those that the device offers. falls_back maps a unit to the one that runs in its place.
    launch_noise differs from launch to launch, sample_noise from sample to sample. drift_per_hour is relative.
    A launch is slow with slow_launch_probability by slow_launch_factor (a core that clocks lower); a sample is held up
    with spike_probability by spike_factor (other work on the core: wall time without CPU time).
    op_coverage is the part of an inference spent in operators. battery_percent, neighbours, load and max_mhz are what
    it says of itself; None: nothing.
    """

    __pydantic_config__ = _STRICT

    name: str = "simulated"
    seed: int = 0
    cores: int = 4
    unit_factors: Mapping[str, float] = field(default_factory=lambda: {"cpu": 1.0, "cpu:2": 0.58, "cpu/builtin": 2.6})
    falls_back: Mapping[str, str] = field(default_factory=dict)
    latency_ns: Mapping[str, Nanoseconds] = field(default_factory=dict)
    fixed_ns: Nanoseconds = 200_000.0
    ns_per_byte: float = 1.0
    launch_noise: float = 0.008
    sample_noise: float = 0.02
    drift_per_hour: float = 0.0
    slow_launch_probability: float = 0.0
    slow_launch_factor: float = 1.12
    spike_probability: float = 0.005
    spike_factor: float = 2.0
    heat: Heat = Heat()
    canary_ns: Nanoseconds = 2_000_000.0
    environment_ns: Nanoseconds = 30_000_000.0
    compile_ns_per_byte: float = 5.0
    op_coverage: float = 0.97
    power: str | None = "mains"
    battery_percent: float | None = None
    neighbours: float | None = None
    load: float | None = None
    max_mhz: float | None = None
    memory_bytes: Bytes = 4_000_000_000
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        _check_units(*self.unit_factors, *self.falls_back, *self.falls_back.values())
        times = (*self.unit_factors.values(), *self.latency_ns.values(), self.canary_ns, self.fixed_ns)
        if not self.unit_factors or min(times) <= 0:
            raise ValueError(
                "unit_factors names at least one unit; factors, latency_ns, canary_ns and fixed_ns are above 0"
            )
        if self.cores < 1 or self.memory_bytes < 1:
            raise ValueError("cores and memory_bytes are 1 or more")
        noises = (self.launch_noise, self.sample_noise, self.ns_per_byte, self.compile_ns_per_byte, self.environment_ns)
        if min(noises) < 0:
            raise ValueError("noises, ns_per_byte, compile_ns_per_byte and environment_ns are 0 or more")
        shares = (self.slow_launch_probability, self.spike_probability, self.op_coverage)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("probabilities and op_coverage are within 0 and 1")


def scenario_from(mapping: object, *, source: str = "scenario") -> Scenario:
    """A scenario from plain values. Raises ConfigError with one line for each problem.

    Given ruamel's round-trip tree, which remembers where everything stood, each line also has its line and column.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Scenario).validate_python(mapping)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise ConfigError(*(_problem(source, mapping, p["loc"], p["msg"], p["input"]) for p in problems)) from error


def _problem(source: str, tree: object, keys: tuple[int | str, ...], message: str, given: object) -> str:
    path = ".".join(str(key) for key in keys)
    return f"{source}{_place(tree, keys)}: {path or 'the whole'}: {message}; given {str(given)[:80]!r}"


def _place(tree: object, keys: tuple[int | str, ...]) -> str:
    """`:line:column` of the innermost key that the tree holds; empty for plain values, which have no place."""
    place = ""
    for key in keys:
        marks = getattr(tree, "lc", None)
        if marks is None or marks.data is None or key not in marks.data:
            break
        line, column = marks.key(key) if isinstance(tree, dict) else marks.item(key)
        place = f":{line + 1}:{column + 1}"
        tree = tree[key]  # type: ignore[index]  # what has marks holds the key
    return place


def _check_units(*units: str | None) -> None:
    for unit in units:
        if unit is not None:
            ComputeUnit.parse(unit)
