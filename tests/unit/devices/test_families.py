"""Facts that an agent told, as the plan wants them."""

from typing import Any

import pytest

from devices.agent.protocol import ProtocolError
from devices.families.linux import facts_of, units_of
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster

LITERT = {"name": "LiteRT", "version": "2.3.0", "package": "/x", "library": "/x/libLiteRt.so"}
TFLITE_RUNTIME = {"name": "tflite-runtime", "version": "2.14.0", "package": "/y", "library": "/y/wrapper.so"}


def told(**changes: object) -> dict[str, Any]:
    facts = {
        "system": "linux",
        "os": "Debian 12",
        "arch": "aarch64",
        "processor": "BCM2712",
        "cores": 4,
        "memory_bytes": 8_000_000_000,
        "runtimes": [LITERT],
        "accelerators": [],
        "serial": None,
        "clusters": [],
        "details": {},
    }
    return {**facts, **changes}


def accelerator(unit: str, found: list[str], looked_for: list[str]) -> dict[str, object]:
    return {"unit": unit, "found": found, "looked_for": looked_for, "adapters": []}


def test_a_device_is_what_it_told() -> None:
    facts = facts_of("pi5", told())
    assert (facts.name, facts.family, facts.simulated) == ("pi5", "linux", False)
    assert (facts.os, facts.arch, facts.processor) == ("Debian 12", "aarch64", "BCM2712")
    assert (facts.cores, facts.memory_bytes, facts.runtimes) == (4, 8_000_000_000, {"LiteRT": "2.3.0"})


def test_what_a_device_does_not_tell_is_none() -> None:
    facts = facts_of("x", told(os=None, arch=None, processor=None, cores=None, memory_bytes=None))
    assert (facts.os, facts.arch, facts.processor, facts.cores, facts.memory_bytes) == (None,) * 5


def test_a_mac_is_a_family_of_its_own() -> None:
    assert facts_of("studio", told(system="darwin")).family == "mac"


@pytest.mark.parametrize(
    ("cores", "units"),
    [(1, ["cpu", "cpu/builtin"]), (None, ["cpu", "cpu/builtin"]), (8, ["cpu", "cpu:8", "cpu/builtin"])],
)
def test_one_thread_all_cores_and_builtin_are_offered(cores: int | None, units: list[str]) -> None:
    assert units_of(cores) == tuple(ComputeUnit.parse(unit) for unit in units)


def test_each_kind_of_cores_is_offered_where_there_are_several() -> None:
    kinds = (Cluster(name="little", cores=(0, 1, 2, 3)), Cluster(name="big", cores=(4,)))
    offered = [str(unit) for unit in units_of(5, kinds)]
    assert offered == ["cpu", "cpu:5", "cpu/builtin", "cpu@little", "cpu@little:4", "cpu@big"]
    assert units_of(4, kinds[:1]) == units_of(4)


def test_without_a_runtime_nothing_is_offered_and_the_reason_says_what_to_install() -> None:
    facts = facts_of("x", told(runtimes=[]))
    assert facts.units == ()
    assert [(e.what, e.reason) for e in facts.exclusions] == [
        ("cpu", "LiteRT was not found by python3: python3 -m pip install ai-edge-litert")
    ]


def test_a_runtime_without_a_version_is_named_so() -> None:
    assert facts_of("x", told(runtimes=[{**LITERT, "version": None}])).runtimes == {"LiteRT": "unknown version"}


def test_a_device_measures_with_the_first_runtime_where_none_is_named() -> None:
    facts = facts_of("x", told(runtimes=[LITERT, TFLITE_RUNTIME]))
    assert facts.runtime == "LiteRT"
    assert facts.runtimes == {"LiteRT": "2.3.0", "tflite-runtime": "2.14.0"}


def test_a_device_measures_with_the_runtime_that_is_named() -> None:
    facts = facts_of("x", told(runtimes=[LITERT, TFLITE_RUNTIME]), wanted="tflite-runtime")
    assert facts.runtime == "tflite-runtime"
    assert ComputeUnit.parse("cpu/builtin") in facts.units


def test_a_named_runtime_that_is_not_there_is_excluded_with_what_to_install() -> None:
    facts = facts_of("x", told(runtimes=[LITERT]), "/old/bin/python", "tflite-runtime")
    assert (facts.runtime, facts.units) == (None, ())
    assert facts.exclusions[0].reason == (
        "tflite-runtime was not found by /old/bin/python: /old/bin/python -m pip install tflite-runtime 'numpy<2'"
    )


def test_tflite_runtime_has_no_accelerators() -> None:
    found = [accelerator("gpu", ["/dev/dri/renderD128"], ["/dev/dri/renderD*"])]
    (exclusion,) = facts_of("x", told(runtimes=[TFLITE_RUNTIME], accelerators=found)).exclusions
    assert (exclusion.what, exclusion.reason) == ("gpu", "tflite-runtime measures on the CPU alone here")


def test_units_of_accelerators_come_after_the_processor_s() -> None:
    litert = ["/x/libLiteRtWebGpuAccelerator.so"]
    adapter = {"name": "RTX", "software": False, "driver": "/a.json"}
    facts = facts_of("x", told(accelerators=[{**accelerator("gpu", litert, []), "adapters": [adapter]}]))
    assert [str(unit) for unit in facts.units] == ["cpu", "cpu:4", "cpu/builtin", "gpu"]
    assert (facts.adapters, facts.exclusions) == (("RTX",), ())


def test_a_configured_dispatch_library_makes_an_npu() -> None:
    facts = facts_of("x", told(accelerators=[accelerator("npu", [], [])]), dispatch="/vendor")
    assert ComputeUnit(kind="npu") in facts.units


def test_without_a_runtime_there_are_no_accelerators_either() -> None:
    assert facts_of("x", told(runtimes=[], accelerators=[accelerator("npu", [], [])]), dispatch="/vendor").units == ()


def test_a_runtime_with_a_key_nobody_knows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="colour"):
        facts_of("x", told(runtimes=[{**LITERT, "colour": "red"}]))
