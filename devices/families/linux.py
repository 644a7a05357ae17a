"""A computer that runs the agent, as the plan wants it: Linux, and macOS by code that never ran on a Mac yet."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from devices.agent import protocol, runtimes
from devices.families.offers import adapter_names, offer_of
from harness.core.compute_unit import ComputeUnit
from harness.core.device import Cluster, DeviceFacts, Exclusion

_FAMILIES = {"linux": "linux", "darwin": "mac"}
_BUILTIN = ComputeUnit(kind="cpu", backend="builtin")


def facts_of(
    name: str,
    told: Mapping[str, Any],
    python: str = "python3",
    wanted: str | None = None,
    dispatch: str | None = None,
) -> DeviceFacts:
    """What the agent told, as facts with the units it offers and the reasons for those it does not.

    python is what runs the agent, for advice; wanted the runtime to measure with, None for the first; dispatch the
    folder of an NPU's dispatch library.
    Raises ProtocolError where a runtime or an accelerator is not as docs/agent-protocol.md has it.
    """
    found = [protocol.check("facts.runtimes", runtime, protocol.RUNTIME) for runtime in told["runtimes"]]
    chosen = runtimes.choose(found, wanted)
    accelerators = [protocol.check("facts.accelerators", each, protocol.ACCELERATOR) for each in told["accelerators"]]
    clusters = tuple(_cluster(each) for each in told["clusters"])
    offers = [offer_of(each, chosen, dispatch) for each in accelerators]
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
        units=(*units_of(told["cores"], clusters), *(unit for offer in offers for unit in offer.units))
        if chosen
        else (),
        exclusions=(*_lacking(chosen, python, wanted), *(e.exclusion for e in offers if e.exclusion)),
        runtime=str(chosen["name"]) if chosen else None,
        adapters=tuple(name for each in accelerators for name in adapter_names(each)),
        serial=told["serial"],
        clusters=clusters,
        details={str(key): str(value) for key, value in told["details"].items()},
    )


def _cluster(told: object) -> Cluster:
    fields: Mapping[str, Any] = protocol.check("facts.clusters", told, protocol.CLUSTER)
    cores = tuple(int(core) for core in fields["cores"])
    return Cluster(name=fields["name"], cores=cores, max_mhz=fields["max_mhz"], part=fields["part"])


def _lacking(chosen: Mapping[str, Any] | None, python: str, wanted: str | None) -> tuple[Exclusion, ...]:
    if chosen is not None:
        return ()
    name = wanted or runtimes.LITERT
    advice = runtimes.KINDS[name].install.replace("pip", f"{python} -m pip", 1)
    if name == runtimes.TFLITE_RUNTIME and python == sys.executable:  # whose numpy must not be made older
        advice = "make it an environment of its own, and name that as the device's python (docs/tflite-runtime.md)"
    return (Exclusion(what="cpu", reason=f"{name} was not found by {python}: {advice}"),)


def units_of(cores: int | None, clusters: Sequence[Cluster] = ()) -> tuple[ComputeUnit, ...]:
    """One thread, all cores where there is more than one, and the kernels without XNNPACK.

    Where there are several kinds of cores, also one thread on each kind, and all cores of it.
    """
    one = ComputeUnit(kind="cpu")
    many = () if cores is None or cores < 2 else (ComputeUnit(kind="cpu", threads=cores),)
    kinds = clusters if len(clusters) > 1 else ()
    bound = [
        ComputeUnit(kind="cpu", threads=threads, cluster=kind.name)
        for kind in kinds
        for threads in dict.fromkeys((1, len(kind.cores)))
    ]
    return (one, *many, _BUILTIN, *bound)
