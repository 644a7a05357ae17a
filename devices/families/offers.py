"""Which units an accelerator gives, by what the agent found of it, and what is missing where it gives none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devices.agent import protocol, runtimes
from devices.agent.edgetpu import LIBRARY
from devices.agent.litert import version_unknown
from devices.agent.targets import GPU_LIBRARIES
from devices.agent.vulkan import LOADER
from devices.runtimes.agent_launch import DelegateLibrary
from harness.core.compute_unit import SOFTWARE, ComputeUnit
from harness.core.device import Exclusion

Message = Mapping[str, Any]

_GPU = ComputeUnit(kind="gpu")
_SOFTWARE = ComputeUnit(kind="gpu", backend=SOFTWARE)
_NPU = ComputeUnit(kind="npu")
_EDGETPU = ComputeUnit(kind="edgetpu")
_SHOWN = 4
_ONLY_SOFTWARE = (
    "only {} was found, which computes on the processor; to measure it all the same, name it: units: [gpu/software]"
)
_NO_DISPATCH = (
    "npu needs its vendor's dispatch library (libLiteRtDispatch_*.so): "
    "devices: [{name: board, kind: local, dispatch: /folder/of/it}]"
)
_EDGETPU_APART = "measure it as a device of its own: devices: [{name: coral, kind: edgetpu}] (docs/edgetpu.md)"
_SIGNS_OF_BUS = {"pci": ("/dev/apex",), "usb": ("usb ",)}
_NO_LIBRARY = (
    "{library} was not found: install libedgetpu1-std (coral.ai/software), or say where it is: library: /path/of/it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The units that an accelerator gives, and why it does not give the one that it is named after."""

    units: tuple[ComputeUnit, ...] = ()
    exclusion: Exclusion | None = None


def offer_of(
    accelerator: Message,
    runtime: Message | None,
    dispatch: str | None,
    delegate: DelegateLibrary | None = None,
) -> Offer:
    """What an accelerator gives to a runtime, each as `facts` tells it.

    dispatch is the configured folder, if any, and delegate the library of an Edge TPU that the device is for.

    Raises ProtocolError where an adapter is not as docs/agent-protocol.md has it.
    """
    kind = str(accelerator["unit"])
    if kind in ("gpu", "npu") and (refusal := _refusal(runtime)):
        return _without(kind, refusal)
    if kind == "gpu":
        return _offer_gpu(accelerator)
    if kind == "npu":
        return _offer_npu(accelerator, dispatch)
    if kind == "edgetpu":
        return _offer_edgetpu(accelerator, delegate)
    return _without(kind, _unmeasured(accelerator))


def _refusal(runtime: Message | None) -> str | None:
    """Why a runtime measures on no accelerator: that takes LiteRT's C API, and one that is known."""
    if runtime is None:
        return None
    if runtime["name"] == runtimes.TFLITE_RUNTIME:
        return f"{runtimes.TFLITE_RUNTIME} measures on the CPU alone here"
    unknown = version_unknown(runtime["version"])
    return f"{unknown}: it is measured on the CPU alone" if unknown else None


def _offer_gpu(accelerator: Message) -> Offer:
    """`gpu` on a hardware adapter, `gpu/software` on the other kind, which says nothing of a GPU."""
    adapters = _adapters(accelerator)
    if not _has(accelerator, GPU_LIBRARIES):
        wanted = " or ".join(GPU_LIBRARIES)
        return _without("gpu", f"LiteRT has no GPU accelerator beside it ({wanted}): pip install ai-edge-litert==2.3.0")
    names = {bool(each["software"]): str(each["name"]) for each in reversed(adapters)}
    software = (_SOFTWARE,) if True in names else ()
    if False in names:
        return Offer(units=(_GPU, *software))
    if software:
        return Offer(units=software, exclusion=Exclusion(what="gpu", reason=_ONLY_SOFTWARE.format(names[True])))
    return _without("gpu", _no_adapter(accelerator))


def _no_adapter(accelerator: Message) -> str:
    """What is missing on the way from LiteRT to a GPU, and what to do about it."""
    drivers = [path for path in accelerator["found"] if path.endswith(".json")]
    devices = [path for path in accelerator["found"] if path.startswith("/dev/")]
    if drivers and not _has(accelerator, (LOADER,)):
        return f"{_list(drivers)} cannot be loaded without {LOADER}: apt install libvulkan1"
    if drivers:
        return f"no adapter from the drivers {_list(drivers)}: what `vulkaninfo --summary` says will be the reason"
    if devices:
        return f"found {_list(devices)} but no Vulkan driver for it: install that of its vendor, or mesa-vulkan-drivers"
    return _not_found(accelerator)


def _offer_npu(accelerator: Message, dispatch: str | None) -> Offer:
    """`npu` where its vendor's library is configured: whether it is any good only a launch can tell."""
    if dispatch is not None:
        return Offer(units=(_NPU,))
    found = _list(accelerator["found"])
    return _without("npu", f"found {found}; {_NO_DISPATCH}" if found else f"{_not_found(accelerator)}; {_NO_DISPATCH}")


def _offer_edgetpu(accelerator: Message, delegate: DelegateLibrary | None) -> Offer:
    """`edgetpu` where the device is one; a library that is named by its path is taken at its word until a launch."""
    if delegate is None:
        seen = _list(accelerator["found"])
        return _without("edgetpu", f"found {seen}; {_EDGETPU_APART}" if seen else _not_found(accelerator))
    if "/" in delegate.library:
        return Offer(units=(_EDGETPU,))
    if not _has(accelerator, (delegate.library,)) and delegate.library == LIBRARY:
        return _without("edgetpu", _NO_LIBRARY.format(library=delegate.library))
    return _present(accelerator, delegate.options.get("device", ""))


def _present(accelerator: Message, wanted: str) -> Offer:
    """Whether there is one on the bus that was asked for; which of several is for the library to find."""
    on_pcie = any(sign.startswith("/dev/apex_") for sign in accelerator["found"])
    on_usb = any(sign.startswith("usb ") for sign in accelerator["found"])
    bus, _, _ = wanted.partition(":")
    there = {"pci": on_pcie, "usb": on_usb}
    if there.get(bus, on_pcie or on_usb):
        return Offer(units=(_EDGETPU,))
    signs = [sign for sign in accelerator["looked_for"] if sign.startswith(_SIGNS_OF_BUS.get(bus, ("/dev/", "usb ")))]
    other = f"; attached: {_list(accelerator['found'])}" if on_pcie or on_usb else ""
    return _without("edgetpu", f"no Edge TPU is attached: no {', no '.join(signs)}{other}")


def _without(kind: str, reason: str) -> Offer:
    return Offer(exclusion=Exclusion(what=kind, reason=reason))


def _unmeasured(accelerator: Message) -> str:
    if found := _list(accelerator["found"]):
        return f"found {found}, but this version of the bench does not measure on {accelerator['unit']}"
    return _not_found(accelerator)


def _not_found(accelerator: Message) -> str:
    missing = [sign for sign in accelerator["looked_for"] if not _has(accelerator, (sign,))]
    return f"not found: no {', no '.join(missing)}" if missing else "not found, and nowhere to look on this system"


def adapter_names(accelerator: Message) -> tuple[str, ...]:
    """Its adapters by name; a software one says so."""
    return tuple(f"{a['name']} (software)" if a["software"] else str(a["name"]) for a in _adapters(accelerator))


def _adapters(accelerator: Message) -> list[Message]:
    return [protocol.check("facts.adapters", each, protocol.ADAPTER) for each in accelerator["adapters"]]


def _has(accelerator: Message, names: Iterable[str]) -> bool:
    return any(path.endswith(name) for path in accelerator["found"] for name in names)


def _list(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_SHOWN])
