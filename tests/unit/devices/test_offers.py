"""What accelerators give, and what is missing where they give nothing."""

from typing import Any

import pytest

from devices.agent.protocol import ProtocolError
from devices.families.offers import Offer, adapter_names, offer_of
from devices.runtimes.agent_launch import DelegateLibrary

WEBGPU = "/x/libLiteRtWebGpuAccelerator.so"
HARDWARE = {"name": "RTX", "software": False, "driver": "/a.json"}
SOFTWARE = {"name": "Pipe", "software": True, "driver": "/b.json"}
SOUGHT = ["/dev/dri/renderD*", "/etc/vulkan/icd.d/*.json", "libvulkan.so.1", "libLiteRtWebGpuAccelerator.so"]


def accelerator(unit: str, *found: str, adapters: tuple[object, ...] = ()) -> dict[str, Any]:
    return {"unit": unit, "found": list(found), "looked_for": SOUGHT, "adapters": list(adapters)}


def of(told: dict[str, Any], dispatch: str | None = None) -> Offer:
    return offer_of(told, a_runtime("LiteRT", "2.3.0"), dispatch)


def a_runtime(name: str, version: str | None) -> dict[str, Any]:
    return {"name": name, "version": version, "package": "/p", "library": None}


def units_of(offer: Offer) -> list[str]:
    return [str(unit) for unit in offer.units]


def reason_of(offer: Offer) -> str:
    assert offer.exclusion is not None
    return offer.exclusion.reason


@pytest.mark.parametrize(
    ("adapters", "units"),
    [
        ((HARDWARE,), ["gpu"]),
        ((SOFTWARE, HARDWARE), ["gpu", "gpu/software"]),
        ((SOFTWARE,), ["gpu/software"]),
        ((), []),
    ],
)
def test_a_gpu_s_units_are_those_of_its_adapters(adapters: tuple[object, ...], units: list[str]) -> None:
    assert units_of(of(accelerator("gpu", WEBGPU, adapters=adapters))) == units


def test_hardware_leaves_nothing_to_explain() -> None:
    assert of(accelerator("gpu", WEBGPU, adapters=(HARDWARE, SOFTWARE))).exclusion is None


def test_software_alone_is_explained_with_how_to_ask_for_it() -> None:
    reason = reason_of(of(accelerator("gpu", WEBGPU, adapters=(SOFTWARE,))))
    assert reason.startswith("only Pipe was found, which computes on the processor")
    assert reason.endswith("units: [gpu/software]")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ((), "LiteRT has no GPU accelerator beside it (libLiteRtWebGpuAccelerator.so or"),
        ((WEBGPU, "/a.json"), "/a.json cannot be loaded without libvulkan.so.1: apt install libvulkan1"),
        ((WEBGPU, "/a.json", "libvulkan.so.1"), "no adapter from the drivers /a.json: what `vulkaninfo --summary`"),
        ((WEBGPU, "/dev/dri/renderD128"), "found /dev/dri/renderD128 but no Vulkan driver for it: install"),
        ((WEBGPU,), "not found: no /dev/dri/renderD*, no /etc/vulkan/icd.d/*.json, no libvulkan.so.1"),
    ],
)
def test_what_is_missing_on_the_way_to_a_gpu_is_named(found: tuple[str, ...], reason: str) -> None:
    assert reason_of(of(accelerator("gpu", *found))).startswith(reason)


def test_what_was_found_is_not_said_to_be_missing() -> None:
    assert "libLiteRtWebGpu" not in reason_of(of(accelerator("gpu", WEBGPU)))


def test_an_npu_needs_a_dispatch_folder_and_the_config_that_gives_it_is_shown() -> None:
    offer = of(accelerator("npu", "/dev/accel/accel0"))
    assert offer.units == ()
    assert reason_of(offer).startswith("found /dev/accel/accel0; npu needs its vendor's dispatch library")
    assert "dispatch: /folder/of/it" in reason_of(offer)


def test_with_a_dispatch_folder_an_npu_is_offered() -> None:
    assert units_of(of(accelerator("npu"), "/vendor")) == ["npu"]


def test_an_edge_tpu_of_a_device_that_is_another_says_how_it_is_measured() -> None:
    reason = reason_of(of(accelerator("edgetpu", "/dev/apex_0")))
    assert reason.startswith("found /dev/apex_0; measure it as a device of its own: devices: [{name: coral, kind:")


def test_what_is_not_there_is_excluded_by_what_was_looked_for() -> None:
    assert reason_of(of({**accelerator("edgetpu"), "looked_for": ["/dev/apex_0"]})) == "not found: no /dev/apex_0"


def test_adapters_are_named_and_software_says_so() -> None:
    assert adapter_names(accelerator("gpu", adapters=(HARDWARE, SOFTWARE))) == ("RTX", "Pipe (software)")


def test_an_adapter_with_a_key_nobody_knows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="colour"):
        of(accelerator("gpu", WEBGPU, adapters=({**HARDWARE, "colour": "green"},)))


@pytest.mark.parametrize("kind", ["gpu", "npu"])
@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("LiteRT", "9.9.0", "LiteRT 9.9.0 is unknown, known 2.3: it is measured on the CPU alone"),
        ("LiteRT", None, "LiteRT of an unnamed version is unknown, known 2.3: it is measured on the CPU alone"),
        ("tflite-runtime", "2.14.0", "tflite-runtime measures on the CPU alone here"),
    ],
)
def test_a_runtime_whose_c_api_is_not_the_known_one_has_the_cpu_alone(
    kind: str, name: str, version: str | None, reason: str
) -> None:
    told = accelerator(kind, WEBGPU, adapters=(HARDWARE,))
    offer = offer_of(told, a_runtime(name, version), "/vendor")
    assert (offer.units, reason_of(offer)) == ((), reason)


EDGETPU_SIGNS = ["/dev/apex_[0-9]*", "/usr/lib/*/libedgetpu.so.1", "usb 1a6e:089a", "usb 18d1:9302"]
LIBRARY = "/usr/lib/x/libedgetpu.so.1"


def edgetpu(*found: str, library: str = "libedgetpu.so.1", device: str | None = None) -> Offer:
    told = {"unit": "edgetpu", "found": list(found), "looked_for": EDGETPU_SIGNS, "adapters": []}
    delegate = DelegateLibrary(library=library, options={"device": device} if device else {})
    return offer_of(told, a_runtime("tflite-runtime", "2.5.0"), None, delegate)


@pytest.mark.parametrize(
    ("found", "device"),
    [
        (("/dev/apex_0", LIBRARY), None),
        (("/dev/apex_0", LIBRARY), "pci:0"),
        ((LIBRARY, "usb 1a6e:089a"), None),
        ((LIBRARY, "usb 18d1:9302"), "usb"),
    ],
)
def test_an_edge_tpu_is_offered_with_its_library(found: tuple[str, ...], device: str | None) -> None:
    assert units_of(edgetpu(*found, device=device)) == ["edgetpu"]


def test_an_edge_tpu_without_its_library_says_what_to_install() -> None:
    assert reason_of(edgetpu("/dev/apex_0")).startswith("libedgetpu.so.1 was not found: install libedgetpu1-std")


def test_an_edge_tpu_on_the_other_bus_is_said_to_be_there() -> None:
    reason = reason_of(edgetpu("/dev/apex_0", LIBRARY, device="usb"))
    assert reason.startswith("no Edge TPU is attached: no usb 1a6e:089a, no usb 18d1:9302; attached: /dev/apex_0")


def test_a_library_that_is_named_by_its_path_is_tried() -> None:
    assert units_of(edgetpu(library="/opt/libedgetpu.so.1")) == ["edgetpu"]
