"""What a phone is and offers, from what it tells and from the tools that are there for it."""

from devices.families.android import FACTS_SCRIPT, PhoneFacts, facts_from, sections
from devices.families.android_conditions import CONDITIONS_SCRIPT, conditions_from
from devices.families.android_prepare import prepared_from
from devices.phone_tools import HostTools, find_tools
from devices.runtimes.benchmark_model_flags import NNAPI
from devices.transport.adb import AdbTransport
from harness.core.compute_unit import ComputeUnit
from harness.core.deadline import Deadline
from harness.core.device import Conditions, DeviceFacts, DeviceSpec, Exclusion, PhoneTools
from harness.core.errors import DeviceError
from harness.core.units import Seconds

RUNTIME = "LiteRT benchmark_model"
_PATIENCE_S: Seconds = 30.0
_LAST_NNAPI = 34  # Android 15 (API 35) declares it deprecated


def ask(transport: AdbTransport) -> PhoneFacts:
    """What the phone tells, in one round trip. Raises DeviceError where it is no Android."""
    done = transport.shell(FACTS_SCRIPT, Deadline(_PATIENCE_S))
    told = facts_from(done.stdout.decode("utf-8", "replace"))
    if not told.abis and told.os is None:
        raise DeviceError(transport.device, f"it does not answer like an Android phone ({done.words[:200]})")
    return told


def conditions_of(transport: AdbTransport) -> Conditions:
    """The phone's state now, in one round trip. Raises DeviceError."""
    done = transport.shell(CONDITIONS_SCRIPT, Deadline(_PATIENCE_S))
    text = done.stdout.decode("utf-8", "replace")
    told = sections(text)
    try:
        return conditions_from(text, prepared_from(told.get("prepared", ""), told.get("stay", "")))
    except ValueError as exc:
        raise DeviceError(transport.device, f"it does not tell its state ({exc})") from exc


def facts_of(spec: DeviceSpec, attached_as: str, told: PhoneFacts) -> tuple[DeviceFacts, HostTools | None]:
    """What it is and offers, with the tools that were found for it on this machine, None where they are missing."""
    try:
        tools = find_tools(spec.name, spec.tools or PhoneTools(), told.abis)
        missing = None
    except DeviceError as error:
        tools, missing = None, error.reason
    details = {**told.details, "adb": attached_as, **(tools.details if tools else {})}
    facts = DeviceFacts(
        name=spec.name,
        family="android",
        simulated=False,
        os=told.os,
        arch=told.abis[0] if told.abis else told.arch,
        processor=told.processor,
        cores=told.cores,
        memory_bytes=told.memory_bytes,
        runtimes={RUNTIME: tools.benchmark.sum[:16]} if tools else {},
        units=_units(told, tools) if tools else (),
        exclusions=_exclusions(told, tools, missing),
        runtime=RUNTIME if tools else None,
        machine=f"android-{told.serial or attached_as}",
        serial=told.serial or attached_as,
        clusters=told.clusters,
        details=details,
    )
    return facts, tools


def _units(told: PhoneFacts, tools: HostTools) -> tuple[ComputeUnit, ...]:
    cores = told.cores or 1
    cpu = [ComputeUnit(kind="cpu"), *([ComputeUnit(kind="cpu", threads=cores)] if cores > 1 else [])]
    clusters = [ComputeUnit(kind="cpu", cluster=each.name) for each in told.clusters if each.name != "all"]
    npu = [ComputeUnit(kind="npu")] if _has_npu(tools) else []
    nnapi = [NNAPI] if told.nnapi else []
    return (*cpu, ComputeUnit(kind="cpu", backend="builtin"), *clusters, ComputeUnit(kind="gpu"), *npu, *nnapi)


def _has_npu(tools: HostTools) -> bool:
    return tools.delegate is not None or (tools.litert is not None and bool(tools.dispatch))


def _exclusions(told: PhoneFacts, tools: HostTools | None, missing: str | None) -> tuple[Exclusion, ...]:
    if tools is None:
        return tuple(Exclusion(what=what, reason=missing or "no tools") for what in ("cpu", "gpu", "npu"))
    out = [Exclusion(what="edgetpu", reason="a phone has none")]
    if not _has_npu(tools):
        reason = (
            "npu needs an external delegate (`delegate: my.so`), or benchmark_litert_model with a "
            "libLiteRtDispatch_*.so beside it"
        )
        out.append(Exclusion(what="npu", reason=reason))
    if not told.nnapi:
        words = "no NNAPI driver runs on it (no service init.svc.*neuralnetworks*)"
        if told.sdk is not None and told.sdk > _LAST_NNAPI:
            words += "; Android 15 and later give NNAPI up"
        out.append(Exclusion(what="npu/nnapi", reason=words))
    return tuple(out)
