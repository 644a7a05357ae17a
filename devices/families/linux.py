"""A computer that runs the agent, as the plan wants it: Linux, and macOS by code that never ran on a Mac yet."""

from collections.abc import Mapping, Sequence
from typing import Any

from devices.agent import protocol, runtimes
from harness.core.compute_unit import ComputeUnit
from harness.core.device import DeviceFacts, Exclusion

_FAMILIES = {"linux": "linux", "darwin": "mac"}
_BUILTIN = ComputeUnit(kind="cpu", backend="builtin")
_SHOWN = 4


def facts_of(name: str, told: Mapping[str, Any], python: str = "python3", wanted: str | None = None) -> DeviceFacts:
    """What the agent told, as facts with the units it offers and the reasons for those it does not.

    python is what runs the agent, for advice; wanted the runtime to measure with, None for the first.
    Raises ProtocolError where a runtime or an accelerator is not as docs/agent-protocol.md has it.
    """
    found = [protocol.check("facts.runtimes", runtime, protocol.RUNTIME) for runtime in told["runtimes"]]
    chosen = runtimes.choose(found, wanted)
    return DeviceFacts(
        name=name,
        family=_FAMILIES.get(told["system"], str(told["system"])),
        simulated=False,
        os=told["os"],
        arch=told["arch"],
        processor=told["processor"],
        cores=told["cores"],
        memory_bytes=told["memory_bytes"],
        runtimes={str(runtime["name"]): str(runtime["version"] or "unknown version") for runtime in found},
        units=units_of(told["cores"]) if chosen else (),
        exclusions=(*_lacking(chosen, python, wanted), *exclusions_of(told["accelerators"], chosen)),
        runtime=str(chosen["name"]) if chosen else None,
    )


def _lacking(chosen: Mapping[str, Any] | None, python: str, wanted: str | None) -> tuple[Exclusion, ...]:
    if chosen is not None:
        return ()
    name = wanted or runtimes.LITERT
    install = runtimes.KINDS[name].install.replace("pip", f"{python} -m pip", 1)
    return (Exclusion(what="cpu", reason=f"{name} was not found by {python}: {install}"),)


def units_of(cores: int | None) -> tuple[ComputeUnit, ...]:
    """One thread, all cores where there is more than one, and the kernels without XNNPACK."""
    one = ComputeUnit(kind="cpu")
    many = () if cores is None or cores < 2 else (ComputeUnit(kind="cpu", threads=cores),)
    return (one, *many, _BUILTIN)


def exclusions_of(accelerators: Sequence[object], chosen: Mapping[str, Any] | None = None) -> tuple[Exclusion, ...]:
    """Why each kind of accelerator is not among the units: it was not found, or cannot be measured yet."""
    checked = [protocol.check("facts.accelerators", each, protocol.ACCELERATOR) for each in accelerators]
    if chosen is not None and chosen["name"] == runtimes.TFLITE_RUNTIME:
        reason = f"{runtimes.TFLITE_RUNTIME} measures on the CPU alone here"
        return tuple(Exclusion(what=str(each["unit"]), reason=reason) for each in checked)
    return tuple(Exclusion(what=str(each["unit"]), reason=_reason(each)) for each in checked)


def _reason(accelerator: Mapping[str, Any]) -> str:
    unit, found, looked_for = accelerator["unit"], accelerator["found"], accelerator["looked_for"]
    if found:
        shown = ", ".join(found[:_SHOWN])
        return f"found {shown}, but this version of the bench does not measure on {unit}"
    return (
        f"not found: no {', no '.join(looked_for)}" if looked_for else "not found, and nowhere to look on this system"
    )
